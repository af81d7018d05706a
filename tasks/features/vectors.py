"""Vectors of items and users as models take them: centered, at most so long, of length one.

The vectors of encoders have much in common, which says nothing of an item: their mean is taken off each. Vectors that
are longer than wanted are reduced to their principal components. Mean and components are those of the known items of
the split, so that training knows nothing of what comes later.

References:
    Mu and Viswanath, "All-but-the-top: simple and effective postprocessing for word representations", ICLR 2018.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recmodels.data import layout
from recmodels.data.arrays import Bools, Doubles, Floats, Longs
from recmodels.messages import counted
from tasks.features.column_roles import VECTOR as COLUMN
from tasks.features.terms import Terms
from tasks.store.events import log_event
from tasks.store.vector_tables import VECTOR, VECTOR_TABLES

ROWS = 2**13  # vectors that are read, and changed, at a time
FITTED = 50_000  # the most of them that mean and components are found from
SMALLEST = 1e-6  # a vector that is so near the mean says nothing

Blocks: TypeAlias = Iterable[tuple[Longs, Floats]]
"""Rows, and the vector of each: [m] and [m, d]."""


def given_vectors(valid: Path, name: str, ids: pa.ChunkedArray) -> tuple[int, Blocks] | None:
    """The length of the vectors in a table of `valid`, and those of some ids, each with its row in `ids`."""
    path = valid / f"{name}.parquet"
    if not path.exists():
        return None
    return pq.read_schema(path).field(VECTOR).type.list_size, _read(path, VECTOR_TABLES[name], ids.combine_chunks())


def _read(path: Path, key: str, ids: pa.Array) -> Iterator[tuple[Longs, Floats]]:
    with pq.ParquetFile(path) as file:
        found = pc.index_in(file.read([key])[key].cast(ids.type), value_set=ids)
        row: Longs = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        if len(row) and row.max() < 0:
            of = counted(len(row), "id")
            log_event("features", "note", f"{path.stem}: none of {of} is one that the other tables have")
        for batch in file.iter_batches(ROWS, columns=[VECTOR]):
            rows, row = row[: len(batch)], row[len(batch) :]
            yield rows[rows >= 0], _directions(batch[VECTOR].filter(pa.array(rows >= 0)))


def _directions(vectors: pa.FixedSizeListArray) -> Floats:
    """Vectors of length one, however short those that are given are: only their directions count."""
    given = vectors.flatten().to_numpy().reshape(len(vectors), vectors.type.list_size)
    lengths = np.linalg.norm(given.astype(np.float64), axis=1, keepdims=True)
    found: Floats = (given / lengths).astype(np.float32)
    return found


def write_item_vectors(out: Path, n_items: int, dimension: int, blocks: Blocks, known: Bools, longest: int) -> int:
    """Write the vectors of the items as `layout.read_vectors` reads them; zeros where an item has none.

    Args:
        out: the folder of a split's features.
        n_items: of the catalogue.
        dimension: of the vectors that are given.
        blocks: the vectors.
        known: which items have interactions in the split, bool [n_items].
        longest: the most numbers of a vector that is written.

    Returns:
        How many items have a vector.
    """
    path, temporary = out / layout.ITEM_VECTORS, out / f".tmp-{layout.ITEM_VECTORS}"
    has = np.zeros(n_items, np.bool_)
    whole = np.lib.format.open_memmap(temporary, "w+", np.float32, (n_items, dimension))
    for rows, vectors in blocks:
        whole[rows] = directions = unit(vectors)
        has[rows] = directions.any(axis=1)  # an encoder may make nothing of a text
    written = np.lib.format.open_memmap(path, "w+", np.float32, (n_items, min(longest, dimension)))
    _center(whole, has, known, written)
    written.flush()
    del whole, written
    temporary.unlink()
    return int(has.sum())


def user_terms(valid: Path, ids: pa.ChunkedArray, known: Bools, longest: int) -> Terms | None:
    """The vectors of the users as features beside those of the user table; None where there are none."""
    given = given_vectors(valid, "user_vectors", ids)
    if given is None:
        return None
    dimension, blocks = given
    vectors, has = np.zeros((len(ids), dimension), np.float32), np.zeros(len(ids), np.bool_)
    for rows, some in blocks:
        vectors[rows], has[rows] = some, True
    width = min(longest, dimension)
    _center(vectors, has, known, vectors[:, :width])
    there = vectors[:, :width].any(axis=1)  # one that is the mean of all says nothing
    if not there.any():
        return None
    indptr = np.concatenate([[0], np.cumsum(there * width)])
    numbers = np.tile(np.arange(width, dtype=np.int32), int(there.sum()))
    weights = sp.csr_array((vectors[there, :width].ravel(), numbers, indptr), shape=(len(ids), width))
    frequency, idf = np.full(width, (has & known).sum(), np.int32), np.ones(width, np.float32)
    return Terms(COLUMN, [str(place) for place in range(width)], frequency, idf, weights)


def _center(given: Floats, has: Bools, known: Bools, out: Floats) -> None:
    """Write vectors [n, d] as models take them: [n, d], or fewer numbers; zeros where there is none.

    Args:
        given: of length one.
        has: which rows have one.
        known: which rows the mean and the components are of, if any of these has one.
        out: may be a part of `given`.
    """
    fit = has & known if (has & known).any() else has
    mean, components = fitted(given, np.flatnonzero(fit), out.shape[1])
    for start in range(0, len(given), ROWS):
        part = slice(start, start + ROWS)
        some: Floats = given[part] - mean
        some = some if components is None else some @ components
        out[part] = unit(some) * has[part, None]


def fitted(vectors: Floats, rows: Longs, longest: int) -> tuple[Floats, Floats | None]:
    """The mean of some rows [d], and their first principal components [d, longest] if vectors are longer than that.

    The sign of a component makes its largest number positive, so that those of two nights are alike.
    """
    some: Doubles = vectors[rows[:: -(-len(rows) // FITTED) or 1]].astype(np.float64)
    mean = some.mean(axis=0) if len(some) else np.zeros(vectors.shape[1])
    if vectors.shape[1] <= longest:
        return mean.astype(np.float32), None
    some -= mean
    components = np.linalg.eigh(some.T @ some)[1][:, ::-1][:, :longest]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=0)[None], axis=0)
    return mean.astype(np.float32), (components * np.sign(largest)).astype(np.float32)


def unit(vectors: Floats) -> Floats:
    """Rows of length one; those of next to nothing are zeros."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    scaled: Floats = np.where(lengths > SMALLEST, vectors / np.maximum(lengths, SMALLEST), 0).astype(np.float32)
    return scaled
