"""The rows of one user or item in sorted tables: only the row groups that can have them are read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.lookup.catalogue import as_written


def rows_with(paths: Sequence[Path], column: str, value: int | str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows with a value of a column, or none where it cannot be one of that column's type.

    It is quick where the tables are sorted by the column, or nearly. No threads are used: there is little to read, and
    to wait for them takes longer.

    Args:
        paths: Parquet files of one schema, at least one.
        column: the name of the column.
        value: what is looked for; a number or its text for a column of numbers.
        columns: what is read; all, if not given.
    """
    found: list[pa.Table] = []
    nothing: pa.Table | None = None
    for path in paths:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            names = schema.names if columns is None else list(dict.fromkeys([column, *columns]))
            wanted = as_written(value, schema.field(column).type)
            if nothing is None:
                nothing = pa.schema([schema.field(name) for name in names]).empty_table()
            if wanted is not None:
                found += _parts(file, schema.names.index(column), wanted, names)
    return found[0] if len(found) == 1 else pa.concat_tables(found) if found else nothing


def _parts(file: pq.ParquetFile, place: int, wanted: int | str, names: Sequence[str]) -> Iterator[pa.Table]:
    """The rows where the column at a place of the file has a value."""
    about = file.metadata
    for group in range(about.num_row_groups):
        column = about.row_group(group).column(place)
        limits = column.statistics
        if limits is not None and limits.has_min_max and not limits.min <= wanted <= limits.max:
            continue
        table = file.read_row_group(group, list(names), use_threads=False)
        part = table.filter(pc.equal(table[column.path_in_schema], wanted))
        if len(part):
            yield part
