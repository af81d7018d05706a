import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.diagnosis import Order, diagnose
from recmodels.errors import DataRefused

N_ITEMS = 200


def walks(next_of: "np.ndarray", n_users: int, length: int, seed: int) -> Dataset:
    """Users who go from item to item as a chain says: row i of `next_of` [n, m] holds what may come after item i."""
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for user in range(n_users):
        at, seen = int(rng.integers(len(next_of))), set()
        for time in range(length):
            if at in seen:
                break
            seen.add(at)
            users.append(user), items.append(at), times.append(time)
            at = int(rng.choice(next_of[at]))
    return Dataset.from_arrays(users, items, timestamp=times, n_users=n_users, n_items=len(next_of))


@pytest.mark.slow
def test_a_chain_of_items_is_known_by_its_last_item_and_by_how_many_may_follow() -> None:
    after = np.random.default_rng(0).permuted(np.tile(np.arange(N_ITEMS), (N_ITEMS, 1)), axis=1)[:, :4]
    found = diagnose(walks(after, 2000, 8, seed=1))
    assert found.verdict is Order.LAST_ITEM
    assert found.order.low > 0.1
    assert found.choices == pytest.approx(4, abs=0.2)
    assert found.followed > 0.98
    # a list with the four in some order: NDCG of one hit at a place of 1 to 4, each as likely
    assert found.ndcg["last_item"] == pytest.approx(np.mean(1 / np.log2(np.arange(2, 6))), abs=0.04)
    assert found.tied == 0


def test_sets_without_an_order_say_nothing_by_it() -> None:
    rng = np.random.default_rng(2)
    groups = rng.permutation(N_ITEMS).reshape(10, 20)
    items = np.concatenate([rng.permutation(groups[user % 10])[:8] for user in range(1500)])
    found = diagnose(Dataset.from_arrays(np.repeat(np.arange(1500), 8), items, timestamp=np.tile(np.arange(8), 1500)))
    assert found.verdict is Order.NOTHING
    assert abs(found.order.mean) < 0.03
    assert found.ndcg["together"] > 3 * found.ndcg["popularity"]


def test_what_follows_from_the_last_two_items_takes_a_history() -> None:
    # one of 12 items, another of 12, and the one that belongs to the two; every other user goes on to a last item,
    # which nobody can foretell, since all who have it have it last
    first, second, _ = (axis.ravel() for axis in np.indices((12, 12, 10)))
    histories = np.stack([first, 12 + second, 24 + 12 * first + second, np.full(1440, 168)], axis=1)
    there = np.ones(histories.shape, bool)
    there[::2, 3] = False
    users, times = np.nonzero(there)
    found = diagnose(Dataset.from_arrays(users, histories[there], timestamp=times))
    assert found.verdict is Order.HISTORY
    assert found.ndcg["last_items"] == pytest.approx(1 / 2)  # the only item that both lead to
    any_of_12 = sum(1 / np.log2(place + 1) for place in range(1, 11)) / 12
    assert found.ndcg["last_item"] == pytest.approx(any_of_12 / 2)
    assert found.choices == pytest.approx(12)


def test_interactions_of_one_moment_are_tied() -> None:
    data = Dataset.from_arrays(np.repeat(np.arange(150), 4), np.tile(np.arange(4), 150))
    assert diagnose(data).tied == pytest.approx(3 * 150 / (4 * 150 - 1))


def test_histories_of_some_users_count_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    after = np.random.default_rng(0).permuted(np.tile(np.arange(50), (50, 1)), axis=1)[:, :2]
    data = walks(after, 600, 5, seed=1)
    monkeypatch.setattr("recmodels.diagnosis.HISTORIES", 300)
    assert 200 < diagnose(data).users <= 300


def test_too_few_users_are_refused() -> None:
    with pytest.raises(DataRefused, match="2 users have two interactions or more; a diagnosis takes 100"):
        diagnose(Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0]))
