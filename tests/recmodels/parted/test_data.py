"""The interactions of a split as parts."""

from pathlib import Path

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.stored import StoredDataset
from recmodels.parted import training
from recmodels.parted.data import data_parts, user_range, user_ranges
from recmodels.parted.training import PartedTraining, digest_of
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


@pytest.mark.parametrize("left_out", [[], [3, 5, 17]])
def test_parts_of_data_on_the_disk_are_those_of_data_in_memory(
    features: Path, tmp_path: Path, small_buckets: None, left_out: list[int]
) -> None:
    users = np.array(left_out, np.int32)
    data = Dataset.load(features, "train").without(users)
    on_disk = StoredDataset.opened(features, "train")
    on_disk = on_disk.without(users) if left_out else on_disk
    found = []
    for name, one in (("memory", data), ("disk", on_disk)):
        work = PartedTraining(tmp_path / name / "own", tmp_path / name / "shared", "key")
        found.append([{path.name: path.read_bytes() for path in part.glob("*.npy")} for part in data_parts(work, one)])
    assert found[0] == found[1]
    assert len(found[0]) > 3
    assert isinstance(on_disk, StoredDataset)
    assert on_disk.on_disk


def test_data_of_other_files_or_users_are_other_data(features: Path) -> None:
    on_disk = StoredDataset.opened(features, "train")
    found = [digest_of(on_disk), digest_of(on_disk.without(np.array([1]))), digest_of(on_disk.without(np.array([2])))]
    (features / "prepared" / "holdout.parquet").unlink()
    found.append(digest_of(on_disk))
    assert len(set(found)) == 4
