"""Products AᵀA V."""

import numpy as np
import pytest

from recmodels.linear.products import Products, applied_to
from recmodels.parted import training
from recmodels.parted.training import PartedTraining
from recmodels.testing import small_site


@pytest.mark.parametrize("rows", [23, 10**6])
def test_products_are_those_of_dense_matrices(work: PartedTraining, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    matrix = small_site().matrix
    basis = np.random.default_rng(0).standard_normal((matrix.shape[1], 70), dtype=np.float32)
    dense = matrix.toarray().astype(np.float64)
    expected = dense.T @ (dense @ basis)
    np.testing.assert_allclose(applied_to(matrix, basis), expected, rtol=1e-4, atol=1e-3)
    products = Products(work, matrix)
    for _ in range(2):  # the second is of another basis
        np.testing.assert_allclose(products(basis), expected, rtol=1e-4, atol=1e-3)
        basis, expected = -basis, -expected
