"""What it costs to learn which proposals to draw: the regret of uniform draws, LinUCB and Thompson sampling.

    python -m tests.benchmarks.bandit [--nights 60] [--users 20000] [--epsilon .2] [--repetitions 20]

Users of three segments; five models propose for the last place of their lists, each with a chance of a click of its own
in each segment, around 3 %. Three times of ten a model proposes what the list has anyway. Each night the bandit learns
from what was shown before, as a night does (`tasks.exploration.learned`). The optimum draws the best proposer of each
segment always. Regret: clicks that are missed per 1,000 drawn places, in the first ten and in the last ten nights.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from recmodels.exploration.bandit import LinearBandit
from recmodels.exploration.slot import explore

SEGMENTS, PROPOSERS, USUAL, AGREES = 3, 5, 0, 0.3
CHANCE_OF_USUAL = 0.03

Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=60)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--epsilon", type=float, default=0.2)
    parser.add_argument("--repetitions", type=int, default=20)
    options = parser.parse_args()
    print(f"{'':10}{'first ten':>12}{'last ten':>12}{'floor':>12}   missed clicks per 1,000 drawn places")
    for choose in ("uniform", "linucb", "thompson"):
        found = np.array([season(choose, options, seed) for seed in range(options.repetitions)])
        first, last, floor = 1000 * found.mean(axis=0)
        print(f"{choose:10}{first:12.2f}{last:12.2f}{floor:12.2f}")


def season(choose: str, options: argparse.Namespace, seed: int) -> tuple[float, float, float]:
    """The regret in the first and in the last ten nights, and what the shares that are kept for all must cost."""
    draw = np.random.default_rng(seed)
    chances = draw.uniform(0.01, 0.05, (SEGMENTS, PROPOSERS))
    missed = chances.max(axis=1, keepdims=True) - chances
    noise = float(np.sqrt(CHANCE_OF_USUAL * (1 - CHANCE_OF_USUAL)))
    bandit = LinearBandit(PROPOSERS, SEGMENTS, "linucb" if choose == "linucb" else "thompson", noise=noise)
    uniform = np.full((SEGMENTS, PROPOSERS), 1 / PROPOSERS)
    regret = np.zeros(options.nights)
    for night in range(options.nights):
        shares = uniform if choose == "uniform" else bandit.probabilities(np.eye(SEGMENTS), night)
        regret[night] = (shares * missed).sum(axis=1).mean()
        learn(bandit, shares, chances, options, draw)
    floor = 0.0 if choose == "uniform" else bandit.floor * (uniform * missed).sum(axis=1).mean()
    return float(regret[:10].mean()), float(regret[-10:].mean()), float(floor)


def learn(
    bandit: LinearBandit, shares: Floats, chances: Floats, options: argparse.Namespace, draw: np.random.Generator
) -> None:
    """A night: places are drawn and seen, and the bandit takes in what came of them."""
    n, epsilon = options.users, options.epsilon
    segment = draw.integers(SEGMENTS, size=n)
    items = np.where(draw.random((n, PROPOSERS)) < AGREES, USUAL, np.arange(1, PROPOSERS + 1))
    of_users = shares[segment]
    drawn = explore(np.full((n, 1), USUAL), items, draw.random(n), epsilon=epsilon, shares=of_users)
    shown = drawn.items[:, 0]
    chance = np.where(shown == USUAL, CHANCE_OF_USUAL, chances[segment, np.maximum(shown - 1, 0)])
    clicked = (draw.random(n) < chance).astype(np.float64)
    weights = (items == shown[:, None]) * epsilon * of_users / drawn.propensity[:, :1]
    for arm in range(PROPOSERS):
        bandit.learn(np.eye(SEGMENTS)[segment], np.full(n, arm), clicked, weights[:, arm])


if __name__ == "__main__":
    main()
