"""The regressions of EASE's approximation."""

import numpy as np
import pytest
from scipy import sparse

from recmodels.linear.ease_regressions import regress, regress_in_parts
from recmodels.parted import training
from recmodels.parted.training import PartedTraining
from recmodels.scoring.similarity import Measure, nearest
from recmodels.scoring.weighted_parts import WeightedParts, Weights
from recmodels.testing import small_site

RIDGE = 3.0


@pytest.mark.parametrize("rows", [300, 10**6])
def test_each_item_is_regressed_on_its_nearest(
    work: PartedTraining, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    data = small_site()
    items = data.matrix.T.tocsr()
    near = nearest(items, Measure("dot"), 5)
    dense = items.toarray().astype(np.float64)
    found = regress_in_parts(WeightedParts.of(work, data, Weights("cosine")), near, RIDGE)
    for item in range(items.shape[0]):
        chosen = near.indices[near.indptr[item] : near.indptr[item + 1]]
        expected = np.linalg.solve(
            dense[chosen] @ dense[chosen].T + RIDGE * np.eye(len(chosen)), dense[chosen] @ dense[item]
        )
        np.testing.assert_allclose(found.toarray()[item, chosen], expected, atol=1e-4)
    in_one_piece = sparse.csr_array((near.data.copy(), near.indices, near.indptr), shape=near.shape)
    regress(items, in_one_piece, np.float32(RIDGE))
    np.testing.assert_array_equal(found.data, in_one_piece.data)
    np.testing.assert_array_equal(found.indices, near.indices)
