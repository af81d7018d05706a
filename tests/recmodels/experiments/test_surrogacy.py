"""Effects are tested without the chance that early and late have in common."""

import numpy as np
import pytest

from recmodels.experiments.surrogacy import of_these, over_experiments
from recmodels.experiments.surrogates import Foretold, SurrogateIndex
from tests.recmodels.experiments.early import BY_SIGNAL, users


@pytest.fixture(scope="module")
def index() -> SurrogateIndex:
    return SurrogateIndex(users(np.random.default_rng(0), 10_000)[0])


def effects(
    index: SurrogateIndex, n: int, *, size: float, direct: float = 0.0, n_users: int = 400, seed: int = 0
) -> list[Foretold]:
    """Experiments whose arms move signals by `size`; and Y, without them, by `direct` times what the signals do."""
    draw, found = np.random.default_rng(seed), []
    for _ in range(n):
        early = size * draw.normal(size=3)
        found.append(index.foretell(*users(draw, n_users, early, direct * float(early @ BY_SIGNAL), first=20_000)))
    return found


def test_effects_that_go_through_the_signals_are_foretold_as_they_come(index: SurrogateIndex) -> None:
    found = over_experiments(effects(index, 60, size=0.4))
    assert found.slope == pytest.approx(1, abs=0.1)
    assert found.low < 1 < found.high < found.low + 0.5
    assert found.correlation == pytest.approx(1, abs=0.05)
    assert found.near and found.told
    assert found.wrong_sign == pytest.approx(0.1, abs=0.1)  # of effects that are as small as their error


def test_where_arms_do_nothing_shared_chance_looks_like_surrogacy_and_is_not_taken_for_it(
    index: SurrogateIndex,
) -> None:
    found = over_experiments(effects(index, 60, size=0.0))
    assert found.naive == pytest.approx(1, abs=0.2)
    assert not found.told and not found.near


@pytest.mark.slow
def test_weak_effects_that_turn_in_the_long_run_are_found_out(index: SurrogateIndex) -> None:
    """Later everything is undone, and as much again: the slope is -1, where plain least squares finds more than 0."""
    found = over_experiments(effects(index, 300, size=0.07, direct=-2))
    assert found.naive > 0.2
    assert found.slope == pytest.approx(-1, abs=0.3) and found.high < 0 and found.correlation < -0.8
    assert not found.near


def test_half_an_effect_that_signals_do_not_see_is_half_an_effect_too_few(index: SurrogateIndex) -> None:
    found = over_experiments(effects(index, 60, size=0.4, direct=1))
    assert found.slope == pytest.approx(2, abs=0.2) and not found.near


def test_it_is_what_other_users_of_the_same_experiment_would_say() -> None:
    """Products of effects that some users foretell and others show, averaged over 300 ways to part them."""
    draw = np.random.default_rng(4)
    noise = draw.normal(0, 0.05, (2, 200))
    noise -= noise.mean(axis=1, keepdims=True)
    predicted, true = 0.8, 0.5  # each group's own estimate is this, and 200 times what it adds by chance
    one = Foretold(predicted, true, 1.0, (100, 100), noise, 0.0, 0.0, np.zeros(0))
    split = []
    for _ in range(300):
        half = draw.permutation(200) < 100
        split.append((predicted + 2 * noise[0, half].sum()) * (true + 2 * noise[1, ~half].sum()))
    corrected = predicted * true - noise[0] @ noise[1]
    assert np.mean(split) == pytest.approx(corrected, abs=3 * np.std(split) / 300**0.5)
    assert of_these([one]).slope == pytest.approx(corrected / (predicted**2 - noise[0] @ noise[0]))


@pytest.mark.parametrize("arms", [1, 3])
@pytest.mark.slow
def test_the_interval_of_a_few_arms_holds_the_slope(index: SurrogateIndex, arms: int) -> None:
    draw, held, told = np.random.default_rng(5), 0, 0
    early = np.array([[0.4, 0.2, 0], [-0.3, 0.3, 0.5], [0, -0.4, -0.2]])[:arms]
    for _ in range(100):
        found = of_these([index.foretell(*users(draw, 1_000, one, first=20_000)) for one in early])
        held += found.low <= 1 <= found.high
        told += found.told
    assert held / 100 == pytest.approx(0.95, abs=0.05)
    assert told / 100 > 0.8


def test_an_arm_with_a_direct_effect_is_doubted_and_one_without_is_not(index: SurrogateIndex) -> None:
    early = np.array([0.4, 0.2, 0.0])
    good, bad = (
        of_these([index.foretell(*users(np.random.default_rng(6), 20_000, early, direct, first=20_000))])
        for direct in (0.0, -0.4)
    )
    assert good.near and good.slope == pytest.approx(1, abs=0.1)
    assert not bad.near and bad.slope == pytest.approx(0.2, abs=0.1) and bad.high < 1
