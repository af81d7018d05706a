"""What users did of what their lists had, night by night: exports are gone before an arm has its answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from recmodels.data import layout
from tasks.exposures.joined import DAY, SECOND, type_of
from tasks.exposures.published import as_listed, lists_of
from tasks.store.duckdb import connect, literal, read_parquet, read_parts
from tasks.store.feedback import USED, learned, learned_before
from tasks.store.paths import Night
from tasks.store.publications import Publication, publications

COLUMNS = {
    "user_id": None,  # as the site has it
    "item_id": None,
    "timestamp": "BIGINT",  # µs since 1970 (UTC), of the interaction
    "rank": "SMALLINT",
    "export_id": "VARCHAR",
    "arm": "VARCHAR",
    "policy": "VARCHAR",
}
"""The columns of `used.parquet`, and their types in DuckDB."""


def write_used(night: Night, begin: datetime, cutoff: datetime, keep_days: int, memory: str) -> Path:
    """Write which interactions since the last such file, or since arms began, were with an item of the user's list."""
    before = learned_before(night.store, night.run_date, USED, keep_days)
    since = cutoff - timedelta(days=(night.run_date - max(before)).days) if before else begin
    with learned(night.store, night.run_date, USED) as path, connect(path.parent, memory) as db:
        types = [type_of(night.prepared / layout.USERS, "user_id"), type_of(night.prepared / layout.ITEMS, "item_id")]
        columns = dict(COLUMNS, user_id=types[0], item_id=types[1])
        db.execute(f"CREATE TEMP TABLE used ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
        for one, until in _shown_between(publications(night.store, cutoff), since, cutoff):
            _add(db, night, one, max(one.since, since), until, cutoff)
        db.execute(f"COPY (SELECT * FROM used ORDER BY user_id, timestamp, rank) TO {literal(path)} (FORMAT parquet)")
    return night.store.feedback(night.run_date) / USED


def _shown_between(
    published: list[Publication], since: datetime, until: datetime
) -> list[tuple[Publication, datetime]]:
    """What readers were pointed to between two instants, each with when the next one took its place."""
    ends = [*(one.since for one in published[1:]), until]
    return [(one, end) for one, end in zip(published, ends, strict=True) if end > since]


def _add(
    db: duckdb.DuckDBPyConnection, night: Night, one: Publication, since: datetime, until: datetime, cutoff: datetime
) -> None:
    """Add what users did of their lists in an export while it was the latest, each day and item once.

    Nothing where it is gone or damaged. Days are those that end when the night's do.
    """
    lists = lists_of(night.store, one.export_id)
    if lists is None:
        return
    types = [type_of(night.prepared / layout.USERS, "user_id"), type_of(night.prepared / layout.ITEMS, "item_id")]
    done = (
        f"SELECT user_id, user_index, item_id, epoch_us(timestamp) AS timestamp "
        f"FROM {read_parts(night.valid, 'interactions')} AS log "
        f"JOIN {read_parquet(night.prepared / layout.USERS)} AS users USING (user_id) "
        f"WHERE epoch_us(timestamp) >= {micros(since)} AND epoch_us(timestamp) < {micros(until)}"
    )
    try:
        db.execute(
            f"INSERT INTO used SELECT user_id, item_id, min(timestamp), any_value(published_rank), "
            f"{literal(one.export_id)}, any_value(arm), any_value(policy) "
            f"FROM ({as_listed(db, lists, done)}) JOIN ({lists.sql(*types)}) "
            "ON listed_as = published_user AND item_id = published_item "
            f"GROUP BY user_id, item_id, ({micros(cutoff)} - 1 - timestamp) // {DAY}"
        )
    except (duckdb.IOException, duckdb.InvalidInputException):
        return


def micros(instant: datetime) -> int:
    """An instant as µs since 1970."""
    return round(instant.timestamp() * SECOND)
