"""What was read of a table, and where its files are: a folder of the store that stays from one night to the next."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow as pa

from tasks.ingest.landing.parts import remove_others, write
from tasks.ingest.reading.addresses import is_database, scheme, without_user
from tasks.ingest.reading.inputs import TableInput
from tasks.store.files import digest, read_json, write_json

_STATE = "_landed.json"  # begins as what is no data


@dataclass(frozen=True)
class Landed:
    """A reading of a table.

    `source`: where it was read, without users; `cutoff`: of the night that it was read for; `version`: of a table that
    has versions.
    """

    source: str
    cutoff: str
    rows: int
    files: list[str]
    version: int | None = None


def source_of(table: TableInput) -> str:
    """Where a table is and what it is, for people."""
    return f"{table.table or 'a query'} in {without_user(table.path)}" if is_database(table.path) else table.path


def folder_of(root: Path, name: str, table: TableInput) -> Path:
    """The folder for a table; another table, query or mapping of columns has another one."""
    called = (table.table or "query") if is_database(table.path) else Path(table.path).name
    readable = re.sub(r"[^\w.-]+", "_", called)[:40]
    told = digest([table.path, table.table, table.query, table.columns, table.timezone])
    return root / name / f"{scheme(table.path) or 'delta'}-{readable}-{told[:12]}"


def known(folder: Path) -> Landed | None:
    """What was read into a folder; None where it was not read to its end, or a file of it is gone."""
    state = read_json(folder / _STATE)
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
    folder.mkdir(parents=True, exist_ok=True)
    parts = write(folder, schema, batches)
    result = Landed(source, cutoff, parts.rows, parts.files, version)
    keep(folder, result)
    remove_others(folder, result.files)
    return result


def keep(folder: Path, landed: Landed) -> None:
    """Record a reading that is complete, and remove the folders of what the table was read from before."""
    write_json(folder / _STATE, asdict(landed))
    for other in folder.parent.iterdir():
        if other != folder and other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
