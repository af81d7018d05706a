"""Which rows can break a rule: found out from the least and the largest values of a few rows at a time.

A rule of rows asks for a value, for none, for one within bounds, or for true or false. What holds of the least and the
largest of some values, and of none where one of them is missing, then holds of each of them. So Great Expectations is
asked about these first, and about every row only of the few for which it says no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from expectations.rules import Rule
from recmodels.data.arrays import Bools, Longs

TOGETHER = 64
"""Rows: a twentieth of the values are looked at, and a tenth again where one row in a thousand is refused."""


def tell(rules: Iterable[Rule], rows: pa.Table) -> bool:
    """Whether the extremes of columns say of all rows what the rules ask: a set is one of truths."""
    in_sets = {rule.checked for rule in rules if rule.expectation == "ExpectColumnValuesToBeInSet"}
    return all(pa.types.is_boolean(rows.schema.field(name).type) for name in in_sets)


def extremes(rows: pa.Table) -> pa.Table:
    """The least values of every `TOGETHER` rows, then the largest, and then, where any are missing, which.

    Row i of each third is of the rows from `TOGETHER` * i on. The columns hold no NaN.
    """
    missing = any(column.null_count for column in rows.columns)
    starts = np.arange(0, len(rows), TOGETHER)
    columns = {name: _of_column(rows[name].combine_chunks(), starts, missing) for name in rows.column_names}
    return pa.table(columns)


def suspects(broken: Sequence[Longs], n_rows: int) -> Longs:
    """The numbers of the rows, ascending, among which are all that break a rule.

    Args:
        broken: the rows of the extremes that break each rule.
        n_rows: of which these are the extremes.
    """
    n_starts = -(-n_rows // TOGETHER)
    starts = np.unique(np.concatenate(broken) % n_starts) * TOGETHER
    found: Longs = (starts[:, None] + np.arange(TOGETHER)).ravel()
    return found[found < n_rows]


def _of_column(column: pa.Array, starts: Longs, missing: bool) -> pa.Array:
    kind, null = column.type, np.zeros(len(starts), np.bool_)
    some = every = null
    if column.null_count:
        absent: Bools = column.is_null().to_numpy(zero_copy_only=False)
        some, every = np.logical_or.reduceat(absent, starts), np.logical_and.reduceat(absent, starts)
    values, least, largest = _as_numbers(column)
    low = np.minimum.reduceat(pc.fill_null(values, largest).to_numpy(), starts)
    high = np.maximum.reduceat(pc.fill_null(values, least).to_numpy(), starts)
    runs, nulls = [low, high], [every, every]
    if missing:
        runs, nulls = [*runs, low], [*nulls, some | every]
    return pa.array(np.concatenate(runs), values.type, mask=np.concatenate(nulls)).cast(kind)


def _as_numbers(column: pa.Array) -> tuple[pa.Array, float, float]:
    """The values as numbers in the same order, and the least and the largest number of their type."""
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif pa.types.is_timestamp(kind):
        column = column.cast(pa.int64())
    if pa.types.is_floating(column.type):
        return column, -np.inf, np.inf
    limits = np.iinfo(column.type.to_pandas_dtype())
    return column, int(limits.min), int(limits.max)
