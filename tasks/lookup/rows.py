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
    schema = pq.read_schema(paths[0])
    names = schema.names if columns is None else [column, *(name for name in columns if name != column)]
    kept = pa.schema([schema.field(name) for name in names])
    wanted = as_written(value, schema.field(column).type)
    found = [] if wanted is None else [part for path in paths for part in _parts(path, column, wanted, names)]
    return pa.concat_tables(found) if found else kept.empty_table()


def _parts(path: Path, column: str, wanted: int | str, names: Sequence[str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        place = file.schema_arrow.names.index(column)
        for group in range(file.num_row_groups):
            limits = file.metadata.row_group(group).column(place).statistics
            if limits is not None and limits.has_min_max and not limits.min <= wanted <= limits.max:
                continue
            table = file.read_row_group(group, list(names), use_threads=False)
            part = table.filter(pc.equal(table[column], pa.scalar(wanted, table[column].type)))
            if len(part):
                yield part
