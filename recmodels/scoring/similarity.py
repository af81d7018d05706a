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

from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Floats, Ints

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
    if weighting in ("cosine", "jaccard"):
        return rows
    stored = np.maximum(np.bincount(rows.indices, minlength=rows.shape[1]), 1)
    idf = np.log1p(rows.shape[0] / stored).astype(np.float32)  # above 0: on a small site, all items are common
    if weighting == "tfidf":
        values = np.sqrt(rows.data) * idf[rows.indices]
    else:
        sums = np.asarray(rows.sum(axis=1), dtype=np.float32)
        length = k1 * (1 - b + b * sums / max(float(sums.mean()), 1e-9))
        values = rows.data * (k1 + 1) / (rows.data + np.repeat(length, np.diff(rows.indptr))) * idf[rows.indices]
    return sparse.csr_array((values.astype(np.float32), rows.indices, rows.indptr), shape=rows.shape)


def nearest(rows: Csr, measure: Measure, k: int) -> Csr:
    """Row j of the result [n, n] holds j's k most similar rows: similarities above 0, columns ascending, never j.

    Ties at the k-th place go to the smaller index. Memory: two transposes of `rows`, and k entries a row.
    """
    from recmodels.compute.jit import parallel_for
    from recmodels.scoring import kernels

    n = rows.shape[0]
    k = max(1, min(k, n - 1))
    columns: Csr = rows.T.tocsr()  # [l, n]
    entries = np.diff(columns.indptr).astype(np.int64)
    cost = np.add.reduceat(np.append(entries[rows.indices], 0), rows.indptr[:-1]) * (np.diff(rows.indptr) > 0)
    order = np.argsort(-cost, kind="stable")  # rows by falling number of products
    left, right = _denominators(rows, measure)
    kind = {"dot": kernels.DOT, "jaccard": kernels.JACCARD, "pearson": kernels.PEARSON}[measure.kind]
    both = order, kernels.parts(rows), kernels.parts(columns)
    shrinkage = np.float32(measure.shrinkage)
    out = np.empty((n, k), np.int32), np.empty((n, k), np.float32), np.zeros(n, np.int32)
    if measure.kind == "pearson" or measure.min_support > 1:
        support = measure.min_support
        work = partial(kernels.supported_rows, *both, left, right, shrinkage, kind, support, *out)
    else:
        work = partial(kernels.similar_rows, *both, left, right, shrinkage, kind, *out)
    parallel_for(work, range(kernels.TASKS))
    return _packed(*out)


def _denominators(rows: Csr, measure: Measure) -> tuple[Floats, Floats]:
    """What belongs to a row and to its neighbor in the denominator: float32 [n] each."""
    if measure.kind == "jaccard":
        sizes = np.diff(rows.indptr).astype(np.float32)
        return sizes, sizes
    squares = np.add.reduceat(np.append(rows.data.astype(np.float64) ** 2, 0), rows.indptr[:-1])
    squares[(np.diff(rows.indptr) == 0) | (squares == 0)] = 1  # no product will ever be divided by it
    left, right = (squares**power for power in measure.powers)
    return left.astype(np.float32), right.astype(np.float32)


def _packed(items: Ints, scores: Floats, filled: Ints) -> Csr:
    """Rows of the kernel's tables without their empty places."""
    n, k = items.shape
    indptr = np.concatenate(([0], np.cumsum(filled, dtype=np.int64)))
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    if indptr[-1] == n * k:  # nothing to leave out: no copy
        return sparse.csr_array((scores.ravel(), items.ravel(), indptr), shape=(n, n))
    there = np.arange(k) < filled[:, None]
    return sparse.csr_array((scores[there], items[there], indptr), shape=(n, n))


def centered(rows: Csr) -> Csr:
    """The stored values of each row less their mean: a row of equal values becomes one of exact zeros."""
    sizes = np.diff(rows.indptr)
    sums = np.add.reduceat(np.append(rows.data.astype(np.float64), 0), rows.indptr[:-1])
    means = np.where(sizes > 0, sums / np.maximum(sizes, 1), 0)
    values = (rows.data - np.repeat(means, sizes)).astype(np.float32)
    values[np.abs(values) < 1e-6 * np.abs(rows.data)] = 0  # what rounding left
    return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)
