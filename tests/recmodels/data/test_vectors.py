"""Vectors beside terms: the cosine of two items is the mean of both, weighed."""

import numpy as np
from scipy import sparse

from recmodels.data.vectors import described, with_vectors

TERMS = sparse.csr_array(np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 0], [0, 0, 1]], np.float32))
VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], np.float32)


def cosines(share: float) -> np.ndarray:
    both = with_vectors(TERMS, VECTORS, share).toarray()
    assert both.dtype == np.float32 and both.shape == (4, 5 if share else 3)
    products: np.ndarray = both @ both.T
    return products


def test_the_cosine_is_the_mean_of_both() -> None:
    found = cosines(0.25)
    assert np.isclose(found[0, 1], 0.75 * 0.6 + 0.25 * 0)
    np.testing.assert_allclose(np.diag(found), 1, rtol=1e-6)  # items that have only one of both, too
    assert np.isclose(found[0, 2], np.sqrt(0.25) * 0.6)


def test_a_share_of_nothing_or_all_leaves_one_of_them() -> None:
    np.testing.assert_array_equal(cosines(0), TERMS.toarray() @ TERMS.toarray().T)
    np.testing.assert_allclose(cosines(1), VECTORS @ VECTORS.T, rtol=1e-6)


def test_datasets_that_share_their_terms_are_described_once() -> None:
    once = described(TERMS, VECTORS)
    np.testing.assert_array_equal(once.toarray(), with_vectors(TERMS, VECTORS, 0.5).toarray())
    assert described(TERMS, VECTORS) is once
    assert described(TERMS.copy(), VECTORS) is not once
    assert described(TERMS, None) is TERMS


def test_vectors_that_are_gone_are_not_taken_for_later_ones() -> None:
    for seed in range(3):  # the next array is made where the last one was
        vectors = np.random.default_rng(seed).normal(size=(4, 2)).astype(np.float32)
        found = described(TERMS, vectors)
        np.testing.assert_array_equal(found.toarray(), with_vectors(TERMS, vectors, 0.5).toarray())
        del vectors, found
