from collections import defaultdict

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.knn import transitions
from recmodels.knn.transitions import Transitions
from recmodels.testing import N_ITEMS, N_USERS, RecommenderContract, small_site


class TestTransitions(RecommenderContract):
    def make(self) -> Transitions:
        return Transitions()


class TestFewTransitions(RecommenderContract):
    def make(self) -> Transitions:
        return Transitions(window=2, recent=1, own_power=1, popularity_power=0.3, neighbors=4)


def weighted_site() -> Dataset:
    data = small_site()
    weights = np.random.default_rng(1).integers(1, 5, len(data))
    return Dataset.from_arrays(
        data.user_index, data.item_index, timestamp=data.timestamp, weight=weights, n_users=N_USERS, n_items=N_ITEMS
    )


def scores_by_definition(data: Dataset, model: Transitions) -> np.ndarray:
    """Everybody's scores, pair by pair as the docstring says: [n_users, n_items], 0 without evidence."""
    histories = [
        list(zip(data.item_index[a:b].tolist(), data.weight[a:b].tolist(), strict=True))
        for a, b in zip(data.indptr, data.indptr[1:], strict=False)
    ]
    count: dict[tuple[int, int], float] = defaultdict(float)
    for history in histories:
        for first, (j, _) in enumerate(history):
            for away, (i, weight) in enumerate(history[first + 1 : first + 1 + model.window], start=1):
                count[j, i] += weight / away**model.distance_power
    leaving, coming = np.zeros(data.n_items), np.zeros(data.n_items)
    for (j, i), value in count.items():
        leaving[j] += value
        coming[i] += value
    scores = np.zeros((data.n_users, data.n_items))
    for user, history in enumerate(histories):
        for age, (j, _) in enumerate(history[::-1][: model.recent]):
            for (source, i), value in count.items():
                if source == j:
                    share = value / leaving[j] ** model.own_power / coming[i] ** model.popularity_power
                    scores[user, i] += model.decay**age * share
    return scores


@pytest.mark.parametrize(
    "model",
    [Transitions(), Transitions(window=3, recent=2, decay=0.5, own_power=1, popularity_power=0.4, distance_power=2)],
    ids=str,
)
def test_scores_are_those_of_the_definition(model: Transitions) -> None:
    data = weighted_site()
    expected = scores_by_definition(data, model)
    found = model.fit(data)._score(data, np.arange(N_USERS))
    np.testing.assert_allclose(np.where(found > 0, found, 0), expected, rtol=1e-5, atol=1e-6)


def test_what_follows_within_the_window_counts_by_how_far_it_is() -> None:
    data = Dataset.from_arrays([0, 0, 0, 0], [0, 1, 2, 3])
    after = Transitions(window=2, own_power=0, distance_power=1).fit(data).transitions_.toarray()
    assert after.tolist() == [[0, 1, 0.5, 0], [0, 0, 1, 0.5], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_the_order_is_that_of_time() -> None:
    data = Dataset.from_arrays([0, 0], [0, 1], timestamp=[5, 3])
    assert Transitions(own_power=0).fit(data).transitions_.toarray().tolist() == [[0, 0], [1, 0]]


def test_the_latest_items_count_most() -> None:
    # 0 -> 2 and 1 -> 3 once each; whoever had 0 and then 1 is listed 3 first, and whoever had 1 and then 0, 2
    data = Dataset.from_arrays([0, 0, 1, 1, 2, 2, 3, 3], [0, 2, 1, 3, 0, 1, 1, 0])
    lists = Transitions(window=1).fit(data).recommend(data, [2, 3], k=2).items
    assert lists.tolist() == [[3, 2], [2, 3]]
    assert Transitions(recent=1).fit(data).recommend(data, [2, 3], k=2).items[:, 1].tolist() == [-1, -1]


def test_what_is_kept_of_each_item_is_what_follows_most() -> None:
    data = Dataset.from_arrays([0, 0, 1, 1, 2, 2, 3, 3], [0, 2, 0, 1, 0, 2, 3, 0], n_items=4)
    kept = Transitions(neighbors=1, own_power=0).fit(data).transitions_.toarray()
    assert kept.tolist() == [[0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]


def test_counts_do_not_depend_on_how_many_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data = weighted_site()
    whole = Transitions().fit(data).transitions_
    monkeypatch.setattr(transitions, "ENTRIES_AT_A_TIME", 50)
    assert (Transitions().fit(data).transitions_ != whole).nnz == 0


def test_reasons_are_among_the_latest_items() -> None:
    data = small_site()
    model = Transitions(recent=2).fit(data)
    top = model.recommend(data, np.arange(N_USERS), k=3)
    reasons = model.explain(data, np.arange(N_USERS), top)
    assert (reasons >= 0).any()
    for user, named in enumerate(reasons):
        latest = data.item_index[data.indptr[user] : data.indptr[user + 1]][-2:]
        assert set(named[named >= 0].tolist()) <= set(latest.tolist())
