from dataclasses import replace

import numpy as np
import pytest

from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.factors.bpr import BPR
from recmodels.factors.mf import MF
from recmodels.options import FitOptions, WarmStart
from recmodels.testing import N_USERS, RecommenderContract, small_site, threads
from tests.recmodels.renumbered import same_rows, shuffled
from tests.recmodels.test_sampling import head_and_tail


class TestBPR(RecommenderContract):
    def make(self) -> BPR:
        return BPR(factors=8, epochs=5)


class TestBPRAsPublished(RecommenderContract):
    def make(self) -> BPR:
        return BPR(factors=40, epochs=5, candidates=1)


def two_tastes(n_users: int = 300, n_items: int = 200) -> tuple[Dataset, np.ndarray]:
    """Users like the items of their own parity: a dataset, and what is of whose taste."""
    taste = np.arange(n_items) % 2 == np.arange(n_users)[:, None] % 2
    users, items = np.nonzero(taste & (np.random.default_rng(0).random(taste.shape) < 0.2))
    return Dataset.from_arrays(users, items, n_users=n_users, n_items=n_items), taste


@pytest.mark.parametrize("candidates", [1, 4])
@pytest.mark.slow
def test_two_groups_of_users_get_the_items_of_their_group(candidates: int) -> None:
    data, taste = two_tastes()
    users = np.arange(data.n_users)
    top = BPR(factors=8, epochs=60, candidates=candidates).fit(data).recommend(data, users, 10)
    assert taste[users[:, None], top.items].mean() > 0.95


@pytest.mark.parametrize("change", [{"popularity_exponent": 0.5}, {"negative_exponent": 0.75}])
def test_the_tail_is_recommended_more_where_the_head_counts_less(change: dict[str, float]) -> None:
    data = head_and_tail()
    shares = []
    for parameters in ({}, change):
        model = BPR(factors=8, epochs=20, learning_rate=0.05, **parameters).fit(data)
        shares.append((model.recommend(data, np.arange(300), 10).items >= 16).mean())
    assert shares[1] > shares[0] + 0.05


def test_weights_count_if_asked_for() -> None:
    data = small_site()
    heavy = replace(data, weight=np.linspace(0.5, 2, len(data), dtype=np.float32))
    for weighted in (False, True):
        plain, other = (BPR(factors=4, epochs=2, weighted=weighted).fit(some).item_vectors_ for some in (data, heavy))
        assert (plain != other).any() == weighted


@pytest.mark.slow
def test_threads_do_not_change_the_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = two_tastes()
    for model in (BPR(factors=8, epochs=3), MF(factors=8, epochs=3)):
        factors = []
        for n in (1, 2):
            with threads(n, monkeypatch):
                factors.append(model.fit(data).item_vectors_)
        np.testing.assert_array_equal(*factors)


def test_another_seed_gives_other_factors() -> None:
    data = small_site()
    first, second = (BPR(factors=4, epochs=1, seed=seed).fit(data).item_vectors_ for seed in (0, 1))
    assert (first != second).any()


def test_a_step_too_long_is_refused() -> None:
    with pytest.raises(NightrecError, match="BPR diverged with learning_rate 1e\\+30"):
        BPR(learning_rate=1e30, epochs=3).fit(small_site())


def test_data_of_other_users_are_refused() -> None:
    model = BPR(epochs=1).fit(small_site())
    with pytest.raises(ValueError, match=f"2 users, the model was fitted on {N_USERS}"):
        model.recommend(Dataset.from_arrays([0, 1], [0, 1], n_items=30), np.array([0]), 3)


def test_a_warm_start_without_a_step_scores_as_before_whatever_the_order() -> None:
    data = small_site()
    before = BPR(factors=4, epochs=3).fit(data)
    other, rows = shuffled(data)
    after = BPR(factors=4, epochs=3, warm_epochs=0).fit(other, FitOptions(warm_start=WarmStart(before, rows)))
    users = np.flatnonzero(rows["users"] >= 0)
    items = np.flatnonzero((rows["items"] >= 0) & (other.item_counts > 0))
    users = users[np.diff(data.indptr)[rows["users"][users]] > 0]
    expected = before._score(data, rows["users"][users])[:, rows["items"][items]]
    np.testing.assert_allclose(after._score(other, users.astype(np.int32))[:, items], expected, atol=1e-6)


def test_a_warm_start_is_a_tenth_of_the_training_and_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    data, rounds = small_site(), []
    monkeypatch.setattr(FitOptions, "rounds", lambda self, n: rounds.append(n) or ((i, i / n) for i in range(n)))
    before = BPR(factors=4, epochs=20).fit(data)
    start = FitOptions(warm_start=WarmStart(before, same_rows(data)))
    after = BPR(factors=4, epochs=20).fit(data, start)
    assert rounds == [20, 2]
    moved = np.abs(after.item_vectors_ - before.item_vectors_).max()
    assert 0 < moved < 0.2 * np.abs(before.item_vectors_).max()


def test_a_model_of_other_factors_is_no_start() -> None:
    data = small_site()
    cold = BPR(factors=4, epochs=2).fit(data)
    for other in (BPR(factors=5, epochs=2), MF(factors=4, epochs=1)):
        options = FitOptions(warm_start=WarmStart(other.fit(data), same_rows(data)))
        assert (BPR(factors=4, epochs=2).fit(data, options).item_vectors_ == cold.item_vectors_).all()
