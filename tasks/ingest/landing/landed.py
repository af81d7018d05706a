"""What was read of a table, and where its files are: a folder of the store that stays from one night to the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from recmodels.messages import counted
from tasks.ingest.landing.parts import RECENT, Parts
from tasks.ingest.landing.watermark import Watermark
from tasks.ingest.reading.addresses import is_database, scheme, without_user
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.events import logged
from tasks.store.files import digest, read_json, write_json
from tasks.store.leftovers import remove

_LOOK = re.compile(r"; `nightrec inspect [^`]*` shows what is there")


@dataclass(frozen=True)
class Landed:
    """A reading of a table.

    `source`: where it was read, without users; `cutoff`: of the night that it was read for; `version`: of a table that
    has versions. Of a table with a watermark the first `for_good` files hold the rows before the `mark`, and `new` is
    how many rows the last reading got.
    """

    source: str
    cutoff: str
    rows: int
    files: list[str]
    version: int | None = None
    mark: str | None = None
    for_good: int = 0
    new: int = 0


def source_of(table: TableInput) -> str:
    """Where a table is and what it is, for people."""
    place = without_user(table.path)
    return f"{table.table or 'a query'} in {place}" if is_database(table.path) else place


def by_source(error: DataRefused, given: Inputs, files: Inputs) -> DataRefused:
    """The same error, with the tables in place of the files that they were read into, which nobody has written."""
    text = str(error.args[0])
    there = given.tables()
    for name, table in files.tables().items():
        for file, one in zip(table.by_domain().values(), there[name].by_domain().values(), strict=True):
            if file.path != one.path and f"{file.path}/" in text:
                text = _LOOK.sub("", text).replace(f"{file.path}/", f"{source_of(one)}: ")
    return DataRefused(text)


def folder_of(root: Path, name: str, table: TableInput, domain: str = "") -> Path:
    """The folder for a table, or what a domain has of it; another table, query or mapping of columns has another."""
    called = (table.table or "query") if is_database(table.path) else Path(without_user(table.path)).name
    readable = re.sub(r"[^\w.-]+", "_", called)[:40]
    told = digest([table.path, table.table, table.query, table.watermark, table.columns, table.timezone])
    return root / name / domain / f"{scheme(table.path) or 'lake'}-{readable}-{told[:12]}"


def known(folder: Path) -> Landed | None:
    """What was read into a folder; None where it was not read to its end, or a file of it is gone."""
    state = read_json(_record(folder))
    if state is None or set(state) != {field.name for field in fields(Landed)}:
        return None
    found = Landed(**state)
    return found if all((folder / file).is_file() for file in found.files) else None


def written(
    folder: Path,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    source: str,
    cutoff: str,
    version: int | None = None,
) -> Landed:
    """Read rows into a folder, in place of what is there."""
    with Parts(folder, schema) as parts:
        for batch in batches:
            parts.add(batch)
    return keep(folder, Landed(source, cutoff, parts.rows, parts.files, version))


Rows = tuple[pa.Schema, Iterator[pa.RecordBatch]]
"""The columns and the rows of a table, as a stream."""


def once(
    name: str,
    folder: Path,
    source: str,
    cutoff: datetime | None,
    version: int | None,
    before: Landed | None,
    read: Callable[[], Rows],
    every: int | None = None,
) -> Landed:
    """The rows of a version of a table in a folder, read unless they are there.

    `cutoff`: the night's; `every`: how many rows the version has: if all of them were read, no later night needs more.
    """
    same = before is not None and before.version == version and before.files
    if before is not None and same and (before.cutoff == str(cutoff) or before.rows == every):
        return keep(folder, replace(before, cutoff=str(cutoff)))
    with logged(f"read {name}") as line:
        result = written(folder, *read(), source, str(cutoff), version)
        line["text"] = f"{counted(result.rows, 'row')} of version {version} of {source}"
    return result


def added(
    folder: Path,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    before: Landed | None,
    watermark: Watermark,
    source: str,
    cutoff: str,
) -> Landed:
    """Read rows from the last mark on into a folder, in place of those that were read from there on."""
    files = before.files[: before.for_good] if before else []
    rows = sum(pq.read_metadata(folder / file).num_rows for file in files)
    with (
        Parts(folder, schema, first=len(files), empty=False) as settled,
        Parts(folder, schema, RECENT, empty=not files) as recent,
    ):
        for batch in batches:
            for_good, others = watermark.split(batch)
            settled.add(for_good)
            recent.add(others)
    mark = None if watermark.mark is None else watermark.mark.isoformat()
    every = [*files, *settled.files, *recent.files]
    new = settled.rows + recent.rows
    return keep(folder, Landed(source, cutoff, rows + new, every, None, mark, len(files) + len(settled.files), new))


def keep(folder: Path, landed: Landed) -> Landed:
    """Record a reading that is complete, and remove what was read before, here and in the folders of other sources."""
    write_json(_record(folder), asdict(landed))
    for file in folder.glob("*.parquet"):
        if file.name not in landed.files:
            file.unlink()
    for other in folder.parent.iterdir():
        if other not in (folder, _record(folder)):
            remove(other)
    return landed


def _record(folder: Path) -> Path:
    """The file beside a folder that says what was read into it."""
    return folder.with_name(f"{folder.name}.json")
