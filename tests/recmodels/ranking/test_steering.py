"""What steers lists: calibration against the plain rule and brute force, damped popularity, prices of items."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recmodels.data.arrays import Csr, Doubles
from recmodels.data.layout import no_terms
from recmodels.metrics.long_term import miscalibration
from recmodels.ranking.rerank import Rules, choose
from tests.recmodels.ranking.test_rerank import BY_FIVE, DATA, EVERYTHING, MODEL, N_ITEMS, POPULAR, categories, listed

POPULARITY = (np.arange(N_ITEMS) / N_ITEMS).astype(np.float32)


def alone(rules: Rules, relevance: Sequence[float], mix: Doubles, k: int) -> list[int]:
    """The order in which candidates 0, 1, ... are chosen for somebody whose history has this mix of categories.

    The history is an item of each category, behind the candidates.
    """
    m, n_categories = len(relevance), len(mix)
    assert rules.categories is not None
    indptr, indices = rules.categories
    more = np.arange(1, n_categories + 1)
    of_items = (np.append(indptr, indptr[-1] + more), np.append(indices, more - 1).astype(np.int32))
    history: Csr = sparse.csr_array(np.append(np.zeros(m), mix)[None, :].astype(np.float32))
    whole = replace(rules, allowed=np.ones(m + n_categories, bool), categories=of_items)
    candidates, scores = np.arange(m, dtype=np.int32)[None, :], np.array([relevance], np.float32)
    lengths = np.array([k], np.int32)
    chosen = choose(whole, no_terms(m + n_categories), candidates, scores, 0, m, lengths, k, history)
    return chosen.places[0, : chosen.count[0]].tolist()


def divergence(of_item: list[list[int]], items: Sequence[int], mix: Doubles) -> float:
    """Steck's, by the definition that the metric has; of a list without any category it is -log(.01)."""
    shares = np.zeros(len(mix))
    for item in items:
        shares[of_item[item]] += 1 / max(1, len(of_item[item]))
    if not shares.any():
        return float(-np.log(0.01))
    return float(miscalibration(mix[None, :], shares[None, :])[0])


sites = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def site(rng: np.random.Generator, m: int, most: int = 2) -> tuple[list[list[int]], Rules, list[float], Doubles]:
    """Candidates in up to `most` of four categories, their relevance from 1 to 0, and somebody's mix."""
    of_item = [sorted(rng.choice(4, rng.integers(0 if most > 1 else 1, most + 1), replace=False)) for _ in range(m)]
    rules = Rules(np.ones(m, bool), **categories([*of_item, [3]], 1000))
    assert rules.categories is not None
    rules = replace(rules, categories=(rules.categories[0][:-1], rules.categories[1][:-1]))
    relevance = np.sort(rng.random(m))[::-1]
    relevance = (relevance - relevance[-1]) / max(1e-9, relevance[0] - relevance[-1]) if m > 1 else np.ones(m)
    mix = rng.random(4) * (rng.random(4) < 0.8)
    return of_item, rules, relevance.astype(np.float32).tolist(), mix if mix.any() else np.eye(4)[0]


@settings(max_examples=60)
@given(rng=sites, m=st.integers(1, 12), balance=st.sampled_from([0.1, 0.5, 0.9, 1.0]))
def test_calibration_is_stecks_greedy(rng: np.random.Generator, m: int, balance: float) -> None:
    of_item, rules, relevance, mix = site(rng, m)
    k = min(m, 6)
    order = alone(replace(rules, calibration=balance), relevance, mix, k)
    assert len(set(order)) == k
    for place, taken in enumerate(order):
        value = {
            item: (1 - balance) * relevance[item] - balance * divergence(of_item, [*order[:place], item], mix)
            for item in set(range(m)) - set(order[:place])
        }
        assert value[taken] >= max(value.values()) - 1e-5


@settings(max_examples=40)
@given(rng=sites, m=st.integers(2, 8), k=st.integers(1, 4))
def test_with_calibration_alone_no_list_is_nearer_to_the_mix(rng: np.random.Generator, m: int, k: int) -> None:
    """Brute force over all lists. With one category an item the greedy list is the best up to the steps of the shares;
    of a single place it is the best.
    """
    k = min(k, m)
    of_item, rules, relevance, mix = site(rng, m, most=1)
    found = divergence(of_item, alone(replace(rules, calibration=1), relevance, mix, k), mix)
    best = min(divergence(of_item, items, mix) for items in combinations(range(m), k))
    assert found <= best + (1e-5 if k == 1 else 0.05)


