"""Iceberg tables: the rows of a snapshot, read into files once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from recmodels.errors import ConfigError, NightrecError
from tasks.ingest.landing import landed as store
from tasks.ingest.landing import pushdown
from tasks.ingest.landing.landed import Landed
from tasks.ingest.reading import iceberg
from tasks.ingest.reading.inputs import TableInput

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table


def land(
    name: str, table: TableInput, folder: Path, cutoff: datetime | None, before: Landed | None, done: Landed | None
) -> tuple[TableInput, str]:
    """Read the rows of a snapshot into a folder: that which is asked for, which the night goes on with, or the newest.

    Args:
        name: of the table.
        table: where it is.
        folder: for what is read.
        cutoff: the night's; of interactions and tags rows at or after it are not read.
        before: what was read into the folder, if it is there.
        done: that, if the night goes on with it.

    Returns:
        The table with the folder that has its rows, and a note.

    Raises:
        ConfigError: there is no such catalog, table or snapshot.
        ConnectionError: the catalog or the files cannot be reached.
    """
    with _in_words(name, table):
        from pyiceberg.expressions import AlwaysTrue

        opened = _opened(name, table)
        current = opened.current_snapshot()
        snapshot = table.as_of or (done.version if done else None) or (current.snapshot_id if current else None)

        def read() -> store.Rows:
            there = opened.schema().as_arrow()
            end = pushdown.before(name, table, there, cutoff)
            columns = tuple(pushdown.needed(name, table, there.names))
            scan = opened.scan(AlwaysTrue() if end is None else _condition(end), columns, snapshot_id=snapshot)
            reader = scan.to_arrow_batch_reader()
            return reader.schema, iter(reader)

        store.once(name, folder, table.path, cutoff, snapshot, before, read, _rows(opened, snapshot))
    note = f"{name}: snapshot {snapshot} of the Iceberg table '{table.path}', whose rows were read into {folder}"
    return table.model_copy(update={"path": str(folder), "as_of": None}), note


@contextmanager
def rows(name: str, table: TableInput, most: int) -> Iterator[pa.RecordBatchReader]:
    """The first rows of a snapshot of a table, all columns, as a stream."""
    with _in_words(name, table):
        yield _opened(name, table).scan(snapshot_id=table.as_of, limit=most).to_arrow_batch_reader()


def columns(name: str, table: TableInput) -> list[str]:
    """The names of the columns of a table."""
    with _in_words(name, table):
        return list(_opened(name, table).schema().column_names)


def _condition(end: pushdown.Before) -> BooleanExpression:
    from pyiceberg.expressions import IsNull, LessThan, Or

    return Or(LessThan(end.column, end.day.isoformat()), IsNull(end.column))


def _rows(table: Table, snapshot: int | None) -> int | None:
    """The rows of a snapshot; None where it does not say."""
    found = None if snapshot is None else table.snapshot_by_id(snapshot)
    said = None if found is None or found.summary is None else found.summary["total-records"]
    return None if said is None else int(said)


def _opened(name: str, table: TableInput) -> Table:
    try:
        from pyiceberg.catalog import load_catalog
        from pyiceberg.table import StaticTable
    except ImportError:
        raise ConfigError(f"{name}: an Iceberg table needs another package: pip install 'nightrec[iceberg]'.") from None
    if "://" not in table.path:
        return StaticTable.from_metadata(str(iceberg.newest(table.path)))
    catalog, _, which = table.path.partition("://")[2].partition("/")
    if not catalog or "." not in which:
        raise ConfigError(f"{name}: '{table.path}' names no table; write iceberg://CATALOG/NAMESPACE.TABLE.")
    return load_catalog(catalog).load_table(which)


@contextmanager
def _in_words(name: str, table: TableInput) -> Iterator[None]:
    """What the library raises, as a sentence: its own words may hold an address with a key."""
    try:
        yield
    except NightrecError:
        raise
    except OSError as error:
        kind = type(error).__name__
        raise ConnectionError(f"{name}: '{table.path}' cannot be read ({kind}); is it reached from here?") from None
    except Exception as error:
        kind = type(error).__name__
        why = {
            "NoSuchTableError": "there is no such table",
            "NoSuchNamespaceError": "there is no such namespace",
            "ValueError": "there is no such catalog in ~/.pyiceberg.yaml or the environment, or no such snapshot",
            "UnauthorizedError": "the catalog does not let this user in",
            "ForbiddenError": "this user may not read it",
        }.get(kind, kind)
        raise ConfigError(f"{name}: the Iceberg table '{table.path}' cannot be read ({why}); check its name.") from None
