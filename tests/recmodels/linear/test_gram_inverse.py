"""LAPACK and torch give the same inverse of a Gram matrix."""

import numpy as np
import pytest
from scipy import sparse

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


def few_users() -> sparse.csr_array:
    """21 users and 160 items; one user has nothing, and one item is all that its users have."""
    rng = np.random.default_rng(0)
    X = (rng.random((21, 160)) < 0.3) * rng.random((21, 160), dtype=np.float32)
    X[3], X[4:6], X[:, 7] = 0, 0, 0
    X[4:6, 7] = 1
    return sparse.csr_array(X.astype(np.float32))


@pytest.mark.parametrize("regularization", [0.01, 1.0, 100.0])
def test_with_few_users_the_inverse_is_the_same(regularization: float) -> None:
    matrix = few_users()
    X = matrix.toarray().astype(np.float64)
    expected = np.linalg.inv(X.T @ X + regularization * np.eye(160))
    inverse = gram_inverse.inverse_of_gram(matrix, regularization)
    weights, wanted = inverse / inverse.diagonal(), expected / expected.diagonal()
    np.testing.assert_allclose(weights, wanted, atol=1e-6)  # ten to a thousand times as exact as by LAPACK


def test_with_few_users_items_are_not_inverted_unless_digits_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gram_inverse, "invert", lambda gram: False)
    gram_inverse.inverse_of_gram(few_users(), 0.1)
    for regularization in (1e-5, 0):
        with pytest.raises(NightrecError, match="cannot invert"):
            gram_inverse.inverse_of_gram(few_users(), regularization)


def test_an_indefinite_matrix_is_refused() -> None:
    with pytest.raises(NightrecError, match="regularization -5"):
        gram_inverse.inverse_of_gram(small_site().matrix, -5)
