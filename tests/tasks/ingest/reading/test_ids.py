"""Ids come out as they went in."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import column, ingest, read, write

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\x00\x01", exclude_categories=["Cs"]), min_size=1, max_size=20
)
NUMBER_LIKE = st.sampled_from(
    ["007", "7", "+7", "7.0", "1e2", "1e3", "-0", "0", "00", " 7", "7 ", "1_000", "0x10", "inf", "true", "NaN", "null"]
) | st.sampled_from(["NULL", "\u0661", "9223372036854775808", "-9223372036854775809"])
STRINGS = TEXTS | NUMBER_LIKE | INT64.map(str)


def _csv(folder: Path, ids: list[str]) -> TableInput:
    path = folder / "log.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL)
        writer.writerow(["user_id", "item_id", "timestamp"])
        writer.writerows([identifier, 1, "2023-01-01"] for identifier in ids)
    return TableInput(path=str(path), delimiter=",")


def _jsonl(folder: Path, ids: list[Any]) -> TableInput:
    rows = [{"user_id": identifier, "item_id": 1, "timestamp": "2023-01-01"} for identifier in ids]
    return write(folder / "log.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _parquet(path: Path, ids: pa.Array) -> TableInput:
    pq.write_table(pa.table({"user_id": ids, "item_id": [1] * len(ids), "timestamp": ["2023-01-01"] * len(ids)}), path)
    return TableInput(path=str(path))


@settings(max_examples=4, deadline=None)
@given(st.lists(INT64, min_size=20, max_size=60))  # a file of many rather than many files: each takes as long
@pytest.mark.slow
def test_int64_survive(tmp_path_factory: pytest.TempPathFactory, ids: list[int]) -> None:
    folder = tmp_path_factory.mktemp("ids")
    for table in (
        _csv(folder, [str(identifier) for identifier in ids]),
        _jsonl(folder, ids),
        _parquet(folder / "log.parquet", pa.array(ids, pa.int64())),
    ):
        _, out = ingest(folder, table)
        assert read(out).schema.field("user_id").type == pa.int64()
        assert column(out, "user_id") == ids


@settings(max_examples=10, deadline=None)
@given(st.lists(STRINGS, min_size=1, max_size=3) | st.lists(STRINGS, min_size=20, max_size=60))
@pytest.mark.slow
def test_strings_survive(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    folder = tmp_path_factory.mktemp("ids")
    canonical = all(i.lstrip("-").isascii() and i.lstrip("-").isdigit() and str(int(i)) == i for i in ids)
    canonical = canonical and all(-(2**63) <= int(i) < 2**63 for i in ids)
    _, out = ingest(folder, _csv(folder, ids))
    assert column(out, "user_id") == ([int(i) for i in ids] if canonical else ids)
    for table in (_jsonl(folder, ids), _parquet(folder / "log.parquet", pa.array(ids, pa.string()))):
        _, out = ingest(folder, table)
        assert column(out, "user_id") == ids  # a string is a string, whatever it holds


@pytest.mark.parametrize(
    "ids",
    [["007", "7"], ["abc", "ABC"], ["é", "e\u0301"], ["用户", "😀"], ["1e2", "100"], ["9007199254740993", "x"]],
)
def test_ids_that_look_similar_stay_distinct(tmp_path: Path, ids: list[str]) -> None:
    _, out = ingest(tmp_path, _csv(tmp_path, ids))
    assert column(out, "user_id") == ids


def test_ids_above_the_exact_floats_stay_exact(tmp_path: Path) -> None:
    ids = [2**53 + 1, 2**63 - 1]
    _, out = ingest(tmp_path, _jsonl(tmp_path, ids))
    assert column(out, "user_id") == ids


def test_unsigned_ids_beyond_int64_become_text(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, _parquet(tmp_path / "log.parquet", pa.array([7, 2**64 - 1], pa.uint64())))
    assert column(out, "user_id") == ["7", "18446744073709551615"]


def test_numbers_and_strings_in_one_json_column_become_text_with_a_note(tmp_path: Path) -> None:
    summary, out = ingest(tmp_path, _jsonl(tmp_path, [7, "8", None, "", 9]))
    assert column(out, "user_id") == ["7", "8", None, None, "9"]
    assert summary["ids"] == {"item_id": "int64", "user_id": "string"}
    assert summary["notes"] == [
        "user_id is text in every table: interactions has values that are no plain integers, such as '\"8\"'"
    ]


def test_part_files_of_different_types_become_text_with_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    _parquet(folder / "1.parquet", pa.array([7, 8], pa.int32()))
    _parquet(folder / "2.parquet", pa.array(["7", "x"], pa.string()))
    summary, out = ingest(tmp_path, TableInput(path=str(folder)))
    assert column(out, "user_id") == ["7", "8", "7", "x"]
    assert len(summary["notes"]) == 1


def test_whole_floats_become_int64_with_a_note_and_others_text(tmp_path: Path) -> None:
    summary, out = ingest(tmp_path, _parquet(tmp_path / "a.parquet", pa.array([1.0, None, float("nan"), 3.0])))
    assert column(out, "user_id") == [1, None, None, 3]
    assert summary["notes"] == ["interactions: user_id was stored as floats, all of them whole; it is int64 now"]
    _, out = ingest(tmp_path, _parquet(tmp_path / "b.parquet", pa.array([1.0, 2.5])))
    assert column(out, "user_id") == ["1", "2.5"]


def test_missing_and_empty_ids_are_null(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, write(tmp_path / "a.csv", 'user_id,item_id,timestamp\n,1,2023-01-01\n"",2,2023-01-01\n'))
    assert column(out, "user_id") == [None, None]
    assert read(out).schema.field("user_id").type == pa.int64()
    _, out = ingest(tmp_path, _parquet(tmp_path / "b.parquet", pa.array(["", None, "a"])))
    assert column(out, "user_id") == [None, None, "a"]


LOG = "user_id,item_id,timestamp\n1,{},2023-01-01\n"


@pytest.mark.parametrize(
    ("interactions", "items", "expected", "notes"),
    [
        ("7", "item_id\n7\n", (7, 7), 0),
        ("7", "item_id\n07\n", ("7", "07"), 1),
        ("a7", "item_id\n7\n", ("a7", "7"), 1),
        ("a7", "item_id\nb\n", ("a7", "b"), 0),
    ],
)
def test_an_id_has_one_type_in_all_tables(
    tmp_path: Path, interactions: str, items: str, expected: tuple[object, object], notes: int
) -> None:
    inputs = Inputs(
        interactions=write(tmp_path / "log.csv", LOG.format(interactions)), items=write(tmp_path / "items.csv", items)
    )
    summary, out = ingest(tmp_path, inputs)
    assert (column(out, "item_id")[0], column(out, "item_id", "items")[0]) == expected
    assert len(summary["notes"]) == notes


def test_the_type_of_the_interactions_wins_where_nothing_is_lost(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": ["7", "8"]}), tmp_path / "items.parquet")
    inputs = Inputs(
        interactions=write(tmp_path / "log.csv", LOG.format(7)), items=TableInput(path=str(tmp_path / "items.parquet"))
    )
    _, out = ingest(tmp_path, inputs)
    assert column(out, "item_id", "items") == [7, 8]


def test_ids_found_to_be_text_late_in_a_large_file_are_text_from_the_start(tmp_path: Path) -> None:
    rows = "".join(f"{n},1,2023-01-01\n" for n in range(300_000))
    _, out = ingest(tmp_path, write(tmp_path / "log.csv", f"user_id,item_id,timestamp\n{rows}0x,1,2023-01-01\n"))
    ids = column(out, "user_id")
    assert (len(ids), ids[0], ids[-1]) == (300_001, "0", "0x")
    assert column(out, "source_row") == list(range(2, 300_003))
