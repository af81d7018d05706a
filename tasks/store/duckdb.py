"""DuckDB as nightrec uses it: quiet, in UTC, spilling to disk instead of running out of memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from recmodels.compute.memory import size_of, total
from tasks.store.parts import parts

warnings.filterwarnings("ignore", "Arrow output on a DB-API result")  # where few rows are copied, it is meant

SHARE = 0.6  # of the memory: the rest is for what is read and written beside the database


@contextmanager
def connect(
    folder: Path, memory_limit: str | None = None, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory database that spills into a temporary folder inside `folder`.

    Rows keep their input order through every query, since ties between events are broken by it.
    `memory_limit`: a size such as `"2GB"`, of which it takes no more than three fifths of the memory that there is;
    without one it takes these.
    """
    with TemporaryDirectory(prefix=".tmp-duckdb-", dir=folder) as spill:
        connection = _database(spill, memory_limit, threads)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET preserve_insertion_order = true")
            connection.execute("SET enable_progress_bar = false")
            yield connection
        finally:
            connection.close()


def _database(spill: str, memory_limit: str | None, threads: int | None) -> duckdb.DuckDBPyConnection:
    most = int(SHARE * total())
    n_bytes = min(most, size_of(memory_limit, least=0)) if memory_limit else most
    given = {"threads": threads} if threads else {}
    return duckdb.connect(config={"temp_directory": spill, "memory_limit": f"{n_bytes}B", **given})


def quoted(name: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """A text as an SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def file_literal(path: Path) -> str:
    """The path of one file as an SQL string; characters that would make a pattern of it stand for themselves."""
    return literal("".join(f"[{character}]" if character in "*?[" else character for character in str(path)))


def read_parquet(path: Path, options: str = "") -> str:
    """The rows of one Parquet file, as something to select from, without columns that its folders' names would add."""
    return f"read_parquet({file_literal(path)}, hive_partitioning = false{options and f', {options}'})"


def read_parts(folder: Path, table: str) -> str:
    """The rows of a table that is one Parquet file or several, in their order, as something to select from.

    Columns that some of the files lack are missing in their rows.
    """
    return read_files(parts(folder, table) or [folder / f"{table}.parquet"])


def read_files(files: Sequence[Path]) -> str:
    """The rows of one or several Parquet files, one after another, as `read_parts` has them."""
    if len(files) == 1:
        return read_parquet(files[0])
    listed = ", ".join(map(file_literal, files))
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
