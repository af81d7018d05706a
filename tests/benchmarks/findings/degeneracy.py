"""Jiang et al. (2019): interests run away the faster, the better a system knows them; exploration and a growing pool of
candidates slow it down."""

from collections.abc import Callable

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.simulation.policies import Oracle, Policy, Random
from recmodels.simulation.published.bandits import Mixed, Thompson, UpperBound
from recmodels.simulation.published.interests import Reinforced
from recmodels.simulation.run import NightSeen, simulate
from tests.benchmarks.findings.effects import Effect, over

TITLE = "Jiang et al. 2019: degenerate feedback loops"
SEEDS = 20
NIGHTS = 1000
ARMS: dict[str, tuple[Callable[[Reinforced], Policy], int]] = {  # with new items a night, of 100 at first
    "oracle": (Oracle, 0),
    "oracle, .2 at random": (lambda behavior: Mixed(Oracle(behavior), 0.2), 0),
    "oracle, .5 at random": (lambda behavior: Mixed(Oracle(behavior), 0.5), 0),
    "thompson": (lambda _: Thompson(), 0),
    "ucb": (lambda _: UpperBound(), 0),
    "random": (lambda _: Random(), 0),
    "oracle, 1 new a night": (Oracle, 1),
    "ucb, 1 new a night": (lambda _: UpperBound(), 1),
    "random, 1 new a night": (lambda _: Random(), 1),
}
FASTER = (  # who knows more is faster, who explores, or whose candidates become more, is slower
    ("oracle", "thompson"), ("oracle", "ucb"), ("oracle", "oracle, .2 at random"),
    ("oracle, .2 at random", "oracle, .5 at random"), ("oracle, .5 at random", "random"), ("thompson", "random"),
    ("ucb", "random"), ("ucb", "ucb, 1 new a night"), ("random", "random, 1 new a night"),
)  # fmt: skip
ALSO = (("thompson", "ucb"), ("oracle", "oracle, 1 new a night"), ("random, 1 new a night", "ucb, 1 new a night"))


def run(seed: int, arm: str, nights: int = NIGHTS) -> Doubles:
    """The mean degeneracy over users, a value a night."""
    make, new = ARMS[arm]
    behavior = Reinforced.drawn(seed, new_items=new, nights=nights)
    found: list[float] = []

    def observe(seen: NightSeen) -> None:
        found.append(float(behavior.degeneracy().mean()))

    simulate(behavior, make(behavior), nights, k=5, repeats=True, seed=seed, observe=observe)
    return np.array(found)


def measured(seed: int, nights: int = NIGHTS) -> dict[str, float]:
    values: dict[str, float] = {}
    for arm in ARMS:
        curve = run(seed, arm, nights)
        values[arm] = float(curve[-1])
        values[f"{arm}: growth"] = float(np.log2(curve[-1] / curve[len(curve) // 2 - 1]))
    return values


def effects(runs: list[dict[str, float]]) -> list[Effect]:
    def one(name: str) -> Doubles:
        return over(runs, name)[0]

    found = [Effect.over(f"{arm}: distance of interests from those at first", one(arm), "+") for arm in ARMS]
    found += [
        Effect.over(f"{arm}: doublings of the distance as the nights double", one(f"{arm}: growth"), "+")
        for arm in ARMS
    ]
    for fast, slow in (*FASTER, *ALSO):
        claimed = "+" if (fast, slow) in FASTER else None
        found.append(Effect.over(f"{fast} against {slow}: ln of the ratio", np.log(one(fast) / one(slow)), claimed))
    return found
