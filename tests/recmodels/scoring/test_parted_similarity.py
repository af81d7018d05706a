"""Nearest neighbors on an engine."""

import numpy as np
import pytest

from recmodels.parted import training
from recmodels.parted.training import PartedTraining
from recmodels.scoring.parted_similarity import nearest_in_parts
from recmodels.scoring.similarity import Measure, nearest
from recmodels.testing import small_site

MEASURES = [Measure("dot", powers=(0.5, 0.2)), Measure("jaccard", 1.0), Measure("pearson"), Measure("dot", 0.0, 2)]


@pytest.mark.parametrize("measure", MEASURES, ids=str)
@pytest.mark.parametrize(("rows", "k"), [(30, 3), (100, 100)])
def test_neighbors_are_those_of_one_piece_to_the_last_bit(
    work: PartedTraining, measure: Measure, rows: int, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    items = small_site().matrix.T.tocsr()
    items.data = np.random.default_rng(0).random(items.nnz, dtype=np.float32) + np.float32(0.5)
    found, expected = nearest_in_parts(work, items, measure, k), nearest(items, measure, k)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
