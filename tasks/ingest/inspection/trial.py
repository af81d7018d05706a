"""A trial: the tables are read as a night would read them, and counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from tasks.ingest.inspection.findings import Events, Kind, Refusal, Times
from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.duckdb import literal, read_parquet, read_parts
from tasks.store.parts import parts
from tasks.store.summaries import RawSummary

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""A cutoff that leaves nothing out: which date makes sense is not known before the times are."""
_TRIES = 8
_KINDS = 12


@dataclass
class Trial:
    """What came of it. `summary`: None where the interactions could not be read."""

    tables: dict[str, TableInput]
    summary: RawSummary | None = None
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(tables: Mapping[str, TableInput], out: Path, now: datetime) -> Trial:
    """Read tables into `out`; what is refused is put right where one setting does, or left out if it may be."""
    trial = Trial(dict(tables))
    for _ in range(_TRIES):
        if "interactions" not in trial.tables:
            break
        try:
            trial.summary = write_raw(Inputs(**trial.tables), NEVER, now, out)
        except DataRefused as error:
            name = _about(str(error), trial)
            if remedied := _remedied(trial.tables[name], str(error), out, now):
                trial.tables[name], note = remedied
                trial.notes.append(f"{name}: {note}")
                continue
            trial.refusals.append(Refusal(name, str(error), stops=name == "interactions"))
            del trial.tables[name]
        else:
            break
    return trial


def _about(sentence: str, trial: Trial) -> str:
    """The table that a refusal is about, by the name or the path that it begins with."""
    for name, table in trial.tables.items():
        if sentence.startswith((f"{name}:", table.path)):
            return name
    return "interactions"


def _remedied(table: TableInput, sentence: str, out: Path, now: datetime) -> tuple[TableInput, str] | None:
    """The table with a setting that a refusal asks for, where only one is possible."""
    if "explode = true" in sentence and not table.explode:
        return table.model_copy(update={"explode": True}), "item_id has lists; each item of one becomes an event"
    if "timestamp_format = " not in sentence or table.model_dump().get("timestamp_format"):
        return None
    formats = re.findall(r'"([^"]*%[^"]*)"', sentence.split("timestamp_format = ")[1])
    fits = [one for one in formats if _reads(table.model_copy(update={"timestamp_format": one}), out, now)]
    if len(fits) != 1:
        return None
    return table.model_copy(update={"timestamp_format": fits[0]}), f"times are read as {fits[0]}, which fits all"


def _reads(table: TableInput, out: Path, now: datetime) -> bool:
    try:
        return not write_raw(Inputs(interactions=table), NEVER, now, out)["unreadable_timestamps"]
    except DataRefused:
        return False


def newest(db: duckdb.DuckDBPyConnection, raw: Path, now: datetime) -> datetime | None:
    """The time of the newest interaction that is not in the future; of the newest of all if there is none."""
    rows = read_parts(raw, "interactions")
    latest = literal((now + timedelta(days=1)).isoformat())
    micros = _one(
        db,
        f"SELECT coalesce(max(epoch_us(timestamp)) FILTER (WHERE timestamp <= {latest}::TIMESTAMPTZ), "
        f"max(epoch_us(timestamp))) FROM {rows}",
    )[0]
    return None if micros is None else _instant(micros)


def events(db: duckdb.DuckDBPyConnection, raw: Path, cutoff: datetime, written: str, zone: str) -> Events:
    """What the interactions before the cutoff hold."""
    columns = pq.read_schema(parts(raw, "interactions")[0]).names
    before = f"(FROM {read_parts(raw, 'interactions')} WHERE timestamp < {literal(cutoff.isoformat())}::TIMESTAMPTZ)"
    rows, users, items, oldest, last, distinct = _one(
        db,
        "SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id), min(epoch_us(timestamp)), "
        f"max(epoch_us(timestamp)), count(DISTINCT hash(user_id, item_id, timestamp)) FROM {before}",
    )
    kinds: dict[str, Kind] = {}
    if "event" in columns:
        found = db.execute(
            f"SELECT coalesce(event, ''), count(*) AS n, count(DISTINCT user_id), count(DISTINCT item_id) "
            f"FROM {before} GROUP BY 1 ORDER BY n DESC LIMIT {_KINDS}"
        ).fetchall()
        kinds = {kind: Kind(*numbers) for kind, *numbers in found}
    known = None
    if (catalogue := raw / "items.parquet").exists() and rows:
        inside = f"item_id IN (SELECT item_id FROM {read_parquet(catalogue)})"
        known = _one(db, f"SELECT count(*) FILTER (WHERE {inside}) / count(*) FROM {before}")[0]
    times = None
    if oldest is not None:
        times = Times(_instant(oldest).isoformat(), _instant(last).isoformat(), written, zone)
    return Events(rows, users, items, rows - distinct, kinds, times, known)


def _instant(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _one(db: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = db.execute(query).fetchone()
    assert row is not None, query
    return row
