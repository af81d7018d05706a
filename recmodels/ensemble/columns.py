"""Columns of a site's tables as numbers that trees can compare: a row an item, or a user."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Doubles, Floats
from recmodels.data.site_tables import plain
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import ConfigError

MISSING = np.float32(-1e30)
"""Where nothing is known: lower than any number, so that a tree can tell it apart."""


def numbers_of(table: pa.Table, names: Sequence[str], end: int, what: str) -> Floats:
    """Some columns as numbers: float32 [n, len(names)], `MISSING` where there is none.

    Args:
        table: n rows.
        names: of its columns.
        end: of the split, microseconds since 1970 (UTC): times count in days before it.
        what: the setting that names the columns, for messages.

    Raises:
        ConfigError: there is no such column, or its values are no numbers, categories or times.
    """
    columns = [as_numbers(_column(table, name, what), end, f"{what}: {name}") for name in names]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0), np.float32)


def _column(table: pa.Table, name: str, what: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise ConfigError(f"{what}: there is no column {name}; there are {', '.join(table.column_names)}.")
    return table[name]


def as_numbers(column: pa.ChunkedArray, end: int, what: str, categories: dict[str, pa.Array] | None = None) -> Floats:
    """A column as float32 [n]: numbers as they are, times as days before `end`, categories as places by frequency.

    The most frequent category is 0, the next one 1, and so on; ties go by the value. Nothing that anybody did decides
    them, only how many rows have each. If `categories` has an order of them by `what`, it counts instead, so that the
    same number is the same category in two tables; if not, it is given this one.
    """
    column = plain(column)
    kind = column.type
    if pa.types.is_temporal(kind):
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            raise ConfigError(f"{what} is {kind}, which is neither a date nor a time of a day; leave it out.")
        zone = "UTC" if pa.types.is_timestamp(kind) and kind.tz else None
        times = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
        return _known((end - _doubles(times)) / MICROSECONDS_PER_DAY)
    if (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    ):
        return _known(_doubles(column))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        orders = {} if categories is None else categories
        if what not in orders:
            orders[what] = _by_frequency(column)
        return _known(_doubles(pc.index_in(column, value_set=orders[what])))
    raise ConfigError(f"{what} is {kind}, which is no number, category or time; leave it out.")


def _doubles(column: pa.ChunkedArray) -> Doubles:
    values: Doubles = pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy()
    return values


def _known(values: Doubles) -> Floats:
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    return np.where(np.isfinite(numbers), numbers, MISSING)


def _by_frequency(column: pa.ChunkedArray) -> pa.Array:
    """The different values, the most frequent one first."""
    counted = pc.value_counts(column.drop_null().combine_chunks())
    ordered = sorted((-one["counts"], one["values"]) for one in counted.to_pylist())
    return pa.array([value for _, value in ordered], column.type)
