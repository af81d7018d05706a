"""TIFU-KNN: vectors and scores as its paper defines them."""

from collections import defaultdict

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.knn.tifu import TIFUKNN
from recmodels.options import FitOptions
from recmodels.testing import N_USERS, RecommenderContract, small_site

END = 100 * DAY


class TestTIFUKNN(RecommenderContract):
    def make(self) -> TIFUKNN:
        return TIFUKNN(neighbors=5)


class TestTIFUKNNOfFewDonors(RecommenderContract):
    def make(self) -> TIFUKNN:
        return TIFUKNN(neighbors=4, groups=3, most_donors=20, personal=0.4)


def shopping(seed: int = 0, n_users: int = 12, n_items: int = 9) -> tuple[Dataset, EventLog]:
    """Up to 15 baskets a user, with what is bought twice on one day in them."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        for day in np.sort(rng.choice(90, rng.integers(1, 16), replace=False)):
            rows += [(user, item, day * DAY + hour) for hour, item in enumerate(rng.integers(0, n_items, 4))]
    user, item, time = np.array(rows, np.int64).T
    last = {(u, i): t for u, i, t in rows}
    pairs = np.array([(u, i, t) for (u, i), t in last.items()])
    data = Dataset.from_arrays(*pairs[:, :2].T, timestamp=pairs[:, 2], n_users=n_users, n_items=n_items, end=END)
    return data, EventLog(Events(user.astype(np.int32), item.astype(np.int32), time), END)


def vectors_by_definition(events: Events, model: TIFUKNN, n_users: int, n_items: int) -> np.ndarray:
    baskets: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for user, item, time in zip(*events, strict=True):
        baskets[user][time // DAY].add(item)
    vectors = np.zeros((n_users, n_items))
    for user, days in baskets.items():
        sets = [days[day] for day in sorted(days)]
        size = -(-len(sets) // model.groups)
        groups = [sets[max(0, end - size) : end] for end in range(len(sets), 0, -size)]  # the last one first
        for ago, group in enumerate(groups):
            for place, basket in enumerate(reversed(group)):
                for item in basket:
                    share = model.basket_decay**place / len(group)
                    vectors[user, item] += share * model.group_decay**ago / len(groups)
    return vectors


@pytest.mark.parametrize(
    "model", [TIFUKNN(neighbors=3), TIFUKNN(neighbors=50, groups=4, personal=0.2, basket_decay=0.6)]
)
def test_scores_are_those_of_the_definition(model: TIFUKNN) -> None:
    data, log = shopping()
    model.fit(data, FitOptions(events=log))
    vectors = vectors_by_definition(log.every, model, data.n_users, data.n_items)
    np.testing.assert_allclose(model.profiles_.toarray(), vectors, rtol=1e-5)
    scores = model._score(data, np.arange(data.n_users))
    for user in range(data.n_users):
        far = ((vectors - vectors[user]) ** 2).sum(axis=1)
        far[user] = np.inf
        near = np.argsort(far)[: min(model.neighbors, data.n_users - 1)]
        expected = model.personal * vectors[user] + (1 - model.personal) * vectors[near].mean(axis=0)
        np.testing.assert_allclose(np.where(np.isfinite(scores[user]), scores[user], 0), expected, rtol=1e-4, atol=1e-7)


def test_what_a_user_had_is_its_own_reason() -> None:
    data = small_site()
    model = TIFUKNN().fit(data)
    top = model.recommend(data, np.arange(N_USERS), 8, repeats=True)
    had = data.matrix.toarray()[np.arange(N_USERS)[:, None], top.items] > 0
    np.testing.assert_array_equal(
        model.explain(data, np.arange(N_USERS), top), np.where(had & (top.items >= 0), top.items, -1)
    )


def test_users_keep_their_vectors_under_other_numbers() -> None:
    data, log = shopping()
    model = TIFUKNN(neighbors=3).fit(data, FitOptions(events=log))
    users = np.array([7, -1, 2], np.int32)
    two = np.flatnonzero(np.isin(data.user_index, [7, 2]))
    part = Dataset.from_arrays(
        np.where(data.user_index[two] == 7, 0, 2), data.item_index[two], n_users=3, n_items=data.n_items
    )
    mine, whole = (
        model.for_users(users).recommend(part, [0, 2], 5, repeats=True),
        model.recommend(data, [7, 2], 5, repeats=True),
    )
    np.testing.assert_array_equal(mine.items, whole.items)
    assert (model.for_users(users).profiles_[[1]].nnz, model.for_users(users).place_[1]) == (0, -1)


def test_who_has_no_event_that_counts_has_no_list() -> None:
    """As where only purchases are events, and a user has looked at items alone: nobody is near to nothing."""
    data, log = shopping()
    mine = log.every.user != 3
    model = TIFUKNN(neighbors=3).fit(data, FitOptions(events=EventLog(Events(*(one[mine] for one in log.every)), END)))
    top = model.recommend(data, [3, 4], 5, repeats=True)
    assert (top.items[0] == -1).all() and (top.items[1] >= 0).all()
    assert model.knows(data, np.array([3, 4], np.int32)).tolist() == [False, True]