def test_a_list_follows_a_mix_of_two_to_one() -> None:
    """All of category 0 score more than all of category 1; somebody has two of 0 for each of 1."""
    rules = Rules(np.ones(12, bool), calibration=0.9, **categories([[0]] * 6 + [[1]] * 6, 1000))
    order = alone(rules, list(np.linspace(1, 0.5, 12)), np.array([2.0, 1.0]), 6)
    assert sum(item < 6 for item in order) == 4


@pytest.mark.parametrize("rules", [{"calibration": 0.0}, {"popularity_damping": 0.0, "popularity": POPULARITY}])
def test_a_strength_of_zero_changes_nothing(rules: dict[str, Any]) -> None:
    plain, steered = listed(Rules(EVERYTHING, **BY_FIVE)), listed(Rules(EVERYTHING, **BY_FIVE, **rules))
    np.testing.assert_array_equal(steered.items, plain.items)
    np.testing.assert_array_equal(steered.scores, plain.scores)


def test_prices_of_zero_change_nothing() -> None:
    plain = listed(Rules(EVERYTHING, relevance_weight=0.7, **BY_FIVE))
    priced = listed(Rules(EVERYTHING, relevance_weight=0.7, prices=np.zeros(N_ITEMS, np.float32), **BY_FIVE))
    np.testing.assert_array_equal(priced.items, plain.items)


def test_a_price_brings_an_item_to_the_top_or_out_of_the_list() -> None:
    prices = np.zeros(N_ITEMS, np.float32)
    prices[[3, 20]] = 2, -2
    lists = listed(Rules(EVERYTHING, prices=prices))
    own = (lists.items >= 0) & ~lists.cold
    for user in np.flatnonzero(own.all(axis=1)):
        up, down = (np.flatnonzero(lists.items[user] == item).tolist() for item in (3, 20))
        assert up in ([], [0])  # first, where the model proposes it at all
        assert down in ([], [lists.items.shape[1] - 1])  # where there is no other


def test_damping_lowers_relevance_in_proportion_to_popularity() -> None:
    """Relevance 1, 1/2, 0 and popularity 1, 1/4, 0: at .5 1/2, 3/8, 0; at .75 1/4, 5/16, 0; at 3 -2, -1/4, 0."""
    scores = np.array([[3, 2, 1]], np.float32)
    rules = Rules(np.ones(3, bool), popularity_damping=0.5, popularity=np.array([1, 0.25, 0], np.float32))
    for damping, order in ((0.5, [0, 1, 2]), (0.75, [1, 0, 2]), (3.0, [2, 1, 0])):
        damped = replace(rules, popularity_damping=damping)
        items = np.arange(3, dtype=np.int32)[None, :]
        chosen = choose(damped, no_terms(3), items, scores, 0, 3, np.array([3], np.int32), 3)
        assert chosen.places[0].tolist() == order


def test_steered_lists_are_nearer_to_what_is_wanted() -> None:
    mix = DATA.matrix @ Rules(EVERYTHING, **BY_FIVE).category_shares

    def far(lists: Any) -> float:
        found = np.array([np.bincount(row[row >= 0] % 5, minlength=5) for row in lists.items], np.float64)
        return float(np.nanmean(miscalibration(mix.toarray(), found)))

    order = [far(listed(Rules(EVERYTHING, calibration=balance, **BY_FIVE))) for balance in (0.0, 0.3, 1.0)]
    assert order[0] > order[1] > order[2]
    plain, damped = (
        listed(Rules(EVERYTHING, popularity_damping=damping, popularity=POPULARITY)) for damping in (0.0, 0.5)
    )
    assert POPULARITY[damped.items[damped.items >= 0]].mean() < POPULARITY[plain.items[plain.items >= 0]].mean()


def test_the_same_popular_items_complete_steered_lists() -> None:
    from recmodels.fallback import serve
    from recmodels.testing import NEWCOMER

    newcomer = np.array([NEWCOMER], np.int32)
    rules = Rules(EVERYTHING, calibration=0.9, popularity_damping=1, popularity=POPULARITY, **BY_FIVE)
    plain = serve(MODEL, POPULAR, DATA, newcomer, 5, rules=Rules(EVERYTHING, **BY_FIVE))
    np.testing.assert_array_equal(serve(MODEL, POPULAR, DATA, newcomer, 5, rules=rules).items, plain.items)
