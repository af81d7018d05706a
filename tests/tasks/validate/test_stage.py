"""Validation stops a night whose tables are not what they should be, and says why; Data Docs have no values."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from expectations.settings import ValidationSettings
from recmodels.errors import ConfigError
from tests.tasks.validated import CATALOGUE, KNOWN, LENIENT, STAMP, Night, interactions


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


def test_tables_that_have_gone_away_with_their_disk_are_no_fault_of_the_data(night: Night) -> None:
    with pytest.raises(FileNotFoundError, match=r"raw/interactions.parquet"):
        night.validate()


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
    night.raw("items", {"item_id": pa.array([10, None, None])})
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


def test_great_expectations_is_not_imported_until_it_is_needed_and_sends_nothing(tmp_path: Path) -> None:
    """In a process of its own, with a stand-in that looks at its environment while it is imported.

    That the stages leave it alone, too, is for `test_what_must_be_light_is_light`.
    """
    (tmp_path / "great_expectations.py").write_text(
        "import os, altair; from scipy import stats\n"
        "try: import sqlalchemy\nexcept ImportError: pass\n"
        "assert os.environ['GX_ANALYTICS_ENABLED'] == 'false', os.environ"
    )
    program = (
        "import os, sys, expectations.exports; assert 'great_expectations' not in sys.modules; "
        f"sys.path.insert(0, {str(tmp_path)!r}); from expectations.runner import great_expectations; "
        f"assert great_expectations().__file__.startswith({str(tmp_path)!r}); "
        "assert not {'altair', 'scipy.stats', 'sqlalchemy'} & set(sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "GX_ANALYTICS_ENABLED"}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3], env=environment)


def test_rows_that_another_of_their_id_supersedes_are_no_reason_to_stop(night: Night) -> None:
    night.raw("interactions", interactions())
    night.raw("users", {"user_id": [None, *[1, 2, 3] * 9, 4, 5]})
    summary = night.validate(ValidationSettings(max_quarantined_share=0.17))
    counts = summary["tables"]["users"]
    assert (counts["rows"], counts["refused"], counts["superseded"], counts["share"]) == (5, 1, 24, 1 / 6)
    assert summary["quarantined"] == 25
    assert (
        "users: 24 rows are superseded: an earlier row of the same id is kept; in a log of changes, write the newest "
        "first"
    ) in summary["notes"]
    message = night.refusal(ValidationSettings(max_quarantined_share=0.1))
    assert message.startswith("1 of 6 rows (16.7%) of the table users are refused and in quarantine: 1 because user_id")
