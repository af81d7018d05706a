"""A split whose rows stay in its files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import stored
from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED, interactions_file
from recmodels.data.stored import StoredDataset, weights_of_users

COUNTED = ("indptr", "item_counts", "item_weights", "known_items", "total_weight")
LEFT_OUT = np.array([0, 3, 24], np.int32)


@pytest.fixture
def features(features: Path) -> Path:
    """With rows that are not trained on, and small row groups."""
    path = features / PREPARED / interactions_file("train")
    table = pq.read_table(path)
    weight = np.where(np.arange(len(table)) % 7, 1 + np.arange(len(table)) % 3, 0).astype(np.float32)
    table = table.set_column(table.schema.get_field_index("weight"), "weight", pa.array(weight))
    pq.write_table(table, path, row_group_size=50)
    return features


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may read all rows."""
    monkeypatch.setattr(Dataset, "load", None)


@pytest.mark.parametrize("left_out", [None, LEFT_OUT])
def test_what_is_counted_is_that_of_all_rows(
    features: Path, left_out: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, found = Dataset.load(features, "train"), StoredDataset.opened(features, "train")
    monkeypatch.setattr(stored, "PIECE", 33)
    monkeypatch.setattr(Dataset, "load", None)
    if left_out is not None:
        expected, found = expected.without(left_out), found.without(left_out)
    assert len(found) == len(expected)
    for name in COUNTED:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in ("n_users", "n_items", "end", "ids"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.share_since(expected.timestamp[40]) == expected.share_since(expected.timestamp[40]) > 0
    assert found.on_disk


@pytest.mark.parametrize("rows", [10, 33, 10**6])
def test_pieces_are_the_rows_so_many_at_a_time(features: Path, rows: int) -> None:
    names = ["item_index", "weight", "timestamp"]
    expected = [*Dataset.load(features, "train").without(LEFT_OUT).pieces(names, rows)]
    found = [*StoredDataset.opened(features, "train").without(LEFT_OUT).pieces(names, rows)]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for column, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(column, same)


def test_rows_are_read_when_somebody_asks_for_them(features: Path) -> None:
    expected, found = Dataset.load(features, "train"), StoredDataset.opened(features, "train")
    some = found.without(LEFT_OUT)
    np.testing.assert_array_equal(found.matrix.toarray(), expected.matrix.toarray())
    np.testing.assert_array_equal(some.seen.toarray(), expected.without(LEFT_OUT).seen.toarray())
    assert not found.on_disk
    assert len(found) == len(expected)
    np.testing.assert_array_equal(found.without(LEFT_OUT).indptr, some.indptr)
    assert found.terms.shape == expected.terms.shape
    assert found.rated is None
    with pytest.raises(AttributeError, match="nothing"):
        found.nothing  # noqa: B018


@pytest.mark.parametrize("left_out", [None, LEFT_OUT])
def test_weights_of_some_users_are_their_rows_of_the_matrix(features: Path, left_out: np.ndarray | None) -> None:
    data = Dataset.load(features, "train")
    excluded = None
    if left_out is not None:
        data, excluded = data.without(left_out), np.isin(np.arange(data.n_users), left_out)
    found = weights_of_users(features, "train", 2, 19, data.n_items, excluded)
    np.testing.assert_array_equal(found.toarray(), data.matrix[2:19].toarray())
    assert found.has_sorted_indices
