"""Opening the database at an address, by its kind, and what it refuses in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.landing.databases.database import Database, Opener, Refused, in_words
from tasks.ingest.landing.landed import source_of
from tasks.ingest.reading.addresses import filled, scheme, without_user
from tasks.ingest.reading.inputs import TableInput


@contextmanager
def database_of(name: str, table: TableInput) -> Iterator[Database]:
    """The database that a table is in, open.

    Args:
        name: of the table of ours, for messages.
        table: where it is.

    Raises:
        ConfigError: a driver, a database, a table or a right is missing.
        DataRefused: the rows cannot be read.
        ConnectionError: the database cannot be reached.
    """
    try:
        with opener(table.path)(filled(table.path)) as database:
            yield database
    except Refused as refused:
        there = _beside(table) if refused.trouble == "table" and table.table else []
        raise in_words(refused, name, without_user(table.path), table.table, there) from None
    except pa.ArrowException as error:
        reason = str(error).partition("\n")[0][:120]
        what = f"{source_of(table)} has a type that is not read ({reason})"
        raise DataRefused(f"{name}: {what}; cast it in a query.") from None


def _beside(table: TableInput) -> list[str]:
    """The tables that there are beside one that is not; none where they cannot be asked for."""
    try:
        return tables(table.path)
    except (Refused, ConfigError, pa.ArrowException):
        return []


def tables(address: str) -> list[str]:
    """The names of the tables that can be seen in the database at an address.

    Raises:
        ConfigError: a driver is missing, or there is no such file.
        Refused: it cannot be reached, or lets nobody in.
    """
    with opener(address)(filled(address)) as database:
        return database.tables()


def opener(address: str) -> Opener:
    """What opens a database; its driver is imported only where it is asked for."""
    match scheme(address):
        case "sqlite":
            from tasks.ingest.landing.databases.sqlite import opened
        case "duckdb":
            from tasks.ingest.landing.databases.duckdb_file import opened
        case "snowflake":
            from tasks.ingest.landing.databases.warehouses import snowflake as opened
        case "bigquery":
            from tasks.ingest.landing.databases.warehouses import bigquery as opened
        case "mysql" | "mariadb":
            from tasks.ingest.landing.databases.mysql import opened
        case _:
            from tasks.ingest.landing.databases.postgresql import opened
    return opened
