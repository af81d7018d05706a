"""Write the demo site: a media shop with three months of history, generated, the same for the same seed."""

import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from recmodels.data.arrays import Longs
from recmodels.data.times import SECONDS_PER_DAY
from recmodels.demo.behaviour import EVENTS, Events, simulate
from recmodels.demo.catalogue import Audience, Calendar, Catalogue, make_audience, make_catalogue
from recmodels.errors import ConfigError

Format = Literal["parquet", "csv"]

_FAULTS = ("null_user", "null_item", "null_timestamp", "future", "unknown_item", "duplicate")
_ROWS_A_FAULT = 2_000  # one dirty row of each kind for so many good ones
_FUTURE_DAYS = 36_525  # a century: later than the real now, whatever `end` is
_TIMESTAMP = pa.timestamp("us", "UTC")


def write_site(
    folder: Path,
    *,
    users: int = 8_000,
    items: int = 2_000,
    interactions: int = 250_000,
    days: int = 90,
    end: date,
    seed: int = 0,
    dirty: bool = True,
    format: Format = "parquet",  # noqa: A002 (the word a reader looks for)
) -> dict[str, Any]:
    """Write `interactions`, `items` and `users` (`.parquet` or `.csv`) into `folder`, made if missing.

    interactions: user_id string, item_id int64, timestamp (UTC, whole seconds), event view|cart|purchase;
        in order of time, all in [end - days, end), the last day included.
    items: item_id int64, title, description, category (the taste cluster), tags list of strings, kind, price,
        released date, available.
    users: user_id string, country, age_band (may be null), joined date, opted_out.

    `users`, `items` and `interactions` count good rows. With `dirty`, faulty rows (well under 1 %) are put
    among them and change nothing else: null ids and timestamps, times a century ahead, unknown items, repeated
    rows. In CSV, tags are joined by "|" and an unreadable timestamp says "yesterday".

    Returns {"files": {table: file name}, "rows": {table: rows, dirty ones included},
    "dirty": {table: {fault: rows}}, "dirty_rows": their sum}. The same arguments give the same bytes;
    each file is replaced whole, and none before all are written.

    Raises ConfigError for a number that is too small, dates out of range, an unknown format or a folder that
    cannot be written.
    """
    calendar = _check(users, items, interactions, days, end, seed, format)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    catalogue = make_catalogue(items, calendar, streams[0])
    audience = make_audience(users, calendar, catalogue, streams[1])
    log = simulate(interactions, calendar, catalogue, audience, streams[2])
    spoiled = _spoiled(interactions, dirty, streams[3])
    tables = {
        "interactions": _spoil_log(log, spoiled, calendar, catalogue, audience),
        "items": iter([_spoil_table(catalogue.table, "item_id", dirty)]),
        "users": iter([_spoil_table(audience.table, "user_id", dirty)]),
    }
    files = {name: folder / f"{name}.{format}" for name in tables}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = _write(files, tables, format)
    except OSError as error:
        raise ConfigError(f"Cannot write the demo site into {folder}: {error.strerror or error}.") from error
    dirt = {
        "interactions": dict.fromkeys(_FAULTS, _rows_of_each_fault(interactions, dirty)),
        "items": dict.fromkeys(("null_item", "duplicate"), _rows_of_each_fault(items, dirty)),
        "users": dict.fromkeys(("null_user", "duplicate"), _rows_of_each_fault(users, dirty)),
    }
    return {
        "files": {name: path.name for name, path in files.items()},
        "rows": rows,
        "dirty": dirt,
        "dirty_rows": sum(sum(faults.values()) for faults in dirt.values()),
    }


def _check(users: int, items: int, interactions: int, days: int, end: date, seed: int, format_: str) -> Calendar:
    """Refuse what cannot be a site."""
    at_least = {"users": (users, 1), "items": (items, 1), "interactions": (interactions, 1)}
    at_least |= {"days": (days, 1), "seed": (seed, 0)}
    for name, (value, minimum) in at_least.items():
        if value < minimum:
            raise ConfigError(f"The demo site needs {name} of at least {minimum}, got {value}.")
    if format_ not in ("parquet", "csv"):
        raise ConfigError(f"The demo site is written as parquet or csv, not as {format_!r}.")
    if not date(1971, 1, 1) <= end <= date(2150, 1, 1) or days > (end - date(1970, 1, 1)).days:
        raise ConfigError(
            f"The demo site's days must lie between 1970 and 2150, got {days} days before {end}: "
            "choose another end or fewer days."
        )
    return Calendar(end - timedelta(days=days), days)


