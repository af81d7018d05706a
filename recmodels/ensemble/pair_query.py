"""A query of the site's own over a split's tables, which reads nothing else and writes nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from recmodels.compute.memory import size_of
from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.data.site_tables import SiteTables, plain
from recmodels.errors import ConfigError, NightrecError

MAX_ROWS = 2**26
ABOUT_THE_QUERY = ("ParserException", "BinderException", "CatalogException", "SyntaxException", "PermissionException")
"""Errors of DuckDB whose text is about the query alone; others may quote a value, and so what a user did."""


@dataclass(frozen=True)
class Limits:
    """What a query may take."""

    seconds: float
    memory: str  # such as "1GiB"


@contextmanager
def tables_of(data: Dataset, tables: SiteTables, limits: Limits) -> Iterator[Any]:
    """A database in memory with the tables `interactions`, `items` and `users`, and the function `as_of()`.

    `interactions` has a row a pair of `data` (`user_id`, `item_id`, `timestamp`, `weight`, and `rating` if anybody
    rates), `as_of()` is the end of the split; both without a zone, in UTC. It sees no file and no network, works on
    one thread, so that sums do not depend on the cores, and its settings cannot be changed.

    Raises:
        ConfigError: a column of the tables is of a type that it cannot read.
    """
    import duckdb

    connection = duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": f"{size_of(limits.memory, least=0)}B",
            "temp_directory": "",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # or a table may be any variable of this process
        }
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        for name, table in (
            ("interactions", _interactions(data, tables)),
            ("items", tables.items),
            ("users", tables.users),
        ):
            try:
                connection.register(name, table)
            except duckdb.NotImplementedException as error:
                raise ConfigError(
                    f"features.pairs: no query can read the table of {name}, of a type of its columns "
                    f"({str(error).partition(chr(10))[0]}); leave that column out, or give it as another type."
                ) from None
        connection.execute(f"CREATE MACRO as_of() AS make_timestamp({int(data.end)})")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def answer(connection: Any, sql: str, limits: Limits, what: str) -> pa.Table:
    """What a query gives.

    Args:
        connection: to `tables_of` a split.
        sql: a single SELECT.
        limits: what it may take.
        what: the setting that it is from, for messages.

    Raises:
        ConfigError: it is no single SELECT, names what there is not, or gives more than 2^26 rows.
        NightrecError: it took too long or too much memory, or failed on a value, which is not quoted.
    """
    import duckdb

    timer = threading.Timer(limits.seconds, connection.interrupt)
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise ConfigError(f"{what} must be a single SELECT.")
        timer.start()
        found: pa.Table = connection.sql(statements[0]).to_arrow_table()
    except duckdb.InterruptException:
        raise NightrecError(
            f"{what} took longer than {limits.seconds:g} seconds; make it simpler, or raise features.pairs.seconds."
        ) from None
    except duckdb.OutOfMemoryException:
        raise NightrecError(
            f"{what} took more than {limits.memory} of memory; make it simpler, or raise features.pairs.memory."
        ) from None
    except duckdb.Error as error:
        kind = type(error).__name__
        if kind in ABOUT_THE_QUERY:
            raise ConfigError(f"{what}: {str(error).partition(chr(10))[0]}.") from None
        raise NightrecError(f"{what} failed on a value ({kind}); try it on a copy of the tables.") from None
    finally:
        timer.cancel()
    if found.num_rows > MAX_ROWS:
        raise ConfigError(f"{what} gives {found.num_rows} rows; group them, so that there are at most {MAX_ROWS}.")
    return found


def _interactions(data: Dataset, tables: SiteTables) -> pa.Table:
    columns = {
        "user_id": _ids(tables.users["user_id"], data.user_index),
        "item_id": _ids(tables.items["item_id"], data.item_index),
        "timestamp": pa.array(np.ascontiguousarray(data.timestamp), pa.timestamp("us")),
        "weight": pa.array(data.weight),
    }
    if data.rating is not None:
        columns["rating"] = pa.array(data.rating, from_pandas=True)
    return pa.table(columns)


def _ids(column: pa.ChunkedArray, index: Ints) -> pa.Array:
    """The id of each row, as a place among all ids: an array of texts takes their length, and holds 2 GiB at most."""
    return pa.DictionaryArray.from_arrays(pa.array(index), plain(column).combine_chunks())
