"""The largest eigenpairs of a sparse Gram matrix."""

import numpy as np

from recmodels.linear.spectral import largest_eigenpairs
from recmodels.testing import small_site


def test_eigenpairs_are_those_of_the_dense_matrix() -> None:
    matrix = small_site().matrix
    values, vectors = largest_eigenpairs(matrix, 5, seed=0)
    dense = matrix.toarray().astype(np.float64)
    expected = np.linalg.eigvalsh(dense.T @ dense)[::-1][:5]
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(dense.T @ dense @ vectors, vectors * values, atol=1e-3)
