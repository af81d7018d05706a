"""Snowflake and BigQuery, by their ADBC drivers: a query a stream. A query sees one state; two of them may see two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from recmodels.errors import ConfigError
from tasks.ingest.landing.databases.cursors import read
from tasks.ingest.landing.databases.database import Database, Refused, Trouble
from tasks.ingest.reading.addresses import DATABASES

_SAID: tuple[tuple[str, Trouble], ...] = (
    ("incorrect username or password", "login"),
    ("could not find default credentials", "login"),
    ("unauthenticated", "login"),
    ("jwt", "login"),
    ("permission", "permission"),
    ("access denied", "permission"),
    ("insufficient privileges", "permission"),
    ("invalid identifier", "column"),
    ("unrecognized name", "column"),
    ("does not exist or not authorized", "table"),
    ("not found: table", "table"),
    ("not found: dataset", "database"),
    ("not found: project", "database"),
    ("syntax error", "syntax"),
    ("timeout", "timeout"),
    ("deadline exceeded", "timeout"),
    ("no such host", "unreachable"),
    ("connection refused", "unreachable"),
    ("dial tcp", "unreachable"),
)
"""Words of what the drivers say, in lower case, and what they mean; they give no SQLSTATE for most."""


@contextmanager
def snowflake(address: str) -> Iterator[Database]:
    """A Snowflake database at `snowflake://user@account/database/schema?warehouse=name`.

    Raises:
        ConfigError: the driver is not installed.
        Refused: nobody answers, or the user is not let in.
    """
    try:
        from adbc_driver_snowflake import dbapi
    except ImportError:
        raise ConfigError("Snowflake as an input needs a package: pip install 'nightrec[snowflake]'.") from None
    options = {"adbc.snowflake.sql.client_option.use_high_precision": "disabled"}  # whole numbers as int64
    if (password := os.environ.get(DATABASES["snowflake"])) and not urlsplit(address).password:
        options["password"] = password
    with _refusals():
        connection = dbapi.connect(address.partition("://")[2], db_kwargs=options)
    with closing(connection):
        yield _Snowflake(connection)


@contextmanager
def bigquery(address: str) -> Iterator[Database]:
    """A BigQuery data set at `bigquery://project/dataset`; credentials are the application's default ones.

    Raises:
        ConfigError: the driver is not installed, or the address names no data set.
        Refused: nobody answers, or the user is not let in.
    """
    try:
        from adbc_driver_bigquery import dbapi
    except ImportError:
        raise ConfigError("BigQuery as an input needs a package: pip install 'nightrec[bigquery]'.") from None
    parts = urlsplit(address)
    project, dataset = parts.netloc, unquote(parts.path.strip("/"))
    if not project or not dataset:
        raise ConfigError(f"bigquery: '{address}' names no data set; write bigquery://PROJECT/DATASET?table=NAME.")
    options = {"adbc.bigquery.sql.project_id": project, "adbc.bigquery.sql.dataset_id": dataset}
    with _refusals():
        connection = dbapi.connect(options)
    with closing(connection):
        yield _BigQuery(connection)


class _Warehouse(Database):
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def schema(self, relation: str) -> pa.Schema:
        schema, batches = self.stream(f"SELECT * FROM {relation} LIMIT 0")
        for _ in batches:
            pass
        return schema

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        cursor = self.connection.cursor()
        with _refusals():
            cursor.execute(sql)
            reader = cursor.fetch_record_batch()
        return reader.schema, read(cursor, reader, _refusals)


class _Snowflake(_Warehouse):
    def instant(self, when: datetime, kind: pa.DataType) -> str:
        if pa.types.is_date(kind):
            return super().instant(when, kind)
        zone = "NTZ" if kind.tz is None else "TZ"
        return f"TO_TIMESTAMP_{zone}('{when:%Y-%m-%d %H:%M:%S.%f}{'' if kind.tz is None else ' +00:00'}')"


class _BigQuery(_Warehouse):
    marks = ("`", "`")
    catalog = "SELECT table_name FROM INFORMATION_SCHEMA.TABLES ORDER BY 1"

    def instant(self, when: datetime, kind: pa.DataType) -> str:
        if pa.types.is_date(kind):
            return super().instant(when, kind)
        if kind.tz is None:
            return f"DATETIME '{when:%Y-%m-%d %H:%M:%S.%f}'"
        return f"TIMESTAMP '{when:%Y-%m-%d %H:%M:%S.%f}+00:00'"


@contextmanager
def _refusals() -> Iterator[None]:
    """What a driver says, in words of ours: its own may hold values of rows."""
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, pa.ArrowException, OSError) as error:
        said = str(error).lower()
        raise next((Refused(trouble) for words, trouble in _SAID if words in said), Refused("other")) from None
