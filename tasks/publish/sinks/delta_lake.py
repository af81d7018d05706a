"""Delta Lake: a partition a night, replaced in one commit when a night is loaded again.

The nodes of an engine write the data files, one for each file of the export, and read them back; then the night's
process commits them. A file that is in no commit is seen by nobody, and removed after a week.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from recmodels.engine.work import Work
from recmodels.errors import ConfigError, NightrecError
from tasks.publish.by_nodes import ANSWER
from tasks.publish.sinks.by_file import ROWS, by_file, total
from tasks.publish.sinks.settings import DeltaSettings
from tasks.publish.sinks.source import Published, Tally, compare, rows_of, schema_of
from tasks.store.files import Json, write_json

if TYPE_CHECKING:
    from deltalake import Schema

LOG_KEPT = "delta.logRetentionDuration"
NIGHT = "run_date"


def load(settings: DeltaSettings, published: Published) -> Json:
    """Bring the tables to the current export: what arrived, by table. One that reads back wrongly is not committed."""
    try:
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise ConfigError("The sink delta needs another package: pip install 'nightrec[delta]'.") from None
    far = "://" in settings.path and not settings.path.startswith("file://")
    place = settings.path if "://" in settings.path else str(Path(settings.path).absolute())
    if not far:
        for table in published.tables:
            Path(f"{place.removeprefix('file://')}/{table}").mkdir(parents=True, exist_ok=True)
    told = {"place": place, "night": f"{NIGHT}={published.run_date}", "load": uuid.uuid4().hex}
    try:
        written = by_file(write_file, published, told, published.tables, reached=far)
        arrived = by_file(read_back, published, told, published.tables, reached=far)
        proofs = {table: compare(table, total(written[table]), total(arrived[table])) for table in published.tables}
        for table in published.tables:
            _commit(f"{place}/{table}", published, table, written[table])
            _forget_others(f"{place}/{table}", settings, published)
    except (DeltaError, ValueError) as error:
        raise NightrecError(f"The Delta table in {settings.path} refused the rows ({type(error).__name__}).") from error
    return proofs


def write_file(work: Work) -> None:
    """Write the rows of a file to a data file of its table, and say what its commit has to know."""
    table, sent = work.arguments["table"], Tally()
    schema = schema_of(work.inputs[ROWS], table)
    rest = schema.remove(schema.get_field_index(NIGHT))  # which is in the path alone
    places, path = _files(work)
    with places.open_output_stream(path) as out, pq.ParquetWriter(out, rest) as file:
        for rows in rows_of(work.inputs[ROWS], table):
            file.write_table(sent.add(rows).drop_columns([NIGHT]))
    size = places.get_file_info(path).size
    with places.open_input_file(path) as opened:
        statistics = _statistics(pq.read_metadata(opened))
    write_json(work.out / ANSWER, sent.proof() | {"path": path, "size": size, "statistics": statistics})


def read_back(work: Work) -> None:
    """Count the rows of a data file, and what they hold."""
    arrived = Tally()
    schema = schema_of(work.inputs[ROWS], work.arguments["table"])
    places, path = _files(work)
    night = pa.scalar(work.arguments["night"].removeprefix(f"{NIGHT}=")).cast(schema.field(NIGHT).type)
    with places.open_input_file(path) as opened, pq.ParquetFile(opened) as file:
        for batch in file.iter_batches():
            rows = pa.Table.from_batches([batch]).append_column(NIGHT, pa.repeat(night, len(batch)))
            arrived.add(rows.select(schema.names).cast(schema))
    write_json(work.out / ANSWER, arrived.proof())


def _files(work: Work) -> tuple[pafs.FileSystem, str]:
    """The files of a bucket's table, and the path of its data file among them, the same if the bucket is repeated."""
    from deltalake.fs import DeltaStorageHandler

    told = work.arguments
    handler = DeltaStorageHandler(f"{told['place']}/{told['table']}")
    return pafs.PyFileSystem(handler), f"{told['night']}/{told['part']}-{told['load']}.parquet"


