"""Accuracy on real data, against figures measured with other libraries on the same split.

Run as a program (`python -m tests.recmodels.test_quality`) it prints every model on every data set at hand.
"""

import time
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from pyarrow import csv
from scipy import sparse

from recmodels.base import Recommender
from recmodels.dataset import Dataset
from recmodels.ease import Ease
from recmodels.metrics import coverage, per_user
from recmodels.neighbors import ItemKNN
from recmodels.popularity import Popularity
from tests.conftest import real_data

SECOND = 1_000_000


@dataclass
class Split:
    """A training window and what its users did after it."""

    train: Dataset
    users: NDArray[np.int32]
    truth: sparse.csr_array

    def measure(self, model: Recommender, k: int = 10) -> dict[str, float]:
        """Mean metrics at k of a fitted model, seen items removed."""
        items = model.recommend(self.train, self.users, k).items
        means = {name: float(values.mean()) for name, values in per_user(items, self.truth).items()}
        return means | {"coverage": coverage(items, len(np.unique(self.train.item_index)))}


def split(user_ids: np.ndarray, item_ids: np.ndarray, seconds: np.ndarray, late: np.ndarray) -> Split:
    """Train on what is not `late`; test on the late interactions of users who are in train."""
    users, items = (np.unique(ids, return_inverse=True)[1].astype(np.int32) for ids in (user_ids, item_ids))
    n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
    early, times = ~late, seconds * SECOND
    train = Dataset.from_arrays(users[early], items[early], timestamp=times[early], n_users=n_users, n_items=n_items)
    late = late & (np.diff(train.indptr)[users] > 0)
    matrix = sparse.csr_array((np.ones(late.sum(), bool), (users[late], items[late])), shape=(n_users, n_items))
    tested = np.unique(users[late])
    return Split(train, tested, matrix[tested])


def movielens_small() -> Split:
    """Each user's latest 20 % are the test part."""
    table = csv.read_csv(real_data("movielens-small") / "ratings.csv")
    users, items, times = (table[name].to_numpy() for name in ("userId", "movieId", "timestamp"))
    order = np.lexsort((times, users))
    users, items, times = users[order], items[order], times[order]
    _, starts, counts = np.unique(users, return_index=True, return_counts=True)
    place = np.arange(len(users)) - np.repeat(starts, counts)
    return split(users, items, times, place >= np.repeat(counts - np.ceil(0.2 * counts), counts))


def movielens_1m() -> Split:
    """What comes after the 90 % quantile of time is the test part."""
    table = pq.read_table(real_data("ml-1m") / "positives.parquet")
    users, items, times = (table[name].to_numpy() for name in table.column_names if name != "rating")
    return split(users, items, times, times > np.quantile(times, 0.9))


@pytest.fixture(scope="module")
def small() -> Split:
    return movielens_small()


def test_ease_on_movielens_small_is_as_good_as_measured_elsewhere(small: Split) -> None:
    measured = small.measure(Ease(regularization=500).fit(small.train))
    assert measured["ndcg"] == pytest.approx(0.1307, abs=0.002)


def test_popularity_on_movielens_small_is_as_good_as_measured_elsewhere(small: Split) -> None:
    measured = small.measure(Popularity().fit(small.train))
    assert measured["ndcg"] == pytest.approx(0.0884, abs=0.002)


def test_item_knn_on_movielens_1m_is_as_good_as_measured_elsewhere() -> None:
    data = movielens_1m()
    assert data.measure(ItemKNN(neighbors=200).fit(data.train))["ndcg"] == pytest.approx(0.2019, abs=0.002)


if __name__ == "__main__":
    models: list[Recommender] = [Popularity(), Popularity(days=30), ItemKNN(neighbors=50), ItemKNN(), Ease()]
    models += [Ease(regularization=1000), ItemKNN(neighbors=50, shrinkage=20)]
    for load in (movielens_small, movielens_1m):
        data = load()
        print(load.__name__, len(data.train), "interactions,", len(data.users), "users,", data.truth.nnz, "pairs")
        for model in models:
            start = time.perf_counter()
            model.fit(data.train)
            fitted = time.perf_counter()
            measured = data.measure(model)
            figures = "  ".join(f"{name} {measured[name]:.4f}" for name in ("recall", "ndcg", "hit_rate", "coverage"))
            print(f"{model!s:60} {figures}  fit {fitted - start:.2f} s  lists {time.perf_counter() - fitted:.2f} s")
