"""The Gram matrix, at once and on an engine."""

import numpy as np
import pytest

from recmodels.linear.gram_rows import gram_in_parts, gram_rows
from recmodels.parted import training
from recmodels.parted.training import PartedTraining
from recmodels.testing import small_site


@pytest.mark.parametrize("rows", [23, 10**6])
def test_it_is_that_of_one_piece_to_the_last_bit(
    work: PartedTraining, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    matrix = small_site().matrix.copy()
    matrix.data = np.random.default_rng(0).random(matrix.nnz, dtype=np.float32)
    columns = matrix.T.tocsr()
    found = gram_in_parts(work, columns, matrix)
    np.testing.assert_array_equal(found, gram_rows(columns, matrix))
    dense = matrix.toarray()
    np.testing.assert_allclose(found, dense.T @ dense, rtol=1e-5)
