"""Delta Lake: a partition a night, replaced in one commit when a night is loaded again."""

import pyarrow as pa
import pyarrow.compute as pc

from recmodels.errors import ConfigError, NightrecError
from tasks.publish.sinks.settings import DeltaSettings
from tasks.publish.sinks.source import Published, Tally, compare
from tasks.store.files import Json

LOG_KEPT = "delta.logRetentionDuration"


def load(settings: DeltaSettings, published: Published) -> Json:
    """Bring the tables to the current export: what arrived, by table. A table that reads back wrongly is restored."""
    try:
        from deltalake.exceptions import DeltaError
    except ImportError:
        raise ConfigError("The sink delta needs another package: pip install 'nightrec[delta]'.") from None
    try:
        return {table: _replace(f"{settings.path}/{table}", table, settings, published) for table in published.tables}
    except (DeltaError, ValueError) as error:
        raise NightrecError(f"The Delta table in {settings.path} refused the rows ({type(error).__name__}).") from error


def _replace(where: str, table: str, settings: DeltaSettings, published: Published) -> Json:
    """Put a night's rows in the place of those that the table has of it."""
    from deltalake import DeltaTable, write_deltalake

    schema, sent, arrived = published.schema(table), Tally(), Tally()
    this_night = f"run_date = '{published.run_date}'"
    before = DeltaTable(where).version() if DeltaTable.is_deltatable(where) else None
    batches = (batch for rows in published.rows(table) for batch in sent.add(rows).to_batches())
    write_deltalake(
        where,
        pa.RecordBatchReader.from_batches(schema, batches),
        mode="overwrite",
        predicate=this_night if before is not None else None,
        partition_by=["run_date"],
        schema_mode="merge" if before is not None else None,  # a table of an earlier release gets new columns
    )
    written = DeltaTable(where)
    of_night = pc.field("run_date") == published.run_date
    for batch in written.to_pyarrow_dataset().to_batches(columns=schema.names, filter=of_night):
        arrived.add(pa.Table.from_batches([batch]).cast(schema))
    try:
        proof = compare(table, sent, arrived)
    except NightrecError:
        if before is not None:
            written.restore(before)
        raise
    _forget_old(where, settings)
    return proof


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
        ids = [one if whole else "'" + one.replace("'", "''") + "'" for one in user_ids if not whole or one.isdigit()]
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
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table.alter.set_table_properties({LOG_KEPT: "interval 0 seconds"})
    table = DeltaTable(where)
    table.create_checkpoint()
    table.cleanup_metadata()
    table.alter.set_table_properties({LOG_KEPT: kept})


def _forget_old(where: str, settings: DeltaSettings) -> None:
    """Remove the nights before the newest `settings.nights`, and files that no version of the last week needs."""
    from deltalake import DeltaTable

    table = DeltaTable(where)
    nights = sorted({str(partition["run_date"]) for partition in table.partitions()})
    if settings.nights and len(nights) > settings.nights:
        table.delete(f"run_date < '{nights[-settings.nights]}'")
    table.vacuum(dry_run=False)
