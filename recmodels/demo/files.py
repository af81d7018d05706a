"""Tables of the demo site as files, written beside their places and then moved in together."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

Format = Literal["parquet", "csv"]


def parts_of(table: str, rows: int, files: int) -> dict[str, int]:
    """How many rows each file of a table has, by its name without its ending: `table`, or `table-001` and so on."""
    if files == 1:
        return {table: rows}
    width = max(3, len(str(files)))
    return {f"{table}-{i + 1:0{width}}": rows * (i + 1) // files - rows * i // files for i in range(files)}


def cut(tables: Iterator[pa.Table], parts: dict[str, int]) -> dict[str, Iterator[pa.Table]]:
    """The rows of `tables` by part, each of so many rows; the parts must be read to their ends, in their order."""
    rest: list[pa.Table] = []

    def read(rows: int) -> Iterator[pa.Table]:
        while rows > 0:
            table = rest.pop() if rest else next(tables)
            if len(table) > rows:
                rest.append(table.slice(rows))
                table = table.slice(0, rows)
            rows -= len(table)
            yield table

    return {name: read(rows) for name, rows in parts.items()}


def remove_other_parts(folder: Path, table: str, parts: dict[str, int], format_: Format) -> None:
    """Remove the files that a table has in `folder` from an earlier writing, in more or fewer parts."""
    for path in folder.glob(f"{table}*.{format_}"):
        if re.fullmatch(rf"{table}(-\d{{3,}})?", path.stem) and path.stem not in parts:
            path.unlink()


def write_tables(files: dict[str, Path], tables: dict[str, Iterator[pa.Table]], format_: Format) -> dict[str, int]:
    """Write every table beside its place, then move them all in. Returns the rows of each."""
    partial = {name: path.with_name(f".{path.name}.partial") for name, path in files.items()}
    rows = dict.fromkeys(files, 0)
    try:
        for name, batches in tables.items():
            with partial[name].open("wb") as sink:
                writer: Any = None
                for batch in batches:
                    table = _as_text(batch) if format_ == "csv" else batch
                    if format_ == "csv":
                        writer = writer or pyarrow.csv.CSVWriter(sink, table.schema)
                    else:
                        writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd")
                    writer.write_table(table)
                    rows[name] += table.num_rows
                writer.close()
                os.fsync(sink.fileno())
        for name, path in files.items():
            partial[name].replace(path)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
    return rows


def _as_text(table: pa.Table) -> pa.Table:
    """Lists joined by "|", times to the second, and a word where a time should be."""
    for i, field in enumerate(table.schema):
        column = table[i]
        if pa.types.is_list(field.type):
            table = table.set_column(i, field.name, pc.binary_join(column, "|"))
        elif pa.types.is_timestamp(field.type):
            text = column.cast(pa.timestamp("s", "UTC")).cast(pa.string())
            table = table.set_column(i, field.name, text.fill_null("yesterday"))
    return table
