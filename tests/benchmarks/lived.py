"""Nights that are lived with one policy and with another by the same chances, and what a site sees of them."""

from dataclasses import dataclass, replace

import numpy as np

from recmodels.metrics.long_term import entropy
from recmodels.simulation.behavior import Day
from recmodels.simulation.known import Log
from recmodels.simulation.market import Market
from recmodels.simulation.policies import Policy
from tasks.longterm.daily import Daily

K, EVERY = 10, 7  # places of a list, and nights from one training to the next
FIGURES = ("events", "seen", "rewards", "deepest", "utility")


@dataclass(frozen=True)
class Lived:
    """What users did, night by night, and what it was worth to them.

    Attributes:
        category: of each item, `[n_items]`.
        nights: of each night the `FIGURES` of each user, float32 `[n_users]`, and who chose which items.
    """

    category: np.ndarray
    n_users: int
    nights: dict[int, dict[str, np.ndarray]]

    @classmethod
    def of_history(cls, market: Market) -> "Lived":
        """The days before the first night."""
        past, found = market.history(), cls(market.world.category, market.world.n_users, {})
        for night in range(-market.settings.history_days, 0):
            chosen = past.night == night
            found._note(night, past.user[chosen], past.item[chosen])
        return found

    def branch(self) -> "Lived":
        """The same nights, to go on from."""
        return replace(self, nights=dict(self.nights))

    def add(self, night: int, day: Day) -> None:
        figures, n = self._note(night, day.choices.user, day.choices.item), self.n_users
        figures["seen"] += np.bincount(day.seen_user, minlength=n)
        figures["rewards"] += np.bincount(day.seen_user, day.clicked, n)
        figures["utility"] += np.bincount(day.choices.user, day.worth, n)
        np.maximum.at(figures["deepest"], day.seen_user, day.seen_rank)

    def of(self, figure: str, begin: int, end: int) -> np.ndarray:
        """A figure of each user on the nights from `begin` to before `end`, [n_users, nights]."""
        return np.column_stack([self.nights[night][figure] for night in range(begin, end)]).astype(np.float64)

    def _note(self, night: int, user: np.ndarray, item: np.ndarray) -> dict[str, np.ndarray]:
        figures = {name: np.zeros(self.n_users, np.float32) for name in FIGURES}
        figures["events"] += np.bincount(user, minlength=self.n_users)
        self.nights[night] = {**figures, "user": user, "item": item}
        return figures


def live(market: Market, log: Log, lived: Lived, policy: Policy, nights: range, seed: int) -> None:
    """Some nights of a policy. What happens by chance on one of them follows from the seed and the night alone."""
    for night in nights:
        known = log.known(night, market.here(night))
        if (night - nights.start) % EVERY == 0:
            policy.learn(night, known, np.random.default_rng([seed, 1, night]))
        lists = policy.lists(night, known, K, np.random.default_rng([seed, 2, night]))
        day = market.react(lists.items, night, np.random.default_rng([seed, 0, night]))
        log.append(day.choices)
        lived.add(night, day)


class AsKnown(Daily):
    """Lived nights, as `nightrec longterm` has those of a site: counted back from one."""

    def __init__(self, lived: Lived, now: int) -> None:
        self._lived, self._now = lived, now
        self.users = np.arange(lived.n_users)
        self.days = now - min(lived.nights)
        self.logged, self.has_categories = -self.days, True
        came = self.events(-self.days, 0) > 0
        self.first = np.where(came.any(axis=1), came.argmax(axis=1) - float(self.days), 0.0)

    def events(self, begin: int, end: int) -> np.ndarray:
        return self._lived.of("events", self._now + begin, self._now + end)

    def seen(self, begin: int, end: int) -> np.ndarray:
        return self._lived.of("seen", self._now + begin, self._now + end)

    def rewards(self, begin: int, end: int) -> np.ndarray:
        return self._lived.of("rewards", self._now + begin, self._now + end)

    def deepest(self, begin: int, end: int) -> np.ndarray:
        return self._lived.of("deepest", self._now + begin, self._now + end)

    def variety(self, begin: int, end: int) -> np.ndarray:
        nights = [self._lived.nights[self._now + day] for day in range(begin, end)]
        user, item = (np.concatenate([one[name] for one in nights]) for name in ("user", "item"))
        table = np.zeros((self._lived.n_users, int(self._lived.category.max()) + 1))
        np.add.at(table, (user, self._lived.category[item]), 1)
        return np.where(table.sum(axis=1) > 1, np.ravel(entropy(table)), np.nan)
