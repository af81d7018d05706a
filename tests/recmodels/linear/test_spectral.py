"""The largest eigenpairs of a sparse Gram matrix."""

import numpy as np

from recmodels.linear.products import Whole
from recmodels.linear.spectral import largest_eigenpairs
from recmodels.testing import small_site


def test_eigenpairs_are_those_of_the_dense_matrix() -> None:
    matrix = small_site().matrix
    values, vectors = largest_eigenpairs(Whole(matrix), 5, seed=0)
    dense = matrix.toarray().astype(np.float64)
    expected = np.linalg.eigvalsh(dense.T @ dense)[::-1][:5]
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(dense.T @ dense @ vectors, vectors * values, atol=1e-3)


def test_vectors_that_are_near_take_one_iteration() -> None:
    """The matrix has lost some of its entries since: the eigenvalues are as from a random start, which takes three."""
    then = small_site().matrix
    now = then.copy()
    now.data[::50] = 0
    now.eliminate_zeros()
    _, near = largest_eigenpairs(Whole(then), 20, seed=0)
    expected = np.linalg.eigvalsh((now.T @ now).toarray().astype(np.float64))[::-1][:20]
    for start in (None, near):
        values, vectors = largest_eigenpairs(Whole(now), 20, seed=1, near=start)
        np.testing.assert_allclose(values, expected, rtol=2e-3)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(20), atol=1e-5)
