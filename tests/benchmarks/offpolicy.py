"""How well a candidate is measured off-policy, by where the drawn item comes from.

    python -m tests.benchmarks.offpolicy [--repetitions 200] [--epsilon .2]

2,000 users have lists of 10 on each of 60 nights. A champion makes the lists; four challengers rank the same 100 items,
better. The last place is drawn for a share of the users (epsilon), from what the champion and the challengers propose,
or uniformly from the champion's places 10 to 59. For each challenger: the effective sample of the log, and over the
repetitions the relative bias of IPS and how often the 95 % intervals hold the truth. In a repetition models and clicks
are drawn anew; the users' tastes stay.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from recmodels.exploration.slot import explore
from recmodels.offpolicy.estimators import estimate
from recmodels.offpolicy.log import Log
from recmodels.offpolicy.trust import support_of

USERS, NIGHTS, ITEMS, K, CHALLENGERS = 2_000, 60, 100, 10, 4
TAIL = 59
NAMES = ("ips", "snips", "dr")
NOISE = (1.5, 0.8, 0.9, 1.0, 1.1)  # of the champion's scores and of each challenger's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--epsilon", type=float, default=0.2)
    options = parser.parse_args()
    draw = np.random.default_rng(12)
    appeal = draw.standard_normal((USERS, ITEMS), np.float32)
    chance = 1 / (1 + np.exp(3 - appeal))
    for pool in ("proposals", "tail"):
        found = [repetition(pool, appeal, chance, options.epsilon, draw) for _ in range(options.repetitions)]
        told(pool, options.epsilon, np.array(found))


def repetition(
    pool: str, appeal: NDArray[np.float32], chance: NDArray[np.float64], epsilon: float, draw: np.random.Generator
) -> NDArray[np.float64]:
    """For each challenger: effective events, truth, IPS, and whether each estimator's interval holds the truth."""
    nights = [night(pool, appeal, chance, epsilon, draw) for _ in range(NIGHTS)]
    reward, propensity, expected, wanted_expected, matched, truth = (
        np.concatenate(part) for part in zip(*nights, strict=True)
    )
    users = np.tile(np.arange(USERS), NIGHTS)
    rows = []
    for one in range(CHALLENGERS):
        log = Log.of(
            reward,
            propensity,
            matched[:, one],
            predicted_shown=expected,
            predicted_policy=wanted_expected[:, one],
            units=users,
        )
        value = truth[:, one].mean()
        estimates = estimate(log, NAMES)
        held = [estimates[name].low <= value <= estimates[name].high for name in NAMES]
        rows.append([support_of(log).effective, value, estimates["ips"].value, *held])
    return np.array(rows, np.float64)


def night(
    pool: str, appeal: NDArray[np.float32], chance: NDArray[np.float64], epsilon: float, draw: np.random.Generator
) -> tuple[NDArray[np.float64], ...]:
    """What everybody is shown at the last place, and what each challenger would have shown there."""
    users = np.arange(USERS)
    scores = [appeal + noise * draw.standard_normal(appeal.shape, np.float32) for noise in NOISE]
    ranked = np.argsort(-scores[0], axis=1)[:, :TAIL]
    lists = ranked[:, :K]
    wanted = np.stack([best_beside(one, lists[:, :-1]) for one in scores], axis=1)  # [users, 1 + challengers]
    drawn = explore(lists, wanted if pool == "proposals" else ranked[:, K - 1 :], draw.random(USERS), epsilon=epsilon)
    shown, propensity = drawn.items[:, -1], drawn.propensity[:, -1].astype(np.float64)
    reward = (draw.random(USERS) < chance[users, shown]).astype(np.float64)
    theirs = wanted[:, 1:]
    of_theirs = chance[users[:, None], theirs]
    # The reward model knows which user and item, and errs by a fifth.
    return (
        reward,
        propensity,
        0.8 * chance[users, shown],
        0.8 * of_theirs,
        (theirs == shown[:, None]).astype(float),
        of_theirs,
    )


def best_beside(scores: NDArray[np.float32], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """The item of each user with the highest score [users, items] that is none of the others [users, m]."""
    np.put_along_axis(scores, others, -np.inf, axis=1)
    best: NDArray[np.int64] = scores.argmax(axis=1)
    return best


def told(pool: str, epsilon: float, found: NDArray[np.float64]) -> None:
    """Print a line: `found` is [repetitions, challengers, 3 + estimators]."""
    effective, truth, ips = (found[:, :, column].mean(axis=0) for column in range(3))
    bias, held = (ips - truth) / truth, found[:, :, 3:].mean(axis=0)
    of_each = ", ".join(
        f"{name} {held[:, place].min():.3f} to {held[:, place].max():.3f}" for place, name in enumerate(NAMES)
    )
    print(
        f"drawn from {pool}, epsilon {epsilon:g}: {effective.min():,.0f} to {effective.max():,.0f} effective events of "
        f"{USERS * NIGHTS:,}; bias of IPS {bias.min():+.2%} to {bias.max():+.2%}; intervals hold the truth: {of_each}",
        flush=True,
    )


if __name__ == "__main__":
    main()
