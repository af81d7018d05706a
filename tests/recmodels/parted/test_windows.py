"""Folds whose rows the engine writes have what those in memory have."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import backtests, layout, pairs
from recmodels.data.backtests import rolling_folds
from recmodels.data.dataset import Dataset
from recmodels.data.stored import StoredDataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.parted.windows import windows
from recmodels.testing import small_site

EXCLUDED = np.array([2, 7], np.int32)


def with_repeats_and_ratings(features: Path) -> tuple[Dataset, np.ndarray]:
    """The training data of a site where pairs began earlier than they ended, some of weight 0; when they began."""
    path, rng = features / layout.PREPARED / layout.interactions_file("train"), np.random.default_rng(0)
    table = pq.read_table(path)
    weight = np.where(rng.random(len(table)) < 0.2, 0, table["weight"].to_numpy()).astype(np.float32)
    last = table["timestamp"].cast(pa.int64()).to_numpy()
    first = last - rng.integers(0, 2, len(table)) * rng.integers(0, small_site().end // 2, len(table))
    table = table.set_column(table.column_names.index("weight"), "weight", pa.array(weight))
    table = table.append_column("first", pa.array(first, pa.timestamp("us", tz="UTC")))
    rating = rng.choice(np.array([1, 2, 5, np.nan], np.float32), len(table))
    pq.write_table(table.append_column("rating", pa.array(rating)), path)
    data = Dataset.load(features, "train").without(EXCLUDED)
    return data, first[(weight > 0) & ~np.isin(table["user_index"].to_numpy(), EXCLUDED)]


@pytest.mark.slow
@pytest.mark.parametrize("cold_start", [True, False])
def test_windows_are_the_folds_of_data_in_memory(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cold_start: bool
) -> None:
    """Read some rows at a time, of which users have more than one, and evaluated on some of the users."""
    data, first = with_repeats_and_ratings(features)
    for module in (backtests, __import__("recmodels.parted.windows", fromlist=["windows"])):
        monkeypatch.setattr(module, "MAX_USERS", 15)
    monkeypatch.setattr(pairs, "ROWS", 7)
    days = data.end / 4 / DAY
    stored = StoredDataset.opened(features, "train").without(EXCLUDED)
    assert isinstance(stored, StoredDataset)
    found = {one.number: one for one in windows(tmp_path, stored, 4, days, 3, cold_start=cold_start)}
    wanted = dict(rolling_folds(data, 4, days, 3, cold_start=cold_start, first=first))
    assert stored.on_disk and found.keys() == wanted.keys() and len(found) > 2
    for number, window in found.items():
        one, train = Dataset.load(window.features, "train"), wanted[number].train
        assert (one.n_users, one.n_items, one.end) == (train.n_users, train.n_items, train.end)
        for name in ("user_index", "item_index", "timestamp", "weight", "rating"):
            np.testing.assert_array_equal(getattr(one, name), getattr(train, name), name)
        assert one.rated is not None and train.rated is not None
        np.testing.assert_array_equal(np.stack(one.rated), np.stack(train.rated))
        assert (one.seen != train.seen).nnz == 0 and one.seen.nnz == train.seen.nnz
        held = pq.read_table(window.features / layout.PREPARED / layout.HOLDOUT)
        users, truth = wanted[number].users, wanted[number].truth.tocoo()
        assert window.users == len(users) <= 15
        pairs_of = zip(held["user_index"].to_pylist(), held["item_index"].to_pylist(), strict=True)
        assert sorted(pairs_of) == sorted(zip(users[truth.row].tolist(), truth.col.tolist(), strict=True))
