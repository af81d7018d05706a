"""A market that is fitted to what another one has done is like that one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings

TRUE = MarketSettings(history_days=12, visits=0.7, choices=2.5, activity_spread=0.5, new_users=0.01, drift=0.0)


@pytest.fixture(scope="module")
def original() -> Market:
    return Market.generated(TRUE, 200, 100, seed=1, nights=1)


@pytest.fixture(scope="module")
def log(original: Market) -> Dataset:
    past = original.history()
    times = (past.night.astype(np.int64) + 20_000) * MICROSECONDS_PER_DAY + np.arange(len(past))
    return Dataset.from_arrays(past.user, past.item, timestamp=times, n_users=200, n_items=100)


@pytest.fixture(scope="module")
def fitted(original: Market, log: Dataset) -> Market:
    settings = MarketSettings(drift=0.0)
    return Market.fitted(log, settings, 5, nights=20, texts=original.texts(), category=original.world.category)


@pytest.mark.slow
def test_what_users_do_without_lists_is_like_the_log(fitted: Market) -> None:
    fit = fitted.fit
    assert fit is not None and (fit.days, fit.users, fit.items) == (12, 200, 100)
    assert fit.simulated["popularity_gini"] == pytest.approx(fit.site["popularity_gini"], abs=0.06)
    assert fit.simulated["taste_entropy"] == pytest.approx(fit.site["taste_entropy"], abs=0.15)
    assert fit.simulated["choices_a_user"] == pytest.approx(fit.site["choices_a_user"], rel=0.15)
    assert fit.simulated["activity_distance"] < 0.15
    assert fit.measured["choices"] == pytest.approx(2.5, abs=0.25)  # an item is chosen once a day


def test_who_likes_what_is_found_again(original: Market, fitted: Market) -> None:
    rng = np.random.default_rng(0)
    users, items = (rng.integers(n, size=4000).astype(np.int32) for n in (200, 100))
    fresh = (original.utility(users, items) > 0) & (fitted.utility(users, items) > 0)  # what nobody has had
    liked, found = (market.utility(users[fresh], items[fresh]) for market in (original, fitted))
    assert spearmanr(liked, found).statistic > 0.5


def test_the_past_is_the_sites_own_without_who_is_still_to_come(fitted: Market, log: Dataset) -> None:
    world, past = fitted.world, fitted.history()
    assert (world.n_users, world.n_items) == (log.n_users, log.n_items)
    late_users, late_items = world.arrives >= 0, world.born >= 0
    assert 0 < late_users.mean() <= 0.34 and world.arrives.max() < 20
    assert not late_users[past.user].any() and not late_items[past.item].any()
    kept = ~late_users[log.user_index] & ~late_items[log.item_index]
    pairs = set(zip(log.user_index[kept], log.item_index[kept], strict=True))
    assert set(zip(past.user, past.item, strict=True)) == pairs and (np.diff(past.night) >= 0).all()
    assert (fitted.utility(past.user, past.item) == 0).all()  # they have had it
    assert fitted.state()["last_visit"][past.user[-1]] == past.night[-1] == -1
    last = past.night == -1
    assert fitted.state()["popularity"][past.item[last]].min() >= 1


def test_half_of_what_users_find_by_themselves_satisfies(fitted: Market) -> None:
    assert fitted.state()["mood"].mean() == pytest.approx(0.5, abs=0.08)


def test_settings_that_are_given_are_kept(log: Dataset) -> None:
    given = replace(
        MarketSettings(), match=1.5, quality=0.5, visits=0.2, choices=1.5, base=-1.0, new_users=0.0, new_items=0.0
    )
    market = Market.fitted(log, replace(given, feedback=False), 5)
    assert market.settings == replace(given, feedback=False)
    assert market.fit is not None and market.fit.measured == {}
    assert (market.world.arrives < 0).all() and (market.world.born < 0).all()
