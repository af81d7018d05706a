"""Vectors as texts, `[0.5,-1]`, which JSON and pgvector read, and back: each number is the same float32 afterwards."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Floats

INNER_PRODUCT, COSINE = "inner_product", "cosine"


def is_vector(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))


def to_texts(rows: pa.Table) -> pa.Table:
    """Rows with texts in place of vectors."""
    for place, field in enumerate(rows.schema):
        if is_vector(field.type):
            rows = rows.set_column(place, field.name, texts(matrix(rows[field.name])))
    return rows


def from_texts(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with vectors again, as the schema has them."""
    for place, field in enumerate(schema):
        if is_vector(field.type):
            numbers = pc.split_pattern(pc.utf8_slice_codeunits(rows[field.name], 1, -1).combine_chunks(), ",")
            values = numbers.flatten().cast(pa.float32())
            vectors = pa.FixedSizeListArray.from_arrays(values, field.type.list_size)
            rows = rows.set_column(place, field.name, vectors)
    return rows.cast(schema)


def texts(vectors: Floats) -> pa.Array:
    """The text of each vector: float32 [n, f] to [n]."""
    n, length = vectors.shape
    numbers = pa.array(np.ascontiguousarray(vectors).reshape(-1)).cast(pa.string())
    ends = pa.array(np.arange(n + 1, dtype=np.int32) * length)
    joined = pc.binary_join(pa.ListArray.from_arrays(ends, numbers), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


def matrix(column: pa.ChunkedArray) -> Floats:
    """The vectors of a column: float32 [n, f]."""
    found: Floats = column.combine_chunks().flatten().to_numpy().reshape(len(column), column.type.list_size)
    return found


def rounded_to_half(rows: pa.Table) -> pa.Table:
    """Rows whose vectors have only numbers that 16 bits hold, each the nearest one."""
    for place, field in enumerate(rows.schema):
        if is_vector(field.type):
            nearest = matrix(rows[field.name]).astype(np.float16).astype(np.float32).reshape(-1)
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(nearest), field.type.list_size)
            rows = rows.set_column(place, field, vectors)
    return rows
