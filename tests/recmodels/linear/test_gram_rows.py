"""The Gram matrix, at once and on an engine."""

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.linear.gram_rows import gram_in_parts, gram_rows
from recmodels.parted import training
from recmodels.parted.training import PartedTraining
from recmodels.scoring.weighted_parts import WeightedParts, Weights
from recmodels.testing import N_ITEMS, N_USERS, small_site


@pytest.mark.parametrize("rows", [60, 10**6])
@pytest.mark.slow
def test_it_is_that_of_one_piece_to_the_last_bit(
    work: PartedTraining, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    site = small_site()
    weight = np.random.default_rng(0).random(len(site), dtype=np.float32) + np.float32(0.1)
    data = Dataset.from_arrays(site.user_index, site.item_index, weight=weight, n_users=N_USERS, n_items=N_ITEMS)
    items = np.flatnonzero(np.arange(N_ITEMS) % 3).astype(np.int32)
    found = gram_in_parts(WeightedParts.of(work, data, Weights("cosine")), items)
    matrix = data.matrix[:, items]
    np.testing.assert_array_equal(found, gram_rows(matrix.T.tocsr(), matrix))
    dense = matrix.toarray()
    np.testing.assert_allclose(found, dense.T @ dense, rtol=1e-5)
