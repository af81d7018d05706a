"""The numbers that table rules judge, counted by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from expectations.settings import ValidationSettings
from tasks.store.duckdb import connect
from tasks.validate import profiles

CUTOFF = datetime(2026, 3, 1, tzinfo=UTC)


def test_interactions_are_counted_dated_and_looked_up_in_the_catalogue(tmp_path: Path) -> None:
    days = [CUTOFF - timedelta(days=age) for age in (5, 4, 3, 2)]
    table = {"user_id": [1, 1, 2, 3], "item_id": [7, 8, 7, 9], "timestamp": days, "rating": [None, 4.0, None, 5.0]}
    rows = {"source_file": ["log.csv"] * 4, "source_row": [2, 3, 4, 5]}
    pq.write_table(pa.table(table | rows), tmp_path / "interactions.parquet")
    pq.write_table(pa.table({"item_id": [7, 10]}), tmp_path / "items.parquet")
    with connect(tmp_path) as db:
        profile = profiles.of_interactions(db, tmp_path, ValidationSettings(min_known_items_share=0.6), CUTOFF)
    assert profile == {
        "users": 3,
        "items": 3,
        "oldest": days[0],
        "newest": days[3],
        "newest_age_days": 2.0,
        "ratings": 2,
        "unknown_rows": 2,
        "known_items_share": 0.5,
        "unknown_examples": "'8', '9', first at log.csv:3",
    }


def test_without_rows_or_catalogue_there_is_nothing_to_date_or_look_up(tmp_path: Path) -> None:
    empty = pa.schema({"user_id": pa.int64(), "item_id": pa.int64(), "timestamp": pa.timestamp("us", "UTC")})
    pq.write_table(empty.empty_table(), tmp_path / "interactions.parquet")
    with connect(tmp_path) as db:
        profile = profiles.of_interactions(db, tmp_path, ValidationSettings(), CUTOFF)
    assert profile == {"users": 0, "items": 0}


def test_titles_are_counted_where_there_are_titles(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": [1, 2, 3], "title": ["a", None, "c"]}), tmp_path / "titled.parquet")
    pq.write_table(pa.table({"item_id": [1]}), tmp_path / "plain.parquet")
    with connect(tmp_path) as db:
        assert profiles.of_items(db, tmp_path / "titled.parquet") == {"titles": 2}
        assert profiles.of_items(db, tmp_path / "plain.parquet") == {}


def test_the_overview_is_what_the_summary_gives_in_json() -> None:
    profile = {"rows": 4, "users": 3, "newest": CUTOFF, "refusals": ""}
    assert profiles.overview(profile) == {"rows": 4, "users": 3, "newest": "2026-03-01T00:00:00+00:00"}
