"""LAPACK and torch give the same inverse of a Gram matrix."""

import numpy as np
import pytest

from recmodels.errors import NightrecError
from recmodels.linear import gram_inverse
from recmodels.testing import small_site


def test_torch_inverts_as_lapack_does() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 700), dtype=np.float32)  # more rows than a block
    gram = X.T @ X + 5 * np.eye(700, dtype=np.float32)
    by_lapack, by_torch = gram.copy(), gram.copy()
    assert gram_inverse.invert(by_lapack) and gram_inverse.invert_by_torch(by_torch, "cpu")
    np.testing.assert_allclose(by_lapack, np.linalg.inv(gram.astype(np.float64)), atol=1e-5)
    np.testing.assert_allclose(by_torch, by_lapack, atol=1e-5)
    assert not gram_inverse.invert_by_torch(-gram, "cpu")


def test_an_indefinite_matrix_is_refused() -> None:
    with pytest.raises(NightrecError, match="regularization -5"):
        gram_inverse.inverse_of_gram(small_site().matrix, -5)
