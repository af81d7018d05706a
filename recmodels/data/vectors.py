"""Vectors of items as terms beside their terms: every number of a vector is one."""

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Floats, empty_matrix

_last: list[tuple[Csr, Floats, Csr]] = []


def described(terms: Csr, vectors: Floats | None) -> Csr:
    """Terms and vectors, half of an item's likeness each; made once for all datasets that share the terms."""
    if vectors is None:
        return terms
    for of_terms, of_vectors, found in _last:
        if of_terms is terms and _are_the_same(of_vectors, vectors):
            return found
    both = with_vectors(terms, vectors, 0.5)
    _last[:] = [(terms, vectors, both)]
    return both


def _are_the_same(one: Floats, other: Floats) -> bool:
    """Whether vectors are the same array, or of the same file."""
    name = getattr(one, "filename", None)
    return one is other or (name is not None and name == getattr(other, "filename", None) and one.shape == other.shape)


def with_vectors(terms: Csr, vectors: Floats, share: float) -> Csr:
    """Terms and vectors side by side, rows of length one: float32 [n_items, n_terms + d], indices ascending.

    The cosine of two items that have both is 1 - `share` times that of their terms plus `share` times that of their
    vectors. An item that has only one of them is that alone.

    Args:
        terms: of the items, rows of length one or empty [n_items, n_terms].
        vectors: of the items, rows of length one or zeros [n_items, d].
        share: of the vectors, 0 to 1.
    """
    if share == 0:
        return terms
    has = np.asarray(vectors).any(axis=1)
    rows = np.flatnonzero(has)
    if share == 1:
        terms = empty_matrix(len(vectors), terms.shape[1])
    worded = np.diff(terms.indptr) > 0
    of_terms = np.where(has & worded, np.sqrt(1 - share), 1).astype(np.float32)
    of_vectors = np.where(worded[rows], np.sqrt(share), 1).astype(np.float32)
    n, width = vectors.shape
    indptr = np.concatenate([[0], np.cumsum(has * width)])
    dense = (vectors[rows] * of_vectors[:, None]).ravel()
    numbers: Csr = sparse.csr_array(
        (dense, np.tile(np.arange(width, dtype=np.int32), len(rows)), indptr), shape=(n, width)
    )
    scaled: Csr = sparse.csr_array(
        (terms.data * np.repeat(of_terms, np.diff(terms.indptr)), terms.indices, terms.indptr), shape=terms.shape
    )
    both: Csr = sparse.hstack([scaled, numbers], format="csr")
    both.sort_indices()
    return both
