"""Users are in arms by the shares given, stay there, and are parted anew only by another salt."""

import numpy as np
import pytest
from scipy import stats

from recmodels.errors import ConfigError
from recmodels.experiments.assignment import MAIN, arms_of, positions

SHARES = {"popularity": 0.05, "challenger": 0.2}


def test_positions_are_uniform_and_independent_between_salts() -> None:
    first, second = positions(range(20_000), "2026"), positions(range(20_000), "2027")
    assert stats.kstest(first, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert first.min() >= 0 and first.max() < 1


def test_arms_have_their_shares() -> None:
    arms = arms_of(range(20_000), SHARES, "salt")
    counts = [np.count_nonzero(arms == name) for name in (*SHARES, MAIN)]
    assert stats.chisquare(counts, [1_000, 4_000, 15_000]).pvalue > 0.01


def test_an_arm_does_not_depend_on_who_else_is_there() -> None:
    everyone = arms_of(range(1_000), SHARES, "salt")
    assert list(arms_of(range(500, 1_000), SHARES, "salt")) == list(everyone[500:])
    assert list(arms_of([str(user) for user in range(1_000)], SHARES, "salt")) == list(everyone)


def test_a_new_arm_takes_its_users_from_main() -> None:
    before, after = (arms_of(range(5_000), shares, "salt") for shares in (SHARES, SHARES | {"new": 0.3}))
    moved = before != after
    assert set(before[moved]) == {MAIN} and set(after[moved]) == {"new"}


def test_without_arms_everybody_is_in_main() -> None:
    assert set(arms_of(["a", "b"], {}, "salt")) == {MAIN}


@pytest.mark.parametrize("shares", [{"a": 0.0}, {"a": 1.0}, {"a": 0.6, "b": 0.6}])
def test_shares_that_cannot_be_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="share"):
        arms_of([1], shares, "salt")
