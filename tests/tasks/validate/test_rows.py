"""Rows that break a rule are quarantined with the reason; the others stay, in their order."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.settings import ValidationSettings
from recmodels.compute.memory import at_most
from tasks.store.parts import part_path, parts
from tasks.validate import rows as row_checks
from tests.tasks.validated import CATALOGUE, KNOWN, LENIENT, NOW, RATED, STAMP, YESTERDAY, Night, interactions


@pytest.mark.parametrize(
    ("changed", "rules", "reason"),
    [
        ({"user_id": [None]}, LENIENT, "ExpectColumnValuesToNotBeNull: user_id is missing"),
        ({"item_id": [None]}, LENIENT, "ExpectColumnValuesToNotBeNull: item_id is missing"),
        ({"timestamp": [None]}, LENIENT, "ExpectColumnValuesToNotBeNull: timestamp is missing or could not be read"),
        (
            {"timestamp": [None], "timestamp_text": ["soon"]},
            LENIENT,
            "ExpectColumnValuesToNotBeNull: timestamp is missing or could not be read",
        ),
        (
            {"timestamp": [datetime(1989, 12, 31, 23, tzinfo=UTC)]},
            LENIENT,
            "ExpectColumnValuesToBeBetween: timestamp is before 1990-01-01",
        ),
        (
            {"timestamp": [NOW + timedelta(days=1, seconds=1)]},
            LENIENT,
            "ExpectColumnValuesToBeBetween: timestamp is in the future of 2026-11-25",
        ),
        (
            {"rating": [None], "rating_text": ["five"]},
            LENIENT,
            "ExpectColumnValuesToBeNull: rating could not be read",
        ),
        ({"rating": [0.4]}, RATED, "ExpectColumnValuesToBeBetween: rating is not a number from 0.5 to 5"),
        ({"rating": [5.1]}, RATED, "ExpectColumnValuesToBeBetween: rating is not a number from 0.5 to 5"),
        ({"rating": [float("inf")]}, LENIENT, "ExpectColumnValuesToBeBetween: rating is not a number"),
        ({"rating": [float("nan")]}, LENIENT, "ExpectColumnValuesToBeBetween: rating is not a number"),
        ({"item_id": [50]}, KNOWN, "ExpectColumnValuesToBeInSet: item_id is not in the items table"),
    ],
)
def test_an_interaction_that_breaks_a_rule_is_quarantined_and_the_others_stay(
    night: Night, changed: dict[str, list[Any]], rules: ValidationSettings, reason: str
) -> None:
    night.raw("interactions", interactions(**changed))
    night.raw("items", CATALOGUE)
    summary = night.validate(rules)
    raw, bad = night.read("raw/interactions"), night.read("quarantine/interactions")
    assert bad["reason"].to_pylist() == [reason]
    assert str(bad.drop(["reason"]).to_pylist()) == str(raw.slice(0, 1).to_pylist())  # as found; NaN is not itself
    assert night.read("valid/interactions").equals(raw.slice(1).drop(["timestamp_text", "rating_text"]))
    assert summary["reasons"]["interactions"] == {reason: 1}
    assert (summary["rows"], summary["quarantined"]) == (7, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"rating": [None]},
        {"event": [None]},
        {"timestamp": [NOW + timedelta(hours=23)]},
        {"timestamp": [datetime(1990, 1, 1, tzinfo=UTC)]},
        {"item_id": [50]},
    ],
)
def test_an_interaction_at_the_edge_of_a_rule_is_good(night: Night, changed: dict[str, list[Any]]) -> None:
    night.raw("interactions", interactions(**changed))
    night.raw("items", CATALOGUE)
    assert night.validate(RATED)["quarantined"] == 0
    assert not list((night.root / "quarantine").iterdir())


def test_a_row_that_breaks_several_rules_gives_all_its_reasons(night: Night) -> None:
    night.raw("interactions", interactions(user_id=[None], rating=[99.0]))
    night.validate(RATED)
    assert night.read("quarantine/interactions")["reason"].to_pylist() == [
        "ExpectColumnValuesToNotBeNull: user_id is missing; "
        "ExpectColumnValuesToBeBetween: rating is not a number from 0.5 to 5"
    ]


@pytest.mark.parametrize("partition", [2, 3, 7, 100])
def test_partition_borders_change_nothing_and_rows_keep_their_order(
    night: Night, monkeypatch: pytest.MonkeyPatch, partition: int
) -> None:
    rows = 31
    bad = {0, 6, 7, 12, 13, 14, 20, 30}  # either side of borders, a whole partition of three, the ends
    night.raw(
        "interactions",
        {
            "user_id": pa.array([None if row in bad else row for row in range(rows)], pa.int64()),
            "item_id": pa.array([-row for row in range(rows)]),
            "timestamp": pa.array([YESTERDAY] * rows, STAMP),
        },
    )
    monkeypatch.setattr(row_checks, "PARTITION", partition)
    night.validate()
    assert night.read("valid/interactions")["user_id"].to_pylist() == [r for r in range(rows) if r not in bad]
    assert night.read("quarantine/interactions")["item_id"].to_pylist() == [-row for row in sorted(bad)]


@pytest.mark.parametrize("partition", [3, 100])
def test_rows_in_parts_are_judged_as_those_of_one_file(
    night: Night, monkeypatch: pytest.MonkeyPatch, partition: int
) -> None:
    night.raw("interactions", interactions(user_id=[None, 2, 3, None]) | {"n": pa.array(range(8))})
    monkeypatch.setattr(row_checks, "PARTITION", partition)
    whole, refused = night.validate(), night.read("quarantine/interactions")
    table = night.read("raw/interactions")
    (night.root / "raw/interactions.parquet").unlink()
    cuts = [0, 2, 5, 8]  # a refused row in each of the first two parts, none in the last
    for number, (begin, end) in enumerate(pairwise(cuts)):
        path = part_path(night.root / "raw", "interactions", number)
        pq.write_table(table.slice(begin, end - begin), path)
    assert night.validate() == whole
    assert night.read("quarantine/interactions") == refused
    good = parts(night.root / "valid", "interactions")
    assert [pq.read_table(path)["n"].to_pylist() for path in good] == [[1], [2, 4], [5, 6, 7]]
    assert [path.samefile(raw) for path, raw in zip(good, parts(night.root / "raw", "interactions"), strict=True)] == [
        False,
        False,
        True,
    ]


def test_rows_of_small_parts_are_looked_at_together_and_those_of_large_ones_in_pieces_alike(night: Night) -> None:
    files = [night.root / f"{number}.parquet" for number in range(6)]
    for file, rows in zip(files, ([0, 1, 2, 3], [], [4, 5, 6, 7, 8, 9], [10], [11, 12], [13]), strict=True):
        pq.write_table(pa.table({"n": pa.array(rows, pa.int64())}), file)
    pieces = [(begin, piece["n"].to_pylist()) for begin, piece in row_checks._partitions(files, ["n"], 3)]
    assert pieces == [(0, [0, 1, 2, 3]), (4, [4, 5, 6]), (7, [7, 8, 9]), (10, [10, 11, 12]), (13, [13])]


def test_fewer_rows_are_looked_at_together_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_checks, "PARTITION", 10**9)
    with at_most(2**30):
        assert row_checks.rows_at_once() == 2**30 // row_checks.A_ROW


@pytest.mark.parametrize("partition", [1, 2, 100])
@pytest.mark.parametrize("table", ["items", "users"])
def test_the_first_of_several_rows_with_one_id_is_kept(
    night: Night, monkeypatch: pytest.MonkeyPatch, table: str, partition: int
) -> None:
    key = f"{table[:-1]}_id"
    night.raw("interactions", {name: column.slice(0, 2) for name, column in interactions().items()})
    night.raw(table, {key: pa.array([10, 20, 10, 30, None, 10, 20, 40, None]), "nth": pa.array(range(9))})
    monkeypatch.setattr(row_checks, "PARTITION", partition)
    night.validate()
    assert night.read(f"valid/{table}")["nth"].to_pylist() == [0, 1, 3, 7]
    holds = {"items": "not available in any row is not available", "users": "an opt-out of any row holds"}
    copy = f"ExpectColumnValuesToBeBetween: {key} stands in an earlier row already, which is kept ({holds[table]})"
    missing = f"ExpectColumnValuesToNotBeNull: {key} is missing"
    bad = night.read(f"quarantine/{table}")
    assert bad["nth"].to_pylist() == [2, 4, 5, 6, 8]
    assert bad["reason"].to_pylist() == [copy, missing, copy, copy, missing]


def test_a_tag_needs_an_item_and_a_text(night: Night) -> None:
    night.raw("interactions", interactions())
    night.raw("tags", {"item_id": pa.array([10, None, 20]), "tag": pa.array(["a", "b", " "])})
    night.validate()
    assert night.read("valid/tags")["tag"].to_pylist() == ["a"]
    assert night.read("quarantine/tags")["source_row"].to_pylist() == [3, 4]


def test_ids_come_out_as_they_went_in(night: Night) -> None:
    texts = interactions() | {
        "user_id": pa.array(["007", "7", "", "ß", "A", "a", "  ", None]),
        "item_id": pa.array([2**53 + 1, 2**53, 2**63 - 1, -1, 0, 1, 2, 3]),
    }
    night.raw("interactions", texts)
    night.validate()
    good = night.read("valid/interactions")
    assert good["user_id"].to_pylist() == ["007", "7", "ß", "A", "a"]
    assert good["item_id"].to_pylist() == [2**53 + 1, 2**53, -1, 0, 1]
    assert night.read("quarantine/interactions")["item_id"].to_pylist() == [2**63 - 1, 2, 3]


def test_a_table_without_a_refused_row_is_not_written_again(night: Night) -> None:
    night.raw("interactions", interactions())
    night.validate()
    assert (night.root / "valid/interactions.parquet").samefile(night.root / "raw/interactions.parquet")
