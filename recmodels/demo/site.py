"""Write the demo site: a media shop with three months of history, generated, the same for the same seed."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Longs
from recmodels.data.times import SECONDS_PER_DAY
from recmodels.demo import dirt, refused
from recmodels.demo.behaviour import EVENTS, Events, simulate
from recmodels.demo.catalogue import Audience, Calendar, Catalogue, make_audience, make_catalogue
from recmodels.demo.files import Format, cut, parts_of, remove_other_parts, write_tables
from recmodels.errors import ConfigError

Dirty = Literal["none", "light", "heavy"]

_FAULTS = ("null_user", "null_item", "null_timestamp", "future", "unknown_item", "duplicate")
_ROWS_A_FAULT = 2_000  # one dirty row of each kind for so many good ones
_FUTURE_DAYS = 36_525  # a century: later than the real now, whatever `end` is
_TIMESTAMP = pa.timestamp("us", "UTC")
MADE_FROM = b"nightrec.demo"
"""In the metadata of `users.parquet`: what the site was made from, by which `recmodels.demo.days` makes it go on."""


@dataclass(frozen=True)
class Site:
    """What the tables of a site follow from, besides dirt and format."""

    users: int
    items: int
    interactions: int
    days: int
    end: str
    seed: int

    @property
    def calendar(self) -> Calendar:
        return Calendar(date.fromisoformat(self.end) - timedelta(days=self.days), self.days)

    @property
    def metadata(self) -> dict[bytes, bytes]:
        """Says so in a Parquet file."""
        return {MADE_FROM: json.dumps(asdict(self)).encode()}


def streams_of(seed: int) -> list[np.random.Generator]:
    """Random numbers for the catalogue, the audience, the log, which rows are spoiled, and how."""
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(5)]


def write_site(
    folder: Path,
    *,
    users: int = 8_000,
    items: int = 2_000,
    interactions: int = 250_000,
    days: int = 90,
    end: date,
    seed: int = 0,
    dirty: Dirty = "light",
    format: Format = "parquet",  # noqa: A002 (the word a reader looks for)
    files: int = 1,
) -> dict[str, Any]:
    """Write `interactions`, `items` and `users` (`.parquet` or `.csv`) into `folder`, made if missing.

    interactions: user_id string, item_id int64, timestamp (UTC, whole seconds), event view|cart|purchase;
        in order of time, all in [end - days, end), the last day included.
    items: item_id int64, title, description, category (the taste cluster), tags list of strings, kind, price,
        released date, available.
    users: user_id string, country, age_band (may be null), joined date, opted_out.

    `users`, `items` and `interactions` count good rows. If `dirty` is "light", faulty rows (well under 1 %) are put
    among them and change nothing else: null ids and timestamps, times a century ahead, unknown items, repeated
    rows. In CSV, tags are joined by "|" and an unreadable timestamp says "yesterday".

    With `files` above 1 the interactions are `interactions-001` and so on: the same rows, nearly equally many a file.
    Those of an earlier site in `folder`, in more or fewer files, are removed.

    "heavy" writes the same rows as files lie on real disks, into a folder for each table: of many formats, encodings
    and forms, with lines that are no rows; some users opt out in a second row, a few ids have blanks or capitals, and
    those of some items have leading zeros. `format` then says nothing. Beside them are `nightrec.toml`, which names
    the tables, `refused/` with small logs that must be refused, and `dirt.json`, which says of every file what a
    reader must find in it (the fields of `dirt.File`).

    Returns {"files": {table: file, folder or pattern of files}, "rows": {table: rows, dirty ones included},
    "dirty": {table: {fault: rows}}, "dirty_rows": their sum}, and "written": a list of `dirt.File` if "heavy". The
    same arguments give the same bytes; each file is replaced whole, and none before all are written.

    Raises ConfigError for a number that is too small, dates out of range, an unknown format or a folder that
    cannot be written.
    """
    calendar = _check(users, items, interactions, days, end, seed, format, dirty, files)
    streams = streams_of(seed)
    catalogue = make_catalogue(items, calendar, streams[0])
    audience = make_audience(users, calendar, catalogue, streams[1])
    log = simulate(interactions, calendar, catalogue, audience, streams[2])
    is_dirty = dirty != "none"
    made_from = Site(users, items, interactions, days, str(end), seed).metadata
    spoiled = _spoiled(interactions, is_dirty, streams[3])
    tables = {
        "interactions": _spoil_log(log, spoiled, calendar, catalogue, audience),
        "items": iter([_spoil_table(catalogue.table, "item_id", is_dirty)]),
        "users": iter([_spoil_table(audience.table, "user_id", is_dirty).replace_schema_metadata(made_from)]),
    }
    names = {name: name if dirty == "heavy" else f"{name}.{format}" for name in tables}
    written: list[dirt.File] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if dirty == "heavy":
            written = _write_heavy(
                folder, {name: pa.concat_tables(batches) for name, batches in tables.items()}, streams[4]
            )
            rows = {name: sum(file.rows for file in written if file.table == name) for name in tables}
        else:
            n_rows = interactions + len(_FAULTS) * _rows_of_each_fault(interactions, is_dirty)
            rows = _write_plain(folder, tables, parts_of("interactions", n_rows, files), format)
            if files > 1:
                names["interactions"] = f"interactions-*.{format}"
    except OSError as error:
        raise ConfigError(f"Cannot write the demo site into {folder}: {error.strerror or error}.") from error
    faults = {
        "interactions": dict.fromkeys(_FAULTS, _rows_of_each_fault(interactions, is_dirty)),
        "items": dict.fromkeys(("null_item", "duplicate"), _rows_of_each_fault(items, is_dirty)),
        "users": dict.fromkeys(("null_user", "duplicate"), _rows_of_each_fault(users, is_dirty)),
    }
    return {
        "files": names,
        "rows": rows,
        "dirty": faults,
        "dirty_rows": sum(sum(of_table.values()) for of_table in faults.values()),
        **({"written": written} if written else {}),
    }


def _check(
    users: int,
    items: int,
    interactions: int,
    days: int,
    end: date,
    seed: int,
    format_: str,
    dirty: str,
    files: int,
) -> Calendar:
    """Refuse what cannot be a site."""
    at_least = {"users": (users, 1), "items": (items, 1), "interactions": (interactions, 1)}
    at_least |= {"days": (days, 1), "seed": (seed, 0), "files": (files, 1)}
    for name, (value, minimum) in at_least.items():
        if value < minimum:
            raise ConfigError(f"The demo site needs {name} of at least {minimum}, got {value}.")
    if format_ not in ("parquet", "csv"):
        raise ConfigError(f"The demo site is written as parquet or csv, not as {format_!r}.")
    if dirty not in get_args(Dirty):
        raise ConfigError(f"The demo site is dirty to the degree of none, light or heavy, not {dirty!r}.")
    if files > (1 if dirty == "heavy" else interactions):
        limit = "heavy dirt has files of its own" if dirty == "heavy" else f"there are {interactions} interactions"
        raise ConfigError(f"The demo site's interactions cannot be {files} files: {limit}.")
    if not date(1971, 1, 1) <= end <= date(2150, 1, 1) or days > (end - date(1970, 1, 1)).days:
        raise ConfigError(
            f"The demo site's days must lie between 1970 and 2150, got {days} days before {end}: "
            "choose another end or fewer days."
        )
    return Site(users, items, interactions, days, str(end), seed).calendar


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


def _write_plain(
    folder: Path, tables: dict[str, Iterator[pa.Table]], parts: dict[str, int], format_: Format
) -> dict[str, int]:
    """Write a file for each table, and for each part of the interactions. Returns the rows of each table."""
    batches = cut(tables.pop("interactions"), parts) | tables
    rows = write_tables({name: folder / f"{name}.{format_}" for name in batches}, batches, format_)
    remove_other_parts(folder, "interactions", parts, format_)
    return {"interactions": sum(parts.values())} | {name: rows[name] for name in tables}


def _write_heavy(folder: Path, tables: dict[str, pa.Table], rng: np.random.Generator) -> list[dirt.File]:
    """Write the files of heavy dirt beside their places, then move them all in. Returns what they hold."""
    written: list[dirt.File] = []
    partial: dict[Path, Path] = {}
    try:
        for file, contents in chain(dirt.files(**tables, rng=rng), refused.files()):
            written.append(file)
            _write_beside(folder / file.name, contents, partial)
        truth = json.dumps([asdict(file) for file in written], indent=1, ensure_ascii=False)
        _write_beside(folder / "dirt.json", f"{truth}\n".encode(), partial)
        _write_beside(folder / "nightrec.toml", _SETTINGS.encode(), partial)
        for path, beside in partial.items():
            beside.replace(path)
    finally:
        for beside in partial.values():
            beside.unlink(missing_ok=True)
    return written


def _write_beside(path: Path, contents: bytes, partial: dict[Path, Path]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial[path] = path.with_name(f".{path.name}.partial")
    partial[path].write_bytes(contents)


_SETTINGS = """\
# The tables of the demo of dirt. Try `nightrec validate --config nightrec.toml`; what must be found is in dirt.json.

[inputs.interactions]
path = "interactions"
missing = ["NULL"]

[inputs.items]
path = "items"

[inputs.users]
path = "users"
"""
