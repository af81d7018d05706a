"""Effects are found as often as planned and imagined as rarely as promised, also by those who look every night."""

import numpy as np
import pytest
from scipy import stats

from recmodels.errors import ConfigError
from recmodels.experiments.effects import detectable, effect, sequence_quantile, users_needed

USERS, LOOKS, NIGHTS_A_LOOK = 100, 10, 3


def outcomes_so_far(draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The outcomes of the users of two arms by each look, `[n_users, n_looks]`; each user has a habit of their own."""
    habit = draw.gamma(2, 0.5 * NIGHTS_A_LOOK, (2 * USERS, 1))
    outcome = draw.poisson(habit, (2 * USERS, LOOKS)).cumsum(axis=1)
    so_far = outcome / np.arange(1, LOOKS + 1) / NIGHTS_A_LOOK
    return so_far[:USERS], so_far[USERS:]


@pytest.mark.slow
def test_without_an_effect_p_values_are_uniform_and_looking_again_and_again_finds_few() -> None:
    """In full, of a site with a look every night: `tests/benchmarks/experiments.py`."""
    draw = np.random.default_rng(5)
    p_values, ever = [], 0
    for _ in range(500):
        arm, others = outcomes_so_far(draw)
        looks = [effect(arm[:, n], others[:, n], information=(n + 1) / LOOKS) for n in range(LOOKS)]
        p_values.append(looks[-1].p_value)
        ever += any(one.certain for one in looks)
    assert stats.kstest(p_values, "uniform").pvalue > 0.05
    assert 0.04 <= np.mean(np.array(p_values) < 0.05) <= 0.06
    assert ever / 500 <= 0.05


def test_an_effect_as_small_as_planned_is_found_as_often_as_planned() -> None:
    """At the planned error the sequence is tightest, and 80 % of the experiments find the effect at that look."""
    draw = np.random.default_rng(1)
    n = users_needed(0.5, 1.0, 0.1)
    assert detectable(n, 0.5, 1.0) == pytest.approx(0.1, rel=1e-3)
    found = 0
    for _ in range(400):
        one = effect(draw.normal(0.1, 1, n // 2), draw.normal(0, 1, n // 2))
        found += one.low > 0
    assert found / 400 == pytest.approx(0.8, abs=0.05)


def test_a_single_look_needs_the_users_of_the_textbook() -> None:
    """Two arms of 1,570 for an effect of .1 standard deviations (Cohen 1988: 1,571 by the t distribution)."""
    assert users_needed(0.5, 1.0, 0.1, looks=False) == pytest.approx(2 * 1_570, abs=2)
    with_a_third = users_needed(1 / 3, 1.0, 0.1, others=1 / 3, looks=False)
    assert with_a_third == pytest.approx(3 * 1_570, abs=3)  # another arm has the last third


def test_what_was_before_narrows_the_interval_and_moves_the_effect_nowhere() -> None:
    draw = np.random.default_rng(2)
    values, plain_errors, errors, left = [], [], [], []
    for _ in range(200):
        habit = draw.normal(0, 1, 600)
        outcome = habit * 0.8 + draw.normal(0, 0.6, 600)
        outcome[:300] += 0.2
        plain = effect(outcome[:300], outcome[300:])
        less = effect(outcome[:300], outcome[300:], before=(habit[:300], habit[300:]))
        values.append(less.value)
        plain_errors.append(plain.error)
        errors.append(less.error)
        left.append(less.variance_left)
    assert np.mean(values) == pytest.approx(0.2, abs=0.01)
    assert np.mean(left) == pytest.approx(0.36, abs=0.01)
    assert np.mean(errors) / np.mean(plain_errors) == pytest.approx(0.6, abs=0.01)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.1)


def test_the_sequence_is_tightest_where_it_is_planned_in_the_share_of_the_information() -> None:
    """Of the widths relative to a single look's: 2.9 standard errors at the plan, more before and after."""
    at_plan = sequence_quantile()
    assert at_plan == pytest.approx(2.97, abs=0.1)
    assert sequence_quantile(1 / 16) > at_plan < sequence_quantile(100)


def test_a_constant_outcome_has_no_effect_and_no_width() -> None:
    one = effect(np.ones(5), np.ones(5), before=(np.zeros(5), np.zeros(5)))
    assert (one.value, one.low, one.high, one.p_value, one.relative) == (0, 0, 0, 1, 0)


def test_an_arm_in_which_nothing_has_happened_yet_is_not_known_to_differ() -> None:
    """One in fifty clicks: of an arm of 20 users mostly nobody has, which says next to nothing of the others."""
    draw = np.random.default_rng(0)
    others = draw.poisson(0.02, 5_000).astype(float)
    one = effect(np.zeros(20), others)
    spread = others.var() * 5_000 / 5_019  # of all of them, within a millionth
    assert one.error == pytest.approx((spread * (1 / 20 + 1 / 5_000)) ** 0.5, rel=1e-2) and not one.certain
    assert effect(np.zeros(5_000), others).certain  # of so many somebody would have
    looks = [effect(draw.poisson(0.02, 50).astype(float), others) for _ in range(200)]
    assert np.mean([look.certain for look in looks]) <= 0.05
    assert not effect(np.ones(3), np.zeros(3)).certain and effect(np.ones(30), np.zeros(30)).certain


def test_an_arm_of_one_user_is_refused() -> None:
    with pytest.raises(ConfigError, match="two users in each arm: there are 1 and 5"):
        effect(np.ones(1), np.ones(5))
