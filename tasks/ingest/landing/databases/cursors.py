"""What cursors of databases have in common: a transaction that only reads, and rows a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from typing import Any

import pyarrow as pa

from tasks.ingest.landing.databases.database import Refused

ROWS = 1 << 14
"""Rows of a batch."""
Refusals = Callable[[], AbstractContextManager[None]]
"""Turns what a driver raises within it into `Refused`."""


def begin(connection: Any, statements: Sequence[str], refusals: Refusals) -> None:
    """Begin a transaction by some statements.

    Raises:
        Refused: the server does not understand one, or has no such transactions.
    """
    try:
        with refusals(), closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
    except Refused as error:
        if error.trouble in ("syntax", "other"):
            raise Refused("reading", error.detail) from None
        raise


def batches(
    cursor: Any, schema: pa.Schema, array: Callable[[Sequence[Any], pa.Field], pa.Array], refusals: Refusals
) -> Iterator[pa.RecordBatch]:
    """The rows of a cursor of Python's own kind. `array`: makes one of a column's values."""
    while True:
        with refusals():
            rows = cursor.fetchmany(ROWS)
        if not rows:
            return
        columns = zip(*rows, strict=True)
        arrays = [array(column, field) for column, field in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def read(cursor: Any, reader: pa.RecordBatchReader, refusals: Refusals) -> Iterator[pa.RecordBatch]:
    """The batches of a cursor that gives Arrow."""
    with closing(cursor), refusals():
        yield from reader
