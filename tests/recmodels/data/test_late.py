"""Parts of a split that are read when somebody asks for them."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.late import LateRows
from recmodels.data.layout import PREPARED, interactions_file
from recmodels.errors import DataRefused
from tests.recmodels.same import assert_same

ROWS = {"user_index", "item_index", "weight", "rating", "rated", "seen", "timestamp"}


@pytest.fixture(params=[False, True], ids=["all", "excluded and rated"])
def split(features: Path, request: pytest.FixtureRequest) -> Path:
    """The file of a split, all of whose pairs are trained on; or some are not, and some have ratings."""
    path = features / PREPARED / interactions_file("train")
    table = pq.read_table(path)
    n = np.arange(len(table))
    columns = {"weight": (1 + n % 3).astype(np.float32)}
    if request.param:
        columns = {
            "weight": np.where(n % 7, 1 + n % 3, 0).astype(np.float32),
            "rating": np.where(n % 5, n % 4, np.nan).astype(np.float32),
        }
    table = table.drop_columns([name for name in ("weight", "rating") if name in table.column_names])
    for name, column in columns.items():
        table = table.append_column(name, pa.array(column))
    pq.write_table(table, path)
    return path


def test_times_are_read_when_they_are_asked_for_by_the_rows_that_are_trained_on(features: Path, split: Path) -> None:
    table = pq.read_table(split)
    data, unasked = Dataset.load(features, "train"), Dataset.load(features, "train")
    assert "timestamp" not in vars(data)
    trained = table["weight"].to_numpy() > 0
    times = table["timestamp"].cast(pa.int64()).to_numpy()
    assert data.timestamp.tolist() == times[trained].tolist()
    assert not data.timestamp.flags.writeable
    others = table["user_index"].to_numpy() > 0
    assert data.without(np.array([0])).timestamp.tolist() == times[trained & others].tolist()
    pq.write_table(table.slice(2), split)
    with pytest.raises(DataRefused, match="was changed while it was in use"):
        _ = unasked.timestamp


def test_rows_that_are_read_when_they_are_asked_for_are_those_of_the_split(features: Path, split: Path) -> None:
    expected = Dataset.load(features, "train")
    data = LateRows.without_rows(Dataset.load(features, "train"))
    assert_same(data.matrix, expected.matrix)
    assert data.matrix.indices.dtype == np.int32
    for name in ("indptr", "item_counts", "item_weights", "total_weight", "known_items"):
        assert_same(getattr(data, name), getattr(expected, name))
    assert len(data) == len(expected)
    for piece, other in zip(data.pieces(["item_index"], 90), expected.pieces(["item_index"], 90), strict=True):
        assert_same(piece[0], other[0])
    assert not ROWS & set(vars(data))  # for what is counted nothing was read, nor kept of pieces
    for field in fields(Dataset):
        assert_same(getattr(data, field.name), getattr(expected, field.name))
    for name in ("user_index", "item_index", "weight"):
        assert not getattr(data, name).flags.writeable  # to numba others are of another type


def test_data_made_from_late_rows_have_rows_of_their_own(features: Path, split: Path) -> None:
    some = np.array([0, 3], np.int32)
    expected = Dataset.load(features, "train").without(some)
    data = LateRows.without_rows(Dataset.load(features, "train")).without(some)
    for name in ("matrix", "indptr", "item_counts", "item_weights", "total_weight", "seen", "rated", "timestamp"):
        assert_same(getattr(data, name), getattr(expected, name))
    assert len(data) == len(expected)


def test_late_rows_of_a_file_that_was_changed_are_refused(features: Path, split: Path) -> None:
    data = LateRows.without_rows(Dataset.load(features, "train"))
    pq.write_table(pq.read_table(split).slice(2), split)
    with pytest.raises(DataRefused, match="was changed while it was in use"):
        _ = data.item_index
