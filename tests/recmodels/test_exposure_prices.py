"""Bounds on shares of the exposure: kept where they can be, at the least cost, and nothing changes where they hold."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recmodels.base import Recommender
from recmodels.data.arrays import Doubles, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.exposure_prices import with_prices
from recmodels.fallback import serve
from recmodels.options import FitOptions
from recmodels.popularity import Popularity
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules

N_USERS, N_ITEMS, K = 300, 60, 5
DATA = Dataset.from_arrays(np.arange(N_USERS), np.arange(N_USERS) % N_ITEMS, n_users=N_USERS, n_items=N_ITEMS)
POPULAR = Popularity().fit(DATA)
EVERYBODY = np.arange(N_USERS, dtype=np.int32)
EVERYTHING = np.ones(N_ITEMS, bool)


@dataclass(repr=False)
class Given(Recommender):
    """The scores that it is told."""

    told: Any = None

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        self.scores_ = np.asarray(self.told, np.float32)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        scores: Floats = self.scores_[users].copy()
        return scores

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 0


def bounded(groups: Ints, least: list[float], most: list[float], **more: Any) -> Bounds:
    """Each item in one group, -1 for none."""
    indptr = np.concatenate([[0], np.cumsum(groups >= 0)]).astype(np.int64)
    return Bounds(indptr, groups[groups >= 0].astype(np.int32), np.array(least), np.array(most), **more)


def model_of(rng: np.random.Generator, groups: Ints, favor: float) -> Recommender:
    """Users differ; the items of group 0 score `favor` less for everybody."""
    scores = rng.random((N_USERS, N_ITEMS)) - favor * (groups == 0)
    return Given(scores).fit(DATA)


def shares(rules: Rules, model: Recommender) -> Doubles:
    assert rules.bounds is not None
    return rules.bounds.shares(serve(model, POPULAR, DATA, EVERYBODY, K, rules=rules).items)


def test_exposure_worked_by_hand() -> None:
    """Places count 1, 1 / log2 3 = .63093 and 1/2. Item 0 is in group 0, 1 in both, 2 in none."""
    bounds = Bounds(np.array([0, 1, 3, 3]), np.array([0, 0, 1], np.int32), np.zeros(2), np.ones(2))
    items = np.array([[0, 1, 2], [2, 0, -1]], np.int32)
    groups, whole = bounds.of_lists(items)
    np.testing.assert_allclose(groups, [[1.63093, 0.63093], [0.63093, 0]], atol=1e-5)
    np.testing.assert_allclose(whole, [2.13093, 1.63093], atol=1e-5)
    np.testing.assert_allclose(bounds.shares(items), [2.26186 / 3.76186, 0.63093 / 3.76186], atol=1e-5)
    np.testing.assert_allclose(replace(bounds, by_place=True).shares(items), [3 / 5, 1 / 5])


@settings(max_examples=8)
@given(
    rng=st.integers(0, 2**32 - 1).map(np.random.default_rng),
    least=st.floats(0.02, 0.3),
    most=st.floats(0.2, 0.4),
    weight=st.sampled_from([1.0, 0.6]),
    by_place=st.booleans(),
)
@pytest.mark.slow
def test_bounds_that_can_be_kept_are(
    rng: np.random.Generator, least: float, most: float, weight: float, by_place: bool
) -> None:
    """Three groups of a third each; the first is favored by nobody, and the second may have less than it would."""
    groups = (np.arange(N_ITEMS) % 3).astype(np.int32)
    model = model_of(rng, groups, 0.5)
    bounds = bounded(groups, [least, 0, 0], [1, most, 1], by_place=by_place)
    rules = Rules(EVERYTHING, pool=30, relevance_weight=weight, bounds=bounds)
    before = shares(rules, model)
    after = shares(with_prices(rules, model, POPULAR, DATA, EVERYBODY, K), model)
    assert after[0] >= least * 0.98 and after[1] <= most * 1.02
    if before[0] < least * 0.95:
        assert after[0] <= least * 1.15  # and no more than has to be
    if before[1] > most * 1.05:
        assert after[1] >= most * 0.85


def test_bounds_that_hold_anyway_change_nothing() -> None:
    groups = (np.arange(N_ITEMS) % 3).astype(np.int32)
    model = model_of(np.random.default_rng(0), groups, 0.0)
    rules = Rules(EVERYTHING, bounds=bounded(groups, [0.1, 0.1, 0], [1, 0.6, 0.9]))
    priced = with_prices(rules, model, POPULAR, DATA, EVERYBODY, K)
    assert priced.prices is None
    plain = serve(model, POPULAR, DATA, EVERYBODY, K, rules=Rules(EVERYTHING))
    np.testing.assert_array_equal(serve(model, POPULAR, DATA, EVERYBODY, K, rules=priced).items, plain.items)


def test_items_that_no_pool_has_are_raised_to_their_share() -> None:
    groups = np.where(np.arange(N_ITEMS) < 6, 0, -1).astype(np.int32)
    model = model_of(np.random.default_rng(0), groups, 2.0)  # they are nobody's first 54
    rules = Rules(EVERYTHING, pool=10, bounds=bounded(groups, [0.1], [1]))
    assert shares(rules, model)[0] == 0
    assert shares(with_prices(rules, model, POPULAR, DATA, EVERYBODY, K), model)[0] == pytest.approx(0.1, rel=0.1)


def test_damping_does_not_fill_lists_with_what_was_raised() -> None:
    """Items that are nobody's first and unpopular come in by their price alone."""
    groups = np.where(np.arange(N_ITEMS) < 6, 0, -1).astype(np.int32)
    model = model_of(np.random.default_rng(0), groups, 2.0)
    popularity = (groups < 0).astype(np.float32)
    rules = Rules(EVERYTHING, pool=10, popularity_damping=5, popularity=popularity, bounds=bounded(groups, [0.1], [1]))
    assert shares(with_prices(rules, model, POPULAR, DATA, EVERYBODY, K), model)[0] == pytest.approx(0.1, rel=0.1)


def test_what_cannot_be_reached_is_come_near_to() -> None:
    groups = np.where(np.arange(N_ITEMS) < 1, 0, -1).astype(np.int32)
    model = model_of(np.random.default_rng(0), groups, 0.0)
    rules = Rules(EVERYTHING, bounds=bounded(groups, [0.9], [1], by_place=True))
    found = shares(with_prices(rules, model, POPULAR, DATA, EVERYBODY, K), model)
    assert found[0] == pytest.approx(1 / K, rel=0.03)  # on all lists of those who do not have it


def test_prices_of_a_sample_keep_the_bounds_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recmodels.exposure_prices.SAMPLE", 100)
    groups = (np.arange(N_ITEMS) % 3).astype(np.int32)
    model = model_of(np.random.default_rng(1), groups, 0.5)
    rules = Rules(EVERYTHING, pool=30, bounds=bounded(groups, [0.2, 0, 0], [1, 1, 1]))
    found = shares(with_prices(rules, model, POPULAR, DATA, EVERYBODY, K), model)[0]
    assert 0.2 <= found < 0.3


def test_users_without_a_list_have_no_say() -> None:
    groups = (np.arange(N_ITEMS) % 2).astype(np.int32)
    model = model_of(np.random.default_rng(1), groups, 0.3)
    rules = Rules(EVERYTHING, bounds=bounded(groups, [0.4, 0], [1, 1]), lengths=np.zeros(N_USERS, np.int32))
    assert with_prices(rules, model, POPULAR, DATA, EVERYBODY, K) is rules
