"""Parquet files without a user's rows: row group by row group, with the dictionaries and statistics made anew."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.export.writer import open_part
from tasks.forgetting.person import Mask, Person
from tasks.store.files import TEMPORARY, open_to, readers_of, sync

ROWS_AT_ONCE = 1_000_000
USER, OTHER = "user_id", "other_id"
REJECTS = "rejects.parquet"  # what was no row, as text


@dataclass(frozen=True)
class Whose:
    """Which rows of a night's tables are a user's: by the id, or by their numbers in the night's index of users."""

    person: Person
    numbers: tuple[int, ...] = ()

    def columns(self, path: Path, names: list[str]) -> list[str]:
        """The columns that tell it; none where the table is not about users."""
        if path.name == REJECTS and "text" in names:
            return ["text"]
        if "user_id" in names:
            return [name for name in (USER, OTHER) if name in names]
        return ["user_index"] if "user_index" in names and self.numbers else []

    def rows(self, batch: pa.RecordBatch | pa.Table) -> Mask:
        """Those rows of a batch that has one of these columns."""
        names = batch.schema.names
        if OTHER in names:  # a pair of users
            return self.person.rows_of(batch[USER]) | self.person.rows_of(batch[OTHER])
        if USER in names:
            return self.person.rows_of(batch[USER])
        if "user_index" in names:
            mine: Mask = pc.is_in(batch["user_index"], value_set=pa.array(self.numbers, batch["user_index"].type))
            return np.asarray(mine)
        forms = "|".join(map(re.escape, self.person.forms))  # a line in doubt goes: nothing is made of it
        named: Mask = pc.fill_null(pc.match_substring_regex(batch["text"], rf"(^|\W)({forms})(\W|$)"), False)
        return np.asarray(named)


def count(path: Path, whose: Whose) -> int:
    """How many rows of a file are the user's; only the column that tells it is read."""
    with pq.ParquetFile(path) as file:
        columns = whose.columns(path, file.schema_arrow.names)
        if not columns:
            return 0
        return sum(int(whose.rows(batch).sum()) for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns))


def rewrite(path: Path, whose: Whose, target: Path, published: bool = False) -> pa.Table:
    """Write a file without the user's rows to `target`, with the row groups of `path`; returns these rows.

    In an index of users the row stays, with its number and nothing else, so that the others keep theirs.
    """
    gone = []
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        is_index = {"user_id", "user_index"} <= set(schema.names)
        with open_part(target, schema) if published else _like(target, file) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                mine = whose.rows(table)
                gone.append(table.filter(pa.array(mine)))
                rest = _blanked(table, mine) if is_index else table.filter(pa.array(~mine))
                if len(rest):
                    writer.write_table(_encoded_anew(rest, schema), row_group_size=len(rest))
    sync(target)
    return pa.concat_tables(gone) if gone else schema.empty_table()


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A place for a file that takes that of `path` in one step when the block ends well."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        yield temporary
        open_to(temporary, readers_of(path.parent))
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _like(target: Path, file: pq.ParquetFile) -> pq.ParquetWriter:
    """A file with the compression, the order and what is said in the metadata of another."""
    about, sorting, packed = file.metadata, None, "snappy"
    if about.num_row_groups and about.num_columns:
        group = about.row_group(0)
        packed, sorting = group.column(0).compression.lower(), group.sorting_columns or None
    packed = "none" if packed == "uncompressed" else packed
    said = {key: text for key, text in (about.metadata or {}).items() if key != b"ARROW:schema"}
    schema = file.schema_arrow.with_metadata(said or None)
    return pq.ParquetWriter(target, schema, compression=packed, sorting_columns=sorting)


def _blanked(table: pa.Table, rows: Mask) -> pa.Table:
    """A table in which some rows have nothing but their `user_index`."""
    mask = pa.array(rows)
    columns = [
        column if name == "user_index" else pc.if_else(mask, pa.scalar(None, column.type), column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table(columns, schema=table.schema)


def _encoded_anew(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same table with dictionaries of the values that it has: the old ones have those of the rows that went."""
    columns = []
    for field, column in zip(schema, table.columns, strict=True):
        if pa.types.is_dictionary(field.type):
            values = column.cast(field.type.value_type).combine_chunks().dictionary_encode()
            indices = values.indices.cast(field.type.index_type)
            columns.append(pa.DictionaryArray.from_arrays(indices, values.dictionary, ordered=field.type.ordered))
        else:
            columns.append(column)
    return pa.table(columns, schema=schema)
