"""What filters ask of a matrix."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.linear.products import InParts, Whole
from recmodels.parted import sums, training
from recmodels.parted.training import PartedTraining
from recmodels.scoring.weighted_parts import WeightedParts, Weights
from recmodels.testing import N_ITEMS, N_USERS, small_site


@pytest.mark.parametrize("rows", [60, 10**6])
def test_products_and_squares_are_those_of_dense_matrices(
    work: PartedTraining, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    monkeypatch.setattr(sums, "SUMMED", 3)  # several parts in a bucket
    site = small_site()
    weight = np.random.default_rng(7).integers(1, 4, len(site))
    data = Dataset.from_arrays(site.user_index, site.item_index, weight=weight, n_users=N_USERS, n_items=N_ITEMS)
    whole = data.matrix.toarray().astype(np.float64)
    of_user, of_item = (np.maximum(whole.sum(axis=axis), 1e-9) for axis in (1, 0))
    dense = whole * of_user[:, None] ** -0.4 * of_item**-0.3
    matrix = data.matrix.copy()
    matrix.data = dense[matrix.nonzero()].astype(np.float32)
    basis = np.random.default_rng(0).standard_normal((N_ITEMS, 70), dtype=np.float32)
    parts = InParts(WeightedParts.of(work, data, Weights("powers", exponents=(-0.4, -0.3))))
    for _ in range(2):  # the second is of another basis
        for one in (Whole(matrix), parts):
            np.testing.assert_allclose(one.applied(basis), dense.T @ (dense @ basis), rtol=1e-4, atol=1e-4)
        basis = -basis
    for one in (Whole(matrix), parts):
        np.testing.assert_allclose(one.squares(), (dense**2).sum(axis=0), rtol=1e-5)
        assert one.shape == (N_USERS, N_ITEMS)
