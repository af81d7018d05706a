"""The site's vectors of items or users become a raw table: an id and a list of numbers a row, as they were given.

They are Parquet files, read a few thousand rows at a time: vectors of a large catalogue need not fit into memory.
What a vector must be is for the validation to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from recmodels.messages import counted
from tasks.ingest.reading import ids, schema
from tasks.ingest.reading.files import find
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.table_result import TableResult
from tasks.store.vector_tables import DIMENSION, VECTOR, VECTOR_TABLES

ROWS = 2**13  # that are read at a time, and of a row group
_WHOLE = r"^(0|-?[1-9][0-9]{0,18})$"


def write_vectors(name: str, table: TableInput, id_type: str, out: Path) -> TableResult:
    """Write `<name>.parquet`: the id, the vector as a list of float32, and the file and row that they come from.

    Args:
        name: `item_vectors` or `user_vectors`.
        table: the files.
        id_type: of the ids in the other tables; an id that cannot be one is missing in the raw table.
        out: the folder of the raw tables.

    Raises:
        ConfigError: there are no files.
        DataRefused: a file is no Parquet file, or its columns are no ids and vectors.
    """
    key, found, lengths = VECTOR_TABLES[name], find(name, table), Counter[int]()
    kind = pa.int64() if id_type == ids.INTEGER else pa.string()
    fields = {key: kind, VECTOR: pa.list_(pa.float32()), "source_file": pa.string(), "source_row": pa.int64()}
    result = TableResult(notes=found.notes(name))
    whole = ["source_file", "source_row"]
    with pq.ParquetWriter(
        out / f"{name}.parquet", pa.schema(fields), compression="none", use_dictionary=whole, write_statistics=whole
    ) as writer:
        for file in found.read:
            for batch in _batches(name, table, key, file.path):
                numbers = np.arange(result.rows, result.rows + len(batch), dtype=np.int64)
                columns = {
                    key: _ids(batch[key], kind),
                    VECTOR: batch[VECTOR].cast(pa.list_(pa.float32()), safe=False),
                    "source_file": pa.array([file.path.name], pa.string()).take(pa.array(np.zeros(len(batch), int))),
                    "source_row": pa.array(numbers + 1),
                }
                writer.write_table(pa.table(columns), row_group_size=ROWS)
                lengths.update(pc.list_value_length(columns[VECTOR]).drop_null().to_pylist())
                result.rows += len(batch)
        dimension = max(lengths, key=lambda length: (lengths[length], length), default=0)
        writer.add_key_value_metadata({DIMENSION: str(dimension).encode()})
    result.notes.append(f"{name}: {counted(result.rows, 'vector')} of {counted(dimension, 'number')}")
    return result


def _batches(name: str, table: TableInput, key: str, path: Path) -> Iterator[pa.RecordBatch]:
    """The ids and vectors of a file, under our names."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataRefused(
            f"{name}: {path} is no Parquet file that can be read ({str(error).splitlines()[0][:80]}); write the "
            f"vectors as Parquet, a column {key} and a column {VECTOR} of lists of numbers."
        ) from error
    with file:
        there = file.schema_arrow
        schema.refuse_missing(name, table, there.names, str(path))
        named = {ours: next(one for one in schema.names(table, ours) if one in there.names) for ours in (key, VECTOR)}
        _refuse_types(name, path, key, there.field(named[key]), there.field(named[VECTOR]))
        for batch in file.iter_batches(ROWS, columns=list(named.values())):
            yield pa.RecordBatch.from_arrays([_plain(batch[theirs]) for theirs in named.values()], list(named))


def _refuse_types(name: str, path: Path, key: str, of_id: pa.Field, of_vector: pa.Field) -> None:
    kind = _kind(of_id.type)
    if not (pa.types.is_integer(kind) or _is_text(kind)):
        raise DataRefused(
            f"{name}: the column '{of_id.name}' of {path} is {kind}, and {key} is a whole number or text."
        )
    kind = _kind(of_vector.type)
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_one(kind) for is_one in lists) or not _is_number(kind.value_type):
        raise DataRefused(
            f"{name}: the column '{of_vector.name}' of {path} is {kind}, and a vector is a list of numbers: write it "
            "as list or fixed-size list of float32."
        )


def _kind(kind: pa.DataType) -> pa.DataType:
    """What is stored of a type."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(column: pa.Array) -> pa.Array:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _is_text(kind: pa.DataType) -> bool:
    return any((pa.types.is_string(kind), pa.types.is_large_string(kind), pa.types.is_string_view(kind)))


def _is_number(kind: pa.DataType) -> bool:
    return any((pa.types.is_floating(kind), pa.types.is_integer(kind)))


def _ids(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Ids of the type that the other tables have; null where one cannot be."""
    if pa.types.is_signed_integer(column.type) or not pa.types.is_integer(kind):
        return column.cast(kind)
    texts = column.cast(pa.string())
    most = pc.if_else(pc.starts_with(texts, "-"), *map(str, (-(2**63), 2**63 - 1)))
    fits = pc.or_(pc.less(pc.utf8_length(texts), pc.utf8_length(most)), pc.less_equal(texts, most))
    return pc.if_else(pc.and_(pc.match_substring_regex(texts, _WHOLE), fits), texts, None).cast(kind)
