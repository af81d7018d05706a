"""Whether a table that is elsewhere can be read: it is asked for, with its columns, and none of its rows are."""

from __future__ import annotations

from tasks.ingest.landing import delta_table, iceberg_table, objects
from tasks.ingest.landing.opening import database_of
from tasks.ingest.landing.pushdown import needed
from tasks.ingest.landing.statement import described
from tasks.ingest.reading import addresses, iceberg
from tasks.ingest.reading.inputs import TableInput


def reach(name: str, table: TableInput) -> None:
    """Ask for a table, and for the columns that it has; of files on an object store it is enough that there are some.

    Args:
        name: of the table.
        table: where it is.

    Raises:
        ConfigError: a driver, a database, a table or a right is missing.
        DataRefused: a column is missing.
        OSError: the place cannot be reached.
    """
    if addresses.scheme(table.path) in addresses.OBJECTS:
        with objects.in_words(name, table.path):
            there = objects.place(table.path)
            if not there.is_delta():
                if not there.found():
                    raise objects.nothing(name, table.path)
                return
    if addresses.is_database(table.path):
        with database_of(name, table) as database:
            columns = described(database, name, table)[1].names
    elif iceberg.is_table(table.path):
        columns = iceberg_table.columns(name, table)
    else:
        columns = delta_table.columns(name, table)
    needed(name, table, columns)
