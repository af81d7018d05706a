from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmodels import popularity
from recmodels.base import Recommender
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.data.parquet import arrow_table
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.popularity import Popularity, fit_to_split
from recmodels.testing import RecommenderContract
from recmodels.testing.site import assert_same

NOBODY = np.array([3])  # a user without history


class TestPopularity(RecommenderContract):
    recommends_unseen_items = True  # last of all, so that lists can be completed

    def make(self) -> Popularity:
        return Popularity()


class TestRecentPopularity(RecommenderContract):
    recommends_unseen_items = True

    def make(self) -> Popularity:
        return Popularity(days=7, half_life_days=3)


@pytest.fixture
def log() -> Dataset:
    """Item 0: three interactions 30 days before the end; item 1: two, 2 days before; item 2: one, now; item 3: none."""
    times = [-30 * DAY] * 3 + [-2 * DAY] * 2 + [-1]
    return Dataset.from_arrays([0, 1, 2, 0, 1, 0], [0, 0, 0, 1, 1, 2], timestamp=times, n_users=4, n_items=4, end=0)


@pytest.fixture(params=[1, 4, 100])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interactions are added up so many at a time."""
    monkeypatch.setattr(popularity, "ROWS", request.param)


@pytest.mark.usefixtures("parts")
def test_all_time_popularity_counts_everything(log: Dataset) -> None:
    top = Popularity().fit(log).recommend(log, NOBODY, 4)
    assert top.items.tolist() == [[0, 1, 2, 3]]
    assert top.scores.tolist() == [[3, 2, 1, -1]]


@pytest.mark.usefixtures("parts")
def test_items_outside_the_last_days_come_last_by_their_share_of_all_time(log: Dataset) -> None:
    top = Popularity(days=7).fit(log).recommend(log, NOBODY, 4)
    assert top.items.tolist() == [[1, 2, 0, 3]]
    assert top.scores.tolist() == [[2, 1, 0, -1]]


def test_weight_halves_after_a_half_life(log: Dataset) -> None:
    top = Popularity(half_life_days=2).fit(log).recommend(log, NOBODY, 2)
    np.testing.assert_allclose(top.scores, [[1, 1]], rtol=1e-6)


def test_weights_count() -> None:
    data = Dataset.from_arrays([0, 1, 2], [0, 0, 1], weight=[1, 1, 5], n_users=4)
    assert Popularity().fit(data).recommend(data, NOBODY, 1).items.tolist() == [[1]]


@given(
    pairs=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 7))),
    weights=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=48, max_size=48),
    allowed=st.none() | st.lists(st.booleans(), min_size=8, max_size=8).map(np.array),
    k=st.integers(1, 10),
    repeats=st.booleans(),
    batch=st.none() | st.integers(1, 7),
)
@pytest.mark.slow
def test_lists_are_those_of_all_scores(pairs, weights, allowed, k, repeats, batch) -> None:
    """As any model makes them: from a score for each user and item, ties by the smaller index."""
    users, items = np.array(sorted(pairs | {(0, 0)}), np.int32).T
    data = Dataset.from_arrays(users, items, weight=[1.0, *weights[1 : len(users)]], n_users=6, n_items=8)
    model, everybody = Popularity().fit(data), np.array([5, 0, 3, 3, 1, 2, 4], np.int32)
    lists = model._lists(data, everybody, k, allowed, repeats, batch)
    slowly = Recommender._lists(model, data, everybody, k, allowed, repeats, batch)
    assert lists.items.tolist() == slowly.items.tolist()
    assert lists.scores.tolist() == slowly.scores.tolist()
    assert (lists.items.dtype, lists.scores.dtype) == (slowly.items.dtype, slowly.scores.dtype)


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_fitted_to_a_file_it_is_as_fitted_to_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """In pieces that end in the middle of row groups, with interactions that are excluded from training."""
    random = np.random.default_rng(0)
    user, item = np.nonzero(random.random((9, 7)) < 0.5)
    times = np.sort(random.integers(0, 90 * DAY, len(user)))
    weight = random.choice([0, 0.1, 1, 2.7], len(user)).astype(np.float32)
    prepared = tmp_path / layout.PREPARED
    (prepared / "full").mkdir(parents=True)
    columns = {"user_index": user.astype(np.int32), "item_index": item.astype(np.int32)}
    table = arrow_table(columns | {"weight": weight, "timestamp": times})
    table = table.set_column(3, "timestamp", table["timestamp"].cast(pa.timestamp("us", "UTC")))
    table = table.replace_schema_metadata({layout.SPLIT_END: str(91 * DAY)})
    pq.write_table(table, prepared / layout.interactions_file("full"), row_group_size=3)
    pq.write_table(arrow_table({"item_index": np.arange(8)}), prepared / layout.ITEMS)
    pq.write_table(arrow_table({"user_index": np.arange(9)}), prepared / layout.USERS)
    monkeypatch.setattr(popularity, "ROWS", rows)
    parameters: list[dict[str, float]] = [{}, {"days": 7}, {"half_life_days": 3}, {"days": 30, "half_life_days": 9}]
    models = [Popularity(**chosen) for chosen in parameters]
    fit_to_split(models, tmp_path, "full")
    data = Dataset.load(tmp_path, "full")
    for model, chosen in zip(models, parameters, strict=True):
        expected = Popularity(**chosen).fit(data)
        np.testing.assert_array_equal(model.scores_, expected.scores_)
        assert_same(model.recommend(data, [0, 5], 8), expected.recommend(data, [0, 5], 8))
