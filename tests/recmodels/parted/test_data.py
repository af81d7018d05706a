"""The interactions of a split as parts."""

import numpy as np
import pytest

from recmodels.parted import training
from recmodels.parted.data import data_parts, user_range, user_ranges
from recmodels.parted.training import PartedTraining
from recmodels.testing import small_site


@pytest.mark.parametrize("rows", [17, 40, 10**6])
def test_parts_are_all_interactions_by_user_and_by_item(
    work: PartedTraining, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ROWS", rows)
    data = small_site()
    parts = [user_range(part) for part in data_parts(work, data)]
    assert len(parts) == len(user_ranges(data)) <= -(-data.matrix.nnz // rows)
    for part, (first, last) in zip(parts, user_ranges(data), strict=True):
        own = data.matrix[first:last]
        np.testing.assert_array_equal(part.items, np.unique(own.indices))
        np.testing.assert_array_equal(part.by_user.toarray(), own.toarray()[:, part.items])
        np.testing.assert_array_equal(part.by_item.toarray(), part.by_user.toarray().T)


def test_parts_are_made_once_for_all_models(work: PartedTraining) -> None:
    first = data_parts(work, small_site())
    before = [(part / "part.json").stat().st_mtime_ns for part in first]
    other = PartedTraining(work.folder / "other", work.shared, "other")
    assert data_parts(other, small_site()) == first
    assert [(part / "part.json").stat().st_mtime_ns for part in first] == before