def _rows_of_each_fault(good_rows: int, dirty: bool) -> int:
    return good_rows // _ROWS_A_FAULT if dirty else 0


def _spoiled(good_rows: int, dirty: bool, rng: np.random.Generator) -> tuple[Longs, Longs]:
    """Which good rows are followed by a spoiled copy, ascending, and its fault as an index into _FAULTS."""
    fault = rng.permutation(np.repeat(np.arange(len(_FAULTS)), _rows_of_each_fault(good_rows, dirty)))
    return np.sort(rng.integers(good_rows, size=fault.size)), fault


def _spoil_log(
    log: Iterator[Events],
    spoiled: tuple[Longs, Longs],
    calendar: Calendar,
    catalogue: Catalogue,
    audience: Audience,
) -> Iterator[pa.Table]:
    """The log as tables, a week each, with the spoiled copies put in."""
    start = np.datetime64(calendar.start, "us").astype(np.int64)
    user_id, event = audience.table["user_id"].combine_chunks(), pa.array(EVENTS)
    done = 0
    for week in log:
        n = week.user.size
        a, b = np.searchsorted(spoiled[0], [done, done + n])
        position = spoiled[0][a:b] - done
        row = np.insert(np.arange(n), position + 1, position)
        fault = np.insert(np.full(n, -1), position + 1, spoiled[1][a:b])
        done += n
        has = {name: fault == i for i, name in enumerate(_FAULTS)}  # [rows] each

        item_id = catalogue.item_id[week.item[row]]
        item_id[has["unknown_item"]] += 10 * catalogue.item_id.size
        seconds = week.seconds[row]
        seconds[has["future"]] += _FUTURE_DAYS * SECONDS_PER_DAY
        yield pa.table(
            {
                "user_id": user_id.take(pa.array(week.user[row], mask=has["null_user"])),
                "item_id": pa.array(item_id, mask=has["null_item"]),
                "timestamp": pa.array(start + seconds * 1_000_000, _TIMESTAMP, mask=has["null_timestamp"]),
                "event": event.take(pa.array(week.event[row])),
            }
        )


def _spoil_table(table: pa.Table, key: str, dirty: bool) -> pa.Table:
    """The table and, at its end, a few of its rows again: first without their key, then as they are."""
    faults = _rows_of_each_fault(table.num_rows, dirty)
    again = table.take(np.arange(faults) * _ROWS_A_FAULT)
    keyless = again.set_column(0, key, pa.nulls(faults, table.schema.field(key).type))
    return pa.concat_tables([table, keyless, again])


def _write(files: dict[str, Path], tables: dict[str, Iterator[pa.Table]], format_: Format) -> dict[str, int]:
    """Write every table beside its place, then move them all in. Returns the rows of each."""
    partial = {name: path.with_name(f".{path.name}.partial") for name, path in files.items()}
    rows = dict.fromkeys(files, 0)
    try:
        for name, batches in tables.items():
            with partial[name].open("wb") as sink:
                writer: Any = None
                for batch in batches:
                    table = _as_text(batch) if format_ == "csv" else batch
                    if format_ == "csv":
                        writer = writer or pyarrow.csv.CSVWriter(sink, table.schema)
                    else:
                        writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd")
                    writer.write_table(table)
                    rows[name] += table.num_rows
                writer.close()
                os.fsync(sink.fileno())
        for name, path in files.items():
            partial[name].replace(path)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
    return rows


def _as_text(table: pa.Table) -> pa.Table:
    """Lists joined by "|", times to the second, and a word where a time should be."""
    for i, field in enumerate(table.schema):
        column = table[i]
        if pa.types.is_list(field.type):
            table = table.set_column(i, field.name, pc.binary_join(column, "|"))
        elif pa.types.is_timestamp(field.type):
            text = column.cast(pa.timestamp("s", "UTC")).cast(pa.string())
            table = table.set_column(i, field.name, text.fill_null("yesterday"))
    return table
