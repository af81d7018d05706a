"""Policies that learn the interest of each user in each item from clicks alone, as bandits do: no user helps another.

Jiang et al. (2019) compare them with one that knows all interests, one that knows nothing, and mixtures of both.
"""

from abc import abstractmethod

import numpy as np

from recmodels.data.arrays import Doubles
from recmodels.simulation.behavior import NOTHING, Day
from recmodels.simulation.known import Known
from recmodels.simulation.policies import Lists, Policy
from recmodels.simulation.policies.base import ranked


class Bandit(Policy):
    """Counts how often each item was shown to and clicked by each user.

    Attributes:
        shown, clicked: `[n_users, n_items]`; empty before the first night.
    """

    shown: Doubles = np.empty((0, 0))
    clicked: Doubles = np.empty((0, 0))

    @abstractmethod
    def scores(self, rng: np.random.Generator) -> Doubles:
        """Of all items for all users, from the counts: `[n_users, n_items]`."""

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        if not self.shown.size:
            self.shown, self.clicked = np.zeros((2, len(known.here), len(known.out)))
        scores = self.scores(rng)
        return ranked(known, k, lambda users: scores[users])

    def happened(self, night: int, lists: Lists, day: Day) -> None:
        np.add.at(self.shown, (day.seen_user, day.seen_item), 1)
        np.add.at(self.clicked, (day.seen_user[day.clicked], day.seen_item[day.clicked]), 1)

    def state(self) -> dict[str, np.ndarray]:
        return {"shown": self.shown.copy(), "clicked": self.clicked.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.shown, self.clicked = state["shown"].copy(), state["clicked"].copy()


class Thompson(Bandit):
    """Draws a click rate for each item from its posterior, Beta(1 + clicks, 1 + other times), and lists the highest."""

    name = "thompson"

    def scores(self, rng: np.random.Generator) -> Doubles:
        return rng.beta(1 + self.clicked, 1 + self.shown - self.clicked)


class UpperBound(Bandit):
    """UCB1: the mean of the clicks + sqrt(2 ln t / shown), t being all that the user was shown; each item first."""

    name = "ucb"

    def scores(self, rng: np.random.Generator) -> Doubles:
        total = np.maximum(self.shown.sum(axis=1, keepdims=True), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = self.clicked / self.shown + np.sqrt(2 * np.log(total) / self.shown)
        return np.where(self.shown > 0, bound, 1e6 + rng.random(self.shown.shape))


class Mixed(Policy):
    """Each place of a list is filled at random with a probability, otherwise by another policy."""

    def __init__(self, policy: Policy, share: float, name: str | None = None) -> None:
        """With the `share` of places that are random."""
        self.policy, self.share = policy, share
        self.name = name or f"{policy.name}, {share:g} at random"

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:
        self.policy.learn(night, known, rng)

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        items = self.policy.lists(night, known, k, rng).items
        out = np.flatnonzero(known.out)
        # Of as many random items as there are places, at least one is not in the list yet.
        for place in range(k):
            drawn = out[rng.integers(0, len(out), (len(items), k + 1))]
            fresh = (drawn[:, :, None] != items[:, None, :]).all(axis=2)
            chosen = drawn[np.arange(len(items)), fresh.argmax(axis=1)]
            here = (rng.random(len(items)) < self.share) & fresh.any(axis=1) & (items[:, place] != NOTHING)
            items[here, place] = chosen[here]
        return Lists(items)

    def happened(self, night: int, lists: Lists, day: Day) -> None:
        self.policy.happened(night, lists, day)

    def state(self) -> dict[str, np.ndarray]:
        return self.policy.state()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.policy.restore(state)
