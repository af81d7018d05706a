"""Several rows of one item or user: the first is kept, but what any of them forbids is forbidden."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tasks.store.duckdb import quoted, read_parquet

PREVAILS = {"users": {"opted_out": True}, "items": {"available": False}}
"""The answer of each flag that holds for an item or user if any of their rows gives it, wherever it stands."""

Flags = Mapping[str, NDArray[np.int64]]
"""A flag -> the numbers of the rows, ascending, in which it is what prevails, whatever they say themselves."""


def later_copies(db: duckdb.DuckDBPyConnection, source: Path, column: str) -> NDArray[np.int64]:
    """Row numbers, ascending, whose id stands in an earlier row."""
    found = db.execute(f"{_numbered(source, column)} SELECT n FROM numbered WHERE copy > 1 ORDER BY n")
    return np.asarray(found.fetchnumpy()["n"], np.int64)


def prevailing(db: duckdb.DuckDBPyConnection, name: str, source: Path) -> Flags:
    """The first rows of ids of which a later row opts out, or is not available."""
    there = pq.read_schema(source)
    flags = {flag: says for flag, says in PREVAILS.get(name, {}).items() if flag in there.names}
    flags = {flag: says for flag, says in flags.items() if pa.types.is_boolean(there.field(flag).type)}
    key = f"{name[:-1]}_id"
    found = {}
    for flag, says in flags.items():
        forbids = f"coalesce({quoted(flag)} = {says}, false)"
        first = f"SELECT min(n) AS n FROM numbered GROUP BY {quoted(key)} HAVING bool_or({forbids})"
        rows = db.execute(f"{_numbered(source, key, flag)} {first} ORDER BY n").fetchnumpy()["n"]
        found[flag] = np.asarray(rows, np.int64)
    return found


def with_prevailing(batch: pa.RecordBatch, begin: int, name: str, flags: Flags) -> pa.RecordBatch:
    """The batch, which begins at a row of its table, with what prevails in its flags."""
    for flag, rows in flags.items():
        low, high = np.searchsorted(rows, [begin, begin + len(batch)])
        if low == high:
            continue
        mask = np.zeros(len(batch), np.bool_)
        mask[rows[low:high] - begin] = True
        values = pc.if_else(pa.array(mask), pa.scalar(PREVAILS[name][flag]), batch[flag])
        batch = batch.set_column(batch.schema.get_field_index(flag), batch.schema.field(flag), values)
    return batch


def _numbered(source: Path, column: str, *more: str) -> str:
    """SQL that begins with `numbered`: the rows whose id stands in several, their place, and which copy they are."""
    rows, key = read_parquet(source, "file_row_number = true"), quoted(column)
    columns = ", ".join([key, *map(quoted, more)])
    return f"""
        WITH repeated AS (SELECT {key} FROM {rows} GROUP BY {key} HAVING count(*) > 1),
        numbered AS (
            SELECT {columns}, file_row_number AS n,
                   row_number() OVER (PARTITION BY {key} ORDER BY file_row_number) AS copy
            FROM {rows} WHERE {key} IN (FROM repeated)
        )
        """
