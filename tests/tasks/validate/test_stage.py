"""Validation parts the rows that are fit to learn from and those that are not, and says why."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.settings import ValidationSettings
from recmodels.errors import ConfigError, DataRefused
from tasks.validate import rows as row_checks
from tasks.validate.stage import write_valid

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CUTOFF = datetime(2026, 11, 25, tzinfo=UTC)
YESTERDAY = CUTOFF - timedelta(days=1)
STAMP = pa.timestamp("us", tz="UTC")
LENIENT = ValidationSettings(max_quarantined_share=1, min_users=1, min_items=1)


@dataclass
class Night:
    """The folders of a stage, filled with raw tables."""

    root: Path

    def __post_init__(self) -> None:
        for name in ("raw", "valid", "quarantine"):
            (self.root / name).mkdir(exist_ok=True)

    def raw(self, name: str, columns: dict[str, Any]) -> None:
        rows = len(next(iter(columns.values())))
        table = pa.table(columns)
        if name != "rejects":
            table = table.append_column("source_file", pa.array([f"{name}.csv"] * rows, pa.string()))
            table = table.append_column("source_row", pa.array(range(2, rows + 2), pa.int64()))
        pq.write_table(table, self.root / "raw" / f"{name}.parquet")

    def validate(self, rules: ValidationSettings = LENIENT, recent: list[int] | None = None, **more: Any) -> Any:
        raw, valid, quarantine = (self.root / name for name in ("raw", "valid", "quarantine"))
        return write_valid(raw, rules, CUTOFF, NOW, recent or [], valid, quarantine, **more)

    def refusal(self, rules: ValidationSettings = LENIENT, recent: list[int] | None = None, **more: Any) -> str:
        with pytest.raises(DataRefused) as refused:
            self.validate(rules, recent, **more)
        return str(refused.value)

    def read(self, path: str) -> pa.Table:
        return pq.read_table(self.root / f"{path}.parquet")

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    def pages(self) -> str:
        return "".join(path.read_text() for path in sorted(self.docs.glob("*.html")))


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path)


def interactions(**changed: list[Any]) -> dict[str, Any]:
    """Eight good interactions, with columns replaced from the first row on."""
    columns: dict[str, Any] = {
        "user_id": [1, 2, 3, 4, 1, 2, 3, 4],
        "item_id": [10, 20, 30, 40, 20, 30, 40, 10],
        "timestamp": [YESTERDAY - timedelta(hours=hour) for hour in range(8)],
        "rating": [3.0] * 8,
        "event": ["view"] * 8,
        "timestamp_text": [None] * 8,
        "rating_text": [None] * 8,
    }
    types = {"timestamp": STAMP, "rating": pa.float64()}
    filled = {name: changed[name] + values[len(changed[name]) :] for name, values in columns.items() if name in changed}
    return {
        name: pa.array(values, types.get(name, pa.string() if isinstance(values[-1], str | None) else pa.int64()))
        for name, values in {**columns, **filled}.items()
    }


CATALOGUE = {"item_id": pa.array([10, 20, 30, 40])}
KNOWN = LENIENT.model_copy(update={"require_known_items": True})
RATED = LENIENT.model_copy(update={"rating_min": 0.5, "rating_max": 5.0})


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
        ({"event": [None]}, LENIENT, "ExpectColumnValuesToNotBeNull: event is missing"),
        ({"event": [" "]}, LENIENT, "ExpectColumnValuesToNotBeNull: event is missing"),
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


@pytest.mark.parametrize("partition", [1, 2, 100])
@pytest.mark.parametrize("table", ["items", "users"])
def test_the_first_of_several_rows_with_one_id_is_kept(
    night: Night, monkeypatch: pytest.MonkeyPatch, table: str, partition: int
) -> None:
    key = f"{table[:-1]}_id"
    night.raw("interactions", interactions())
    night.raw(table, {key: pa.array([10, 20, 10, 30, None, 10, 20, 40, None]), "nth": pa.array(range(9))})
    monkeypatch.setattr(row_checks, "PARTITION", partition)
    night.validate()
    assert night.read(f"valid/{table}")["nth"].to_pylist() == [0, 1, 3, 7]
    copy = f"ExpectColumnValuesToBeBetween: {key} stands in an earlier row already"
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


def test_lines_that_are_no_rows_are_kept_and_count_as_refused(night: Night) -> None:
    night.raw("interactions", interactions())
    reject = {"source_file": ["ratings.csv"], "source_row": [5], "reason": ["2 fields where 4 are"], "text": ["1,2"]}
    night.raw("rejects", {"table": ["interactions"], **reject})
    summary = night.validate(ValidationSettings(max_quarantined_share=0.2))
    counts = summary["tables"]["interactions"]
    assert (counts["rows_in"], counts["rows"], counts["rejects"], counts["share"]) == (8, 8, 1, 1 / 9)
    assert night.read("quarantine/rejects").equals(night.read("raw/rejects"))
    message = night.refusal(ValidationSettings(max_quarantined_share=0.1))
    assert "1 because the line is no row (2 fields where 4 are; for example '1,2', first at ratings.csv:5)" in message


def test_too_large_a_share_of_refused_rows_stops_the_night_after_the_quarantine_is_written(night: Night) -> None:
    night.raw("interactions", interactions(timestamp=[None] * 5, timestamp_text=["a", "a", "b", "c", "d"]))
    assert night.refusal(ValidationSettings(max_quarantined_share=0.5), docs_out=night.docs) == (
        "5 of 8 rows (62.5%) of the table interactions are refused and in quarantine: 5 because timestamp is missing "
        "or could not be read (ExpectColumnValuesToNotBeNull on timestamp; for example 'a', 'b', 'c', first at "
        "interactions.csv:2) (ExpectColumnMaxToBeBetween on reason: quarantined_share is 0.625); fix the input, or "
        "raise validation.max_quarantined_share."
    )
    assert night.read("quarantine/interactions").num_rows == 5
    assert "interactions-table failed" in night.pages()


def test_a_share_of_refused_rows_at_the_limit_is_allowed(night: Night) -> None:
    night.raw("interactions", interactions(user_id=[None, None]))
    assert night.validate(ValidationSettings(max_quarantined_share=0.25))["quarantined"] == 2


@pytest.mark.parametrize("column", ["user_id", "item_id", "timestamp"])
def test_a_needed_column_that_is_all_null_stops_the_night(night: Night, column: str) -> None:
    night.raw(
        "interactions",
        interactions(**{column: [None] * 8}) | ({column: pa.nulls(8, STAMP if column == "timestamp" else pa.int64())}),
    )
    message = night.refusal(ValidationSettings())
    assert f"ExpectColumnValuesToNotBeNull on {column}; for example nothing, first at interactions.csv:2" in message


def test_a_rating_column_without_a_rating_is_only_noted(night: Night) -> None:
    night.raw("interactions", interactions(rating=[None] * 8))
    assert night.validate()["notes"] == [
        "no interaction has a rating, so the column rating is of no use: check its mapping"
    ]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (0, "has no rows before the cutoff 2026-11-25 (ExpectColumnMaxToBeBetween on rows: rows is 0); check that"),
        (1234, "(1,234 are at or after it) (ExpectColumnMaxToBeBetween on rows: rows is 0); pass a later --date"),
    ],
)
def test_an_empty_table_stops_the_night(night: Night, after: int, says: str) -> None:
    night.raw("interactions", {name: column.slice(0, 0) for name, column in interactions().items()})
    message = night.refusal(after_cutoff=after)
    assert message.startswith("The table interactions has no rows")
    assert says in message


@pytest.mark.parametrize("table", ["items", "users"])
def test_an_empty_side_table_stops_the_night(night: Night, table: str) -> None:
    night.raw("interactions", interactions())
    night.raw(table, {f"{table[:-1]}_id": pa.array([], pa.int64())})
    assert night.refusal().startswith(f"The table {table} has no rows (ExpectColumnMaxToBeBetween on rows: rows is 0)")


@pytest.mark.parametrize(
    ("changed", "rules", "recent", "words"),
    [
        (
            {"timestamp": [datetime(2018, 9, 24, 5, 27, tzinfo=UTC)] * 8},
            ValidationSettings(),
            [],
            "The newest interaction is of 2018-09-24, 2,984 days before the cutoff 2026-11-25, where at most 7 are "
            "allowed (ExpectColumnMaxToBeBetween on timestamp: newest_age_days is 2,984); pass --date 2018-09-25, or "
            "raise validation.max_staleness_days.",
        ),
        (
            {"user_id": [1] * 8},
            ValidationSettings(),
            [],
            "The interactions have 1 different user_id where at least 2 are needed "
            "(ExpectColumnMaxToBeBetween on user_id: users is 1); check the mapping of user_id.",
        ),
        (
            {"item_id": [10] * 8},
            ValidationSettings(),
            [],
            "The interactions have 1 different item_id where at least 2 are needed "
            "(ExpectColumnMaxToBeBetween on item_id: items is 1); check the mapping of item_id.",
        ),
        (
            {"item_id": [10, 51, 52, 51, 53, 54]},
            ValidationSettings(),
            [],
            "5 of 8 interactions are with items that the items table does not have ('51', '52', '53', first at "
            "interactions.csv:3), and a share of 50% must be known (ExpectColumnMaxToBeBetween on item_id: "
            "known_items_share is 0.375); check that both tables mean the same ids, or lower "
            "validation.min_known_items_share.",
        ),
        (
            {},
            ValidationSettings(),
            [16, 17, 18],
            "There are 8 interactions where recent nights had 17 (median), a difference of more than 50% "
            "(ExpectColumnMaxToBeBetween on rows: rows_to_recent is 0.4706); check that the input is complete, or "
            "raise validation.volume_tolerance.",
        ),
        ({}, ValidationSettings(), [5, 5], "where recent nights had 5 (median)"),
    ],
)
def test_a_broken_rule_of_the_table_stops_the_night_with_a_sentence(
    night: Night, changed: dict[str, list[Any]], rules: ValidationSettings, recent: list[int], words: str
) -> None:
    night.raw("interactions", interactions(**changed))
    night.raw("items", CATALOGUE)
    assert words in night.refusal(rules, recent)


@pytest.mark.parametrize("recent", [[8], [6, 8, 12], [16], []])
def test_a_volume_near_that_of_recent_nights_is_good(night: Night, recent: list[int]) -> None:
    night.raw("interactions", interactions())
    summary = night.validate(ValidationSettings(), recent)
    assert (summary["rows"], summary["users"], summary["items"]) == (8, 4, 4)


def test_rules_that_are_turned_off_stop_nothing(night: Night) -> None:
    night.raw("interactions", interactions(timestamp=[datetime(2018, 9, 24, tzinfo=UTC)] * 8))
    night.validate(ValidationSettings(max_staleness_days=None, volume_tolerance=None), [1])


def test_the_earliest_day_can_be_moved(night: Night) -> None:
    night.raw("interactions", interactions(timestamp=[datetime(1975, 1, 1, tzinfo=UTC)]))
    assert night.validate(LENIENT.model_copy(update={"earliest": date(1970, 1, 1)}))["quarantined"] == 0


def test_a_broken_catalogue_is_named_before_what_it_breaks(night: Night) -> None:
    night.raw("interactions", interactions())
    night.raw("items", {"item_id": pa.array([10, 10, 10])})
    message = night.refusal(ValidationSettings())
    assert message.startswith("2 of 3 rows (66.7%) of the table items are refused")
    assert message.endswith("Broken too: known_items_share.")


def test_known_items_cannot_be_required_without_a_catalogue(night: Night) -> None:
    night.raw("interactions", interactions())
    with pytest.raises(ConfigError, match="require_known_items is on, but there is no items table"):
        night.validate(KNOWN)


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("user_id", None, "The table interactions has no column user_id (ExpectColumnToExist): map one of its"),
        ("timestamp", pa.array(range(8)), "is of type int64, not a timestamp with a zone"),
        ("item_id", pa.array([0.5] * 8), "is of type double, not an integer or a text"),
        ("rating", pa.array(["3"] * 8), "is of type string, not a number"),
        ("event", pa.array([1] * 8), "is of type int64, not a text"),
    ],
)
def test_a_column_that_is_missing_or_of_the_wrong_type_is_refused(
    night: Night, column: str, values: pa.Array | None, words: str
) -> None:
    columns = interactions() | {column: values}
    night.raw("interactions", {name: values for name, values in columns.items() if values is not None})
    assert words in night.refusal()


def test_data_docs_have_counts_and_no_values(night: Night) -> None:
    secret = interactions(timestamp=[None], timestamp_text=["s3cret"]) | {
        "user_id": pa.array(["s3cret", "s3cret2", None, "x", "x", "x", "x", "x"])
    }
    night.raw("interactions", secret)
    night.raw("items", {"item_id": pa.array([10, 20, 20, 999_777])})
    night.validate(docs_out=night.docs)
    docs = night.pages()
    assert "1 unexpected values found. 12.5% of 8 total rows." in docs
    assert "quarantined_share" in docs
    assert "s3cret" not in docs
    assert "999777" not in docs
    assert "http" not in docs  # nothing is loaded from anywhere
    names = {path.name for path in night.docs.iterdir()}
    tables = {f"{table}-{kind}.html" for table in ("interactions", "items") for kind in ("rows", "table")}
    assert names == {"index.html", *tables}


def test_data_docs_are_the_same_bytes_when_the_night_is_run_again(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        night = Night(tmp_path / name)
        night.raw("interactions", interactions(user_id=[None]))
        night.validate(docs_out=night.docs)
        written.append(night.pages())
    assert written[0] == written[1]


def test_a_second_try_replaces_what_the_first_left_and_spares_the_raw_files(night: Night) -> None:
    night.raw("interactions", interactions())
    night.validate()
    before = (night.root / "raw/interactions.parquet").read_bytes()
    assert "no rows" in night.refusal(LENIENT.model_copy(update={"rating_max": 2.0}))
    assert (night.root / "raw/interactions.parquet").read_bytes() == before
    assert night.read("quarantine/interactions").num_rows == 8
    night.validate()
    assert not list((night.root / "quarantine").iterdir())


def test_nothing_but_tables_is_left_in_the_folders(night: Night) -> None:
    night.raw("interactions", interactions(user_id=[None]))
    night.validate()
    assert [path.name for path in (night.root / "valid").iterdir()] == ["interactions.parquet"]
    assert [path.name for path in (night.root / "quarantine").iterdir()] == ["interactions.parquet"]


def test_great_expectations_is_not_imported_until_it_is_needed_and_sends_nothing() -> None:
    program = (
        "import os, sys, tasks.validate.stage, expectations.exports; assert 'great_expectations' not in sys.modules; "
        "from expectations.runner import great_expectations; great_expectations(); "
        "assert os.environ['GX_ANALYTICS_ENABLED'] == 'false'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])
