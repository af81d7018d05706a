"""What a site could estimate of others from the log of a policy that explores, beside what is true of them.

The value of a proposer is how often what it would put into the drawn place is chosen where that place is seen. The
estimate is SNIPS (Swaminathan & Joachims 2015) over the nights' log: sum of w r / sum of w, w = 1[it was shown] / its
propensity. The truth is found by letting the day happen with all of its proposals in the place, under the same chances.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from recmodels.data.arrays import Doubles, Ints
from recmodels.simulation.behavior import NOTHING, Behavior
from recmodels.simulation.policies.base import Drawn
from recmodels.simulation.run import DAY, Night, NightSeen

EVERY = 7  # nights between two on which the truth is found: each takes a day of its own for each proposer
USUAL = "usual"
"""What is in the place without exploration."""
PREFIX, WEIGHT, CLICKS, TRUE = "offpolicy", "weight", "clicks", "true"
FEWEST = 5  # nights below which there is no interval


@dataclass(frozen=True)
class Valued:
    """What the log of a policy says of a proposer.

    Attributes:
        policy: whose log it is.
        proposer: of whom; `usual` is the policy's own list.
        value: the estimate, in clicks each time that the place is seen.
        low, high: its interval over nights, None where there are too few.
        true: the true value.
    """

    policy: str
    proposer: str
    value: float
    low: float | None
    high: float | None
    true: float

    @property
    def holds(self) -> bool | None:
        """Whether the interval has the truth within; None without one."""
        return None if self.low is None or self.high is None else self.low <= self.true <= self.high


def column(proposer: str, part: str) -> str:
    """What a night's sum is called among its figures."""
    return f"{PREFIX}:{proposer}:{part}"


def true_values(night: Night, behavior: Behavior, seed: int) -> dict[str, float]:
    """What is true of each proposer on a night, before its day; nothing on most nights, and where none is drawn.

    The day happens once for each of them, under the chances of the seed, and the behavior model is as before then.
    """
    drawn = night.lists.drawn
    if drawn is None or night.night % EVERY:
        return {}
    morning = {name: value.copy() for name, value in behavior.state().items()}
    found = {}
    for proposer, items in _proposed(drawn).items():
        lists, users = night.lists.items.copy(), np.flatnonzero(drawn.slot != NOTHING)
        lists[users, drawn.slot[users]] = items[users]
        day = behavior.react(lists, night.night, _chances(seed, night.night))
        behavior.restore({name: value.copy() for name, value in morning.items()})
        there = drawn.slot[day.seen_user] == day.seen_rank - 1
        found[column(proposer, TRUE)] = float(day.clicked[there].mean()) if there.any() else float("nan")
    return found


def log_sums(seen: NightSeen) -> dict[str, float]:
    """The sums of a night's log that estimates are made of; nothing where none is drawn."""
    drawn, propensity, day = seen.lists.drawn, seen.propensity, seen.day
    if drawn is None or propensity is None:
        return {}
    there = drawn.slot[day.seen_user] == day.seen_rank - 1
    user, item, clicked = day.seen_user[there], day.seen_item[there], day.clicked[there]
    inverse = 1 / propensity[user, drawn.slot[user]].astype(np.float64)
    found = {}
    for proposer, items in _proposed(drawn).items():
        weight = np.where(items[user] == item, inverse, 0.0)
        found[column(proposer, WEIGHT)] = float(weight.sum())
        found[column(proposer, CLICKS)] = float(weight[clicked].sum())
    return found


def valued(policy: str, figures: Mapping[str, Doubles]) -> list[Valued]:
    """The estimates from all nights of a policy beside what is true, best in truth first."""
    names = [name.split(":")[1] for name in figures if name.startswith(f"{PREFIX}:") and name.endswith(f":{TRUE}")]
    found = []
    for proposer in names:
        weight, clicks, true = (figures[column(proposer, part)] for part in (WEIGHT, CLICKS, TRUE))
        logged, known = ~np.isnan(weight), ~np.isnan(true)
        if known.any() and weight[logged].sum() > 0:
            found.append(_valued(policy, proposer, weight[logged], clicks[logged], float(true[known].mean())))
    return sorted(found, key=lambda one: -one.true)


def _valued(policy: str, proposer: str, weight: Doubles, clicks: Doubles, truth: float) -> Valued:
    """The ratio of sums over nights, its error by how these differ from each other."""
    value, n = float(clicks.sum() / weight.sum()), len(weight)
    if n < FEWEST:
        return Valued(policy, proposer, value, None, None, truth)
    error = sqrt(float(((clicks - value * weight) ** 2).sum()) * n / (n - 1)) / float(weight.sum())
    reach = NormalDist().inv_cdf(0.975) * error
    return Valued(policy, proposer, value, value - reach, value + reach, truth)


def _proposed(drawn: Drawn) -> dict[str, Ints]:
    """What each would put into the place of each user's list; where it has nothing, what is there as usual."""
    found = {USUAL: drawn.usual}
    for n, name in enumerate(drawn.names):
        own = drawn.proposals[:, n]
        found[name] = np.where(own == NOTHING, drawn.usual, own)
    return found


def _chances(seed: int, night: int) -> np.random.Generator:
    """Those of the day that will be."""
    return np.random.default_rng([seed, DAY, night])
