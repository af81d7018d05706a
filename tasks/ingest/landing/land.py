"""Reading tables of databases into files, before a night reads these as it reads any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pyarrow.fs import FileInfo

from recmodels.errors import ConfigError, DataRefused
from recmodels.messages import counted
from tasks.ingest.landing import delta_table, iceberg_table, objects
from tasks.ingest.landing import landed as store
from tasks.ingest.landing.first_rows import first_rows, remote_of
from tasks.ingest.landing.landed import Landed
from tasks.ingest.landing.opening import database_of
from tasks.ingest.landing.statement import statement
from tasks.ingest.reading import delta, iceberg
from tasks.ingest.reading.addresses import OBJECTS, OWN, is_database, is_remote, scheme, without_user
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.events import logged
from tasks.store.leftovers import remove


def land(
    inputs: Inputs,
    root: Path,
    cutoff: datetime | None,
    *,
    fresh: bool = False,
    settled: bool = False,
    unread: Callable[[str], None] | None = None,
    by_nodes: bool = False,
) -> tuple[Inputs, list[str]]:
    """Read the tables that are in databases: the inputs with folders of files in their place, and a note for each.

    Of a Delta or an Iceberg table the version is settled, so that all of the night sees the same.

    Args:
        inputs: the site's tables.
        root: the folder of what was read, with a folder for each table.
        cutoff: aware. Interactions and tags at or after it are not asked for, where their times are times there.
        fresh: read again what was read.
        settled: what was read for this cutoff is what the night uses; it is not read again.
        unread: is told why exposures cannot be read, which are then left out; without it they are refused.
        by_nodes: of interactions that are Parquet files on an object store, have the first rows: nodes fetch the files.

    Raises:
        ConfigError: a driver, a database, a table or a right is missing.
        DataRefused: the rows cannot be read.
        ConnectionError: the database cannot be reached.
    """
    notes: list[str] = []
    for name, table in inputs.tables().items():
        if not any(map(_is_landed, table.by_domain().values())):
            continue
        try:
            files, note = land_table(name, table, root, cutoff, fresh=fresh, settled=settled, by_nodes=by_nodes)
        except (ConfigError, DataRefused, OSError) as error:
            if name != "exposures" or unread is None:
                raise
            unread(str(error))
            inputs = inputs.model_copy(update={name: None})
            continue
        inputs = inputs.model_copy(update={name: files})
        notes.append(note)
    return inputs, notes


def _is_landed(table: TableInput) -> bool:
    """Whether a table is read by way of files of the store, or of a version that is settled."""
    return is_remote(table.path) or delta.is_table(table.path) or iceberg.is_table(table.path)


def land_table(
    name: str,
    table: TableInput,
    root: Path,
    cutoff: datetime | None = None,
    *,
    fresh: bool = False,
    settled: bool = False,
    by_nodes: bool = False,
    domain: str = "",
) -> tuple[TableInput, str]:
    """The same for one table, or what a `domain` has of it: its files, and a note."""
    if table.domains:
        return _land_domains(name, table, root, cutoff, fresh=fresh, settled=settled)
    folder, until = store.folder_of(root, name, table, domain), str(cutoff)
    before = None if fresh else store.known(folder)
    done = before if before is not None and settled and before.cutoff == until else None
    if scheme(table.path) in OBJECTS:
        return _mirrored(name, table, folder, cutoff, before, done, by_nodes and name == "interactions")
    if iceberg.is_table(table.path):
        return iceberg_table.land(name, table, folder, cutoff, before, done)
    if not is_database(table.path):
        return delta_table.land(name, table, folder, cutoff, before, done)
    found = done or _read(name, table, folder, cutoff, before)
    files = table.model_copy(update={"path": str(folder), **dict.fromkeys(OWN)})
    return files, f"{name}: {counted(found.rows, 'row')} of {found.source} were read into {folder}"


def _land_domains(
    name: str, table: TableInput, root: Path, cutoff: datetime | None, *, fresh: bool, settled: bool
) -> tuple[TableInput, str]:
    """Each domain that is elsewhere is read into a folder of its own; what else was read of the table goes."""
    read, notes = dict[str, TableInput](), list[str]()
    for domain, one in table.by_domain().items():
        if _is_landed(one):
            read[domain], note = land_table(name, one, root, cutoff, fresh=fresh, settled=settled, domain=domain)
            notes.append(note)
    for other in (root / name).iterdir():
        if other.name not in read:
            remove(other)
    return table.read_into(read), "; ".join(notes)


def _mirrored(
    name: str,
    table: TableInput,
    folder: Path,
    cutoff: datetime | None,
    before: Landed | None,
    done: Landed | None,
    by_nodes: bool,
) -> tuple[TableInput, str]:
    """The files of an object store, copied, or the first rows of those that nodes fetch; of a Delta table all rows."""
    shown = without_user(table.path)
    with logged(f"read {name}") as line, objects.in_words(name, table.path):
        there = objects.place(table.path)
        if there.is_delta():
            return delta_table.land(name, table, folder, cutoff, before, done)
        if table.as_of is not None:
            raise ConfigError(f"{name}: as_of is for Delta and Iceberg tables; '{shown}' is none: leave it out.")

        def stays(file: str, info: FileInfo) -> bool:
            return by_nodes and first_rows(name, table, there.files, info, file, folder, cutoff)

        if done is None or (not by_nodes and any(remote_of(folder / file) for file in done.files)):
            folder.mkdir(parents=True, exist_ok=True)
            files = objects.mirror(name, table, there, folder, cutoff, stays)
            done = store.keep(folder, Landed(shown, str(cutoff), 0, files))
        left = sum(remote_of(folder / file) is not None for file in done.files) if by_nodes else 0
        line["text"] = f"{counted(len(done.files), 'file')} of {shown}"
    what = f", {left:,} of which {'is' if left == 1 else 'are'} read there" if left else f" copied into {folder}"
    return table.model_copy(update={"path": str(folder)}), f"{name}: {line['text']}{what}"


def _read(name: str, table: TableInput, folder: Path, cutoff: datetime | None, before: Landed | None) -> Landed:
    """Read a table of a database into a folder; by a watermark what is new since `before`."""
    source = store.source_of(table)
    with logged(f"read {name}") as line:
        with database_of(name, table) as database:
            query = statement(database, name, table, cutoff, before.mark if before else None)
            schema, batches = database.stream(query.sql)
            if query.watermark is None:
                result = store.written(folder, schema, batches, source, str(cutoff))
            else:
                result = store.added(folder, schema, batches, before, query.watermark, source, str(cutoff))
        if not result.rows and name == "interactions":
            before_it = f" before {cutoff:%Y-%m-%d %H:%M %Z}" if query.conditions else ""
            raise DataRefused(f"{name}: {source} has no rows{before_it}; check the table, and the night's date.")
        since = f", {result.new:,} of them since the last mark" if before and before.mark and table.watermark else ""
        line["text"] = f"{counted(result.rows, 'row')} of {source}{since}"
    return result
