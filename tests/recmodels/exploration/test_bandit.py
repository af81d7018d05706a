"""A bandit finds the arm that is best in each context, with a regret that grows ever more slowly."""

from typing import Literal

import numpy as np
import pytest

from recmodels.exploration.bandit import LinearBandit

REWARDS = np.array([[0.10, 0.30, 0.10], [0.25, 0.10, 0.10]])  # of three arms in two segments
Policy = Literal["thompson", "linucb"]


def season(policy: Policy, nights: int = 40, users: int = 200) -> tuple[LinearBandit, np.ndarray, np.ndarray]:
    """The bandit after some nights, its regret in each, and that of pulling at random."""
    draw, bandit = np.random.default_rng(0), LinearBandit(3, 2, policy)
    regret = np.zeros(nights)
    for night in range(nights):
        segment = draw.integers(2, size=users)
        contexts = np.eye(2)[segment]
        arms = bandit.pull(bandit.probabilities(contexts, seed=night), draw.random(users))
        rewards = (draw.random(users) < REWARDS[segment, arms]).astype(float)
        regret[night] = (REWARDS[segment].max(axis=1) - REWARDS[segment, arms]).mean()
        bandit.learn(contexts, arms, rewards)
    return bandit, regret, (REWARDS.max(axis=1, keepdims=True) - REWARDS).mean()


@pytest.mark.parametrize("policy", ["thompson", "linucb"])
def test_the_best_arm_of_each_segment_is_found(policy: Policy) -> None:
    bandit, regret, at_random = season(policy)
    assert list(bandit.probabilities(np.eye(2)).argmax(axis=1)) == [1, 0]
    floor = bandit.floor * at_random  # what the arms that must be judged cost
    assert regret[-10:].mean() < 0.15 * at_random + floor
    assert regret[-10:].mean() < regret[:10].mean()


@pytest.mark.parametrize("policy", ["thompson", "linucb"])
def test_arms_are_pulled_as_often_as_their_propensities_say(policy: Policy) -> None:
    bandit, *_ = season(policy, nights=3)
    n = 20_000
    contexts = np.tile([[1.0, 0.0]], (n, 1))
    probabilities = bandit.probabilities(contexts)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert probabilities.min() >= bandit.floor / 3 - 1e-12
    arms = bandit.pull(probabilities, (np.arange(n) + 0.5) / n)  # each part of [0, 1) alike
    assert np.bincount(arms, minlength=3) / n == pytest.approx(probabilities[0], abs=1 / n)


def test_what_is_learned_is_the_posterior_of_a_linear_model() -> None:
    contexts, rewards = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([1.0, 0.0])
    bandit = LinearBandit(1, 2, regularization=2.0).learn(contexts, np.zeros(2, int), rewards)
    assert bandit.precision[0] == pytest.approx(2 * np.eye(2) + contexts.T @ contexts)
    assert bandit.moment[0] == pytest.approx(contexts.T @ rewards)


def test_learning_in_parts_is_learning_at_once() -> None:
    draw = np.random.default_rng(2)
    contexts, arms, rewards = draw.random((50, 3)), draw.integers(2, size=50), draw.random(50)
    whole = LinearBandit(2, 3).learn(contexts, arms, rewards)
    parts = (
        LinearBandit(2, 3).learn(contexts[:20], arms[:20], rewards[:20]).learn(contexts[20:], arms[20:], rewards[20:])
    )
    assert parts.precision == pytest.approx(whole.precision) and parts.moment == pytest.approx(whole.moment)
