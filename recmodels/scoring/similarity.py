"""Similarities of the rows of a sparse matrix (items by users, or users by items): weightings, nearest neighbors.

Definitions, for rows x and y of n columns; n_x entries are stored in x, and C are the columns that both store:

- cosine    x·y / (|x| |y|)                                                     (Salton & McGill, 1983)
- jaccard   |C| / (n_x + n_y - |C|)
- tfidf     cosine of √x_c log(1 + n_rows / rows that store c): rare columns count more
- bm25      x·y, with x_c (k1 + 1) / (x_c + k1 (1 - b + b Σx / mean Σx)) log(1 + n_rows / rows that store c)
            (Robertson et al., 1994)
- pearson   Σ_C x'y' / √(Σ_C x'² Σ_C y'²) of values x' = x - center            (Resnick et al., 1994)

Each is divided by how popular the two rows are, to powers of choice, or shrunk where few columns support it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Doubles, Floats, Ints, chunks, entries_of

ENTRIES_AT_A_TIME = 2**22  # entries of a matrix that are looked at in numpy at a time

Weighting: TypeAlias = Literal["cosine", "jaccard", "tfidf", "bm25"]


@dataclass(frozen=True)
class Measure:
    """What `nearest` computes from the values of the rows."""

    kind: Literal["dot", "jaccard", "pearson"]
    shrinkage: float = 0.0
    min_support: int = 1
    powers: tuple[float, float] = (0.5, 0.5)  # dot only: of the squared norms of a row and of its neighbor


def weighted_rows(rows: Csr, weighting: str, k1: float = 1.2, b: float = 0.75) -> Csr:
    """The values of which the weightings above take the cosine, or the product: a new matrix of the same entries."""
    if weighting == "cosine":
        return rows
    if weighting == "jaccard":  # counts of columns
        return sparse.csr_array((np.ones_like(rows.data), rows.indices, rows.indptr), shape=rows.shape)
    stored = np.zeros(rows.shape[1], np.int64)
    for part in _parts(len(rows.indices)):
        stored += np.bincount(rows.indices[part], minlength=rows.shape[1])
    idf, values = idf_of(stored, rows.shape[0]), np.empty_like(rows.data)
    if weighting == "tfidf":
        for part in _parts(len(values)):
            values[part] = np.sqrt(rows.data[part]) * idf[rows.indices[part]]
    else:
        lengths = np.repeat(lengths_of(np.asarray(rows.sum(axis=1)), k1, b), np.diff(rows.indptr))
        values = weighted_values(rows.data, "bm25", idf[rows.indices], lengths, k1)
    return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)


def weighted_values(values: Floats, weighting: Weighting, idf: Floats, lengths: Floats, k1: float) -> Floats:
    """The same of some entries [m], of which one knows the `idf` of the column and, by `lengths_of`, the row."""
    match weighting:
        case "cosine":
            return values
        case "jaccard":
            return np.ones_like(values)
        case "tfidf":
            return np.sqrt(values) * idf
        case "bm25":
            return values * (k1 + 1) / (values + lengths) * idf


def idf_of(stored: NDArray[np.integer[Any]], n_rows: int) -> Floats:
    """How rare columns are that so many of the rows store: float32."""
    idf: Floats = np.log1p(n_rows / np.maximum(stored, 1)).astype(np.float32)  # above 0: small sites' items are common
    return idf


def lengths_of(sums: NDArray[np.floating[Any]], k1: float, b: float) -> Floats:
    """BM25 alone: how soon larger values of rows with these sums add no more: float32 [n]."""
    sums = np.asarray(sums, dtype=np.float32)
    lengths: Floats = k1 * (1 - b + b * sums / max(float(sums.mean()), 1e-9))
    return lengths


def nearest(rows: Csr, measure: Measure, k: int, columns: Csr | None = None, chosen: Bools | None = None) -> Csr:
    """Row j of the result [n, n] holds j's k most similar rows: similarities above 0, columns ascending, never j.

    Ties at the k-th place go to the smaller index. `columns` [l, n] is the transpose of `rows`, where there is one.
    Rows that are not `chosen` stay empty, if only some are. Memory: the transpose, and k entries a row.
    """
    n = rows.shape[0]
    columns = rows.T.tocsr() if columns is None else columns
    compared = rows if chosen is None else only(rows, chosen)
    return nearest_of(compared, measure, min(k, n - 1), columns, *denominators(rows, measure))


def only(rows: Csr, chosen: Bools) -> Csr:
    """The same matrix with nothing in the rows that are not chosen."""
    return entries_of(rows, np.repeat(chosen, np.diff(rows.indptr)))


def nearest_of(rows: Csr, measure: Measure, k: int, columns: Csr, left: Floats, right: Floats, first: int = 0) -> Csr:
    """The same for some rows [m, l] alone, from the one called `first` on: [m, n].

    Args:
        rows: the rows.
        measure: what is computed.
        k: neighbors of a row at most.
        columns: the transpose of all rows [l, n].
        left: what `denominators` says of all rows.
        right: likewise.
        first: the place of the first row among all.
    """
    from recmodels.compute.jit import parallel_for
    from recmodels.scoring import kernels

    m, k = rows.shape[0], max(1, k)
    order = np.argsort(-products_of(rows, columns), kind="stable")  # rows by falling number of products
    kind = {"dot": kernels.DOT, "jaccard": kernels.JACCARD, "pearson": kernels.PEARSON}[measure.kind]
    both = order, kernels.parts(rows), kernels.parts(columns)
    shrinkage = np.float32(measure.shrinkage)
    items, scores, filled = np.empty(m * k, np.int32), np.empty(m * k, np.float32), np.zeros(m, np.int32)
    out = items.reshape(m, k), scores.reshape(m, k), filled
    if measure.kind == "pearson" or measure.min_support > 1:
        support = measure.min_support
        work = partial(kernels.supported_rows, *both, left, right, shrinkage, kind, support, first, *out)
    else:
        work = partial(kernels.similar_rows, *both, left, right, shrinkage, kind, first, *out)
    parallel_for(work, range(kernels.TASKS))
    del work, out
    return packed(items, scores, filled, k, columns.shape[1])


def products_of(rows: Csr, columns: Csr) -> NDArray[np.int64]:
    """How many products of stored values each row of `rows` [m, l] times `columns` [l, n] takes: int64 [m]."""
    entries = np.diff(columns.indptr).astype(np.int64)
    return row_sums(rows, lambda part: entries[rows.indices[part]])


def denominators(rows: Csr, measure: Measure) -> tuple[Floats, Floats]:
    """What belongs to a row and to its neighbor in the denominator: float32 [n] each."""
    if measure.kind == "jaccard":
        return denominators_of(np.diff(rows.indptr), measure)
    return denominators_of(row_sums(rows, lambda part: rows.data[part].astype(np.float64) ** 2), measure)


def denominators_of(squares: Doubles, measure: Measure) -> tuple[Floats, Floats]:
    """The same of rows with these sums of squares [n], which for `jaccard` are the numbers of their entries."""
    if measure.kind == "jaccard":
        sizes = squares.astype(np.float32)
        return sizes, sizes
    squares = np.where(squares == 0, 1, squares)  # no product will ever be divided by it
    left, right = (squares**power for power in measure.powers)
    return left.astype(np.float32), right.astype(np.float32)


def row_sums(rows: Csr, values: Callable[[slice], NDArray[Any]]) -> NDArray[Any]:
    """The sums over each row of what `values` says of a range of its entries: [n]; some rows at a time."""
    sizes = np.diff(rows.indptr)
    sums = np.zeros(len(sizes), values(slice(0, 0)).dtype)
    for start, stop in chunks(sizes, ENTRIES_AT_A_TIME):
        first, last = rows.indptr[start], rows.indptr[stop]
        some = start + np.flatnonzero(sizes[start:stop])
        if len(some):
            sums[some] = np.add.reduceat(values(slice(first, last)), rows.indptr[some] - first)
    return sums


def _parts(n: int) -> Iterator[slice]:
    return (slice(start, start + ENTRIES_AT_A_TIME) for start in range(0, n, ENTRIES_AT_A_TIME))


def packed(items: Ints, scores: Floats, filled: Ints, k: int, n_columns: int) -> Csr:
    """Rows of the kernel's tables, which are given as one row after the other, without their empty places: in place."""
    n = len(filled)
    indptr = np.concatenate(([0], np.cumsum(filled, dtype=np.int64)))
    total = int(indptr[-1])
    if total < n * k:
        step = max(1, ENTRIES_AT_A_TIME // k)
        for start in range(0, n, step):
            there = (np.arange(k) < filled[start : start + step, None]).ravel()
            for table in (items, scores):
                kept = table[start * k : start * k + len(there)][there]
                table[indptr[start] : indptr[start] + len(kept)] = kept
        items.resize(total, refcheck=False)
        scores.resize(total, refcheck=False)
    if total < 2**31:
        indptr = indptr.astype(np.int32)
    return sparse.csr_array((scores, items, indptr), shape=(n, n_columns))


def centered(rows: Csr) -> Csr:
    """The stored values of each row less their mean: a row of equal values becomes one of exact zeros."""
    sizes = np.diff(rows.indptr)
    sums = np.add.reduceat(np.append(rows.data.astype(np.float64), 0), rows.indptr[:-1])
    means = np.where(sizes > 0, sums / np.maximum(sizes, 1), 0)
    values = (rows.data - np.repeat(means, sizes)).astype(np.float32)
    values[np.abs(values) < 1e-6 * np.abs(rows.data)] = 0  # what rounding left
    return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)
