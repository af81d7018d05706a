"""Early effects foretell late ones by what past experiments did, also where users do not tell."""

from dataclasses import replace

import numpy as np
import pytest

from recmodels.errors import ConfigError
from recmodels.experiments.proxies import Effects, Proxy
from recmodels.experiments.surrogacy import over_experiments
from recmodels.experiments.surrogates import SurrogateIndex
from tests.recmodels.experiments.early import BY_SIGNAL, users


def experiments(n: int, *, size: float, direct: float, n_users: int = 400, seed: int = 0) -> list[Effects]:
    """Arms that do by themselves, later, `direct` times what they do through the signals."""
    draw, found = np.random.default_rng(seed), []
    for _ in range(n):
        early = size * draw.normal(size=3)
        found.append(Effects.measured(*users(draw, n_users, early, direct * float(early @ BY_SIGNAL))))
    return found


def test_what_arms_go_on_to_do_is_learned_from_arms() -> None:
    """Twice what signals tell of users comes of each: the index foretells half of it, the proxy all."""
    past, later = (experiments(60, size=0.4, direct=1, seed=seed) for seed in (0, 1))
    proxy = Proxy(past)
    assert proxy.weights == pytest.approx(2 * BY_SIGNAL, abs=0.35)
    found = over_experiments([proxy.foretell(one) for one in later])
    assert found.slope == pytest.approx(1, abs=0.15) and found.correlation == pytest.approx(1, abs=0.1)
    draw, early = np.random.default_rng(2), np.array([0.4, 0.2, 0.0])
    index = SurrogateIndex(users(draw, 5_000)[0])
    cohort, arm = users(draw, 4_000, early, float(early @ BY_SIGNAL), first=5_000)
    by_users, by_arms = index.foretell(cohort, arm), proxy.foretell(Effects.measured(cohort, arm))
    assert by_users.predicted == pytest.approx(0.5, abs=0.15)
    assert by_arms.predicted == pytest.approx(by_arms.true, abs=3 * by_arms.error) and by_arms.true > 0.8
    assert by_arms.through.sum() == pytest.approx(by_arms.predicted)


@pytest.mark.slow
def test_weak_experiments_are_learned_from_without_the_chance_that_early_and_late_share() -> None:
    """Later all is undone, and as much again: the weights are those of users turned round. Least squares misses it."""
    past = experiments(600, size=0.08, direct=-2)
    naive = np.linalg.lstsq(np.stack([one.early for one in past]), np.array([one.late for one in past]), rcond=None)[0]
    assert naive[0] > 0.1
    assert Proxy(past).weights[0] == pytest.approx(-1, abs=0.4)


@pytest.mark.slow
def test_intervals_hold_the_late_effect_as_often_as_they_say() -> None:
    draw, held = np.random.default_rng(3), 0
    early = np.array([0.3, -0.2, 0.5])
    for seed in range(40):
        proxy = Proxy(experiments(15, size=0.4, direct=0, n_users=300, seed=10 + seed))
        found = proxy.foretell(Effects.measured(*users(draw, 400, early)))
        low, high = found.interval()
        held += low <= float(early @ BY_SIGNAL) <= high
    assert held / 40 > 0.85


def test_the_same_users_twice_are_compared_with_themselves_and_only_where_both_are_known() -> None:
    draw = np.random.default_rng(4)
    cohort, _ = users(draw, 500)
    other = cohort.take(slice(None))  # type: ignore[arg-type]
    later = replace(cohort, early=cohort.early + np.array([1.0, 0.0, -2.0]), outcome=cohort.outcome + 3.0)
    moved = Effects.paired(later, other)
    assert moved.early == pytest.approx([1, 0, -2]) and moved.late == pytest.approx(3)
    assert np.abs(moved.noise).max() < 1e-12
    assert moved.only([2]).early == pytest.approx([-2]) and moved.only([2]).noise.shape == (2, 200)
    cohort.early[:100, 0] = np.nan
    assert Effects.paired(cohort, other).early[0] == 0


def test_a_signal_that_many_lack_is_compared_among_those_who_have_it() -> None:
    draw = np.random.default_rng(5)
    cohort, arm = users(draw, 4_000, np.array([0.5, 0.0, 0.0]))
    cohort.early[draw.random(4_000) < 0.5, 0] = np.nan
    found = Effects.measured(cohort, arm)
    assert found.early[0] == pytest.approx(0.5, abs=0.15)
    error = np.sqrt((found.noise[:2] ** 2).sum(axis=1))
    assert error[0] == pytest.approx(np.sqrt(2) * error[1], rel=0.2)


def test_signals_that_say_the_same_do_not_make_each_other_wild() -> None:
    """The first signal three more times, each with next to nothing added, and few experiments."""
    draw, found = np.random.default_rng(6), []
    for one in experiments(16, size=0.4, direct=0, n_users=1_000):
        more = draw.normal(0, 1e-4, (3, 200))
        early = np.append(one.early, one.early[:1].repeat(3) + more.sum(axis=1))
        noise = np.vstack([one.noise[:3], one.noise[:1].repeat(3, axis=0) + more, one.noise[3:]])
        found.append(Effects(early, one.late, one.base, one.users, noise))
    proxy = Proxy(found[:-1])
    assert proxy.weights[[0, 3, 4, 5]].sum() == pytest.approx(1, abs=0.3)
    assert proxy.foretell(found[-1]).predicted == pytest.approx(float(found[-1].early[:3] @ BY_SIGNAL), abs=0.2)


def test_too_few_experiments_and_none_with_an_effect_teach_nothing() -> None:
    with pytest.raises(ConfigError, match="There are 3 experiments to learn from, too few for 3 early signals"):
        Proxy(experiments(3, size=0.4, direct=0))
    nothing = [Effects(np.zeros(1), 0.0, 1.0, (9, 9), np.full((2, 200), 0.1)) for _ in range(5)]
    with pytest.raises(ConfigError, match="no more than chance"):
        Proxy(nothing)