def _statistics(file: pq.FileMetaData) -> Json:
    """By which readers tell that they need not read the file: its rows, and the ends of its columns' values."""
    groups = [file.row_group(index) for index in range(file.num_row_groups)]
    least: Json = {}
    greatest: Json = {}
    nulls: Json = {}
    for place in range(file.num_columns):
        name, found = file.schema.column(place).name, [group.column(place).statistics for group in groups]
        if not found or not all(one is not None and one.has_null_count for one in found):
            continue
        nulls[name] = sum(one.null_count for one in found)
        values = [end for one in found if one.has_min_max for end in (one.min, one.max)]
        if values and all(one.has_min_max or one.null_count == one.num_values for one in found):
            least[name], greatest[name] = min(values), max(values)
    return {"numRecords": file.num_rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}


def _commit(where: str, published: Published, table: str, written: list[Json]) -> None:
    """Put a night's data files in the place of those that the table has of it."""
    from deltalake import DeltaTable, Schema
    from deltalake.transaction import AddAction, create_table_with_add_actions

    actions = [
        AddAction(
            path=one["path"],
            size=one["size"],
            partition_values={NIGHT: str(published.run_date)},
            modification_time=int(time.time() * 1000),
            data_change=True,
            stats=json.dumps(one["statistics"]),
        )
        for one in written
    ]
    schema = Schema.from_arrow(published.schema(table))
    if not DeltaTable.is_deltatable(where):
        create_table_with_add_actions(where, schema, actions, partition_by=[NIGHT])
        return
    there = DeltaTable(where)
    there.create_write_transaction(
        actions, "overwrite", _with_ours(there.schema(), schema), [NIGHT], [(NIGHT, "=", str(published.run_date))]
    )


def _with_ours(theirs: Schema, ours: Schema) -> Schema:
    """The columns of a table, and those that an earlier release did not write, which its earlier nights lack.

    Raises:
        ValueError: a column has another type there.
    """
    from deltalake import Field, Schema

    there: dict[str, Any] = {field.name: field for field in theirs.fields}
    if any(there[field.name].type != field.type for field in ours.fields if field.name in there):
        raise ValueError(theirs)
    new = [Field(field.name, field.type, nullable=True) for field in ours.fields if field.name not in there]
    return Schema([*theirs.fields, *new])


def forget(settings: DeltaSettings, user_ids: list[str]) -> int:
    """Remove a user from all nights and versions of the lists; how many rows there were.

    Versions before this one cannot be read any more: the user was in them.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    where = f"{settings.path}/topk"
    try:
        if not DeltaTable.is_deltatable(where):
            return 0
        table = DeltaTable(where)
        whole = pa.types.is_integer(table.to_pyarrow_dataset().schema.field("user_id").type)
        numbers = [one for one in user_ids if re.fullmatch(r"0|-?[1-9][0-9]{0,18}", one)]  # 007 is somebody else than 7
        ids = numbers if whole else ["'" + one.replace("'", "''") + "'" for one in user_ids]
        column = "user_id" if whole else "trim(user_id)"
        rows = int(table.delete(f"{column} IN ({', '.join(ids)})")["num_deleted_rows"]) if ids else 0
        _purge(where)
    except (DeltaError, ValueError) as error:
        raise NightrecError(f"The Delta table in {settings.path} was not changed ({type(error).__name__}).") from error
    return rows


def _purge(where: str) -> None:
    """Remove the files of earlier versions, and the log of them, whose statistics name users."""
    from deltalake import DeltaTable

    table = DeltaTable(where)
    kept = table.metadata().configuration.get(LOG_KEPT, "interval 30 days")
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    table.alter.set_table_properties({LOG_KEPT: "interval 0 seconds"})
    table = DeltaTable(where)
    table.create_checkpoint()
    table.cleanup_metadata()
    table.alter.set_table_properties({LOG_KEPT: kept})


def _forget_others(where: str, settings: DeltaSettings, published: Published) -> None:
    """Remove the nights before the newest `settings.nights`, and files that no version of the last week needs.

    Nights after the current one have been withdrawn: who reads the newest night is to read what other readers see.
    """
    from deltalake import DeltaTable

    table = DeltaTable(where)
    nights = sorted({str(partition["run_date"]) for partition in table.partitions()})
    if nights[-1] > str(published.run_date):
        table.delete(f"run_date > '{published.run_date}'")
        nights = [night for night in nights if night <= str(published.run_date)]
    if settings.nights and len(nights) > settings.nights:
        table.delete(f"run_date < '{nights[-settings.nights]}'")
    table.vacuum(dry_run=False, full=True)  # with those of loads that came to no commit
