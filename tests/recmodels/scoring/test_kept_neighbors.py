"""Neighbors of items of which most are as they were: those that are kept, and those that are not."""

import numpy as np
import pytest
from scipy import sparse

from recmodels.data.arrays import Csr
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions
from recmodels.parted.training import parted_training
from recmodels.scoring.kept_neighbors import nearest_after
from recmodels.scoring.similarity import Measure, nearest
from recmodels.scoring.unchanged import Kept

K, N = 5, 40
MEASURE = Measure("dot", powers=(0.5, 0.2))


def rows(seed: int) -> Csr:
    matrix = np.random.default_rng(seed).random((N, 60)) * (np.random.default_rng(seed).random((N, 60)) < 0.2)
    return sparse.csr_array(matrix.astype(np.float32))


def kept_of(earlier: Csr, changed: np.ndarray) -> Kept:
    unchanged = sparse.diags_array((~changed).astype(np.float32))
    return Kept(changed, sparse.csr_array(unchanged @ earlier), np.ones(N, np.int64))


@pytest.mark.parametrize("in_parts", [False, True])
def test_similarities_are_todays_unless_both_items_are_unchanged(in_parts: bool, tmp_path) -> None:
    """By dense products: of yesterday's nearest those that are unchanged, of today's those that have changed."""
    then, now = rows(0), rows(1)
    changed = np.arange(N) % 3 == 0
    kept = kept_of(nearest(then, MEASURE, K), changed)
    data = Dataset.from_arrays([0], [0])
    with parted_training(tmp_path if in_parts else None, "neighbors", data, {}) as training:
        found = nearest_after(training, now, MEASURE, K, kept).toarray()
    squares = np.square(now.toarray()).sum(axis=1)
    today = (now @ now.T).toarray() / (squares[:, None] ** 0.5 * squares**0.2)
    np.fill_diagonal(today, 0)
    for row in range(N):
        values = today[row].copy()
        if not changed[row]:
            values[~changed] = kept.rows.toarray()[row, ~changed]
        expected = np.zeros(N)
        best = np.lexsort((np.arange(N), -values))[:K]
        expected[best] = values[best]
        np.testing.assert_allclose(found[row], expected, rtol=1e-5)


def test_with_nothing_kept_and_with_nothing_changed() -> None:
    matrix = rows(0)
    whole = nearest(matrix, MEASURE, K)
    for changed in (np.ones(N, bool), np.zeros(N, bool)):
        found = nearest_after(None, matrix, MEASURE, K, kept_of(whole, changed))
        assert (found != whole).nnz == 0
    assert (nearest_after(None, matrix, MEASURE, K, None) != whole).nnz == 0


def test_in_parts_it_is_the_same_to_the_last_bit(in_parts: FitOptions) -> None:
    changed = np.arange(N) % 4 == 0
    kept = kept_of(nearest(rows(0), MEASURE, K), changed)
    with parted_training(in_parts.parts, "neighbors", Dataset.from_arrays([0], [0]), {}) as training:
        one = nearest_after(training, rows(1), MEASURE, K, kept)
    other = nearest_after(None, rows(1), MEASURE, K, kept)
    assert all((getattr(one, part) == getattr(other, part)).all() for part in ("indptr", "indices", "data"))
