"""How visitors choose: from their list, by place and by what they expect of the items, and by themselves."""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints, Longs
from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.chances import Chances, Of
from recmodels.simulation.market_settings import MarketSettings

_MOST = 20
"""Choices that a visit may have at most."""


@dataclass(frozen=True)
class Intent:
    """What visitors have in mind: how many items to consume, and for how many of them to turn to the list first."""

    choices: Longs  # [n], 1 to _MOST
    at_list: Longs  # [n]


@dataclass(frozen=True)
class FromLists:
    """What visitors looked at of their lists, and what they took: bool [n, k]."""

    seen: Bools
    taken: Bools


def intents(settings: MarketSettings, users: Ints, chances: Chances) -> Intent:
    """One choice, and more by a Poisson distribution; each of them is looked for in the list with `adoption`."""
    more = settings.choices - 1
    terms = np.cumprod(np.r_[1.0, np.full(_MOST - 1, more) / np.arange(1, _MOST)])
    below = np.cumsum(terms / terms.sum())
    choices = 1 + np.minimum(np.searchsorted(below, chances.uniform(Of.CHOICES, users), "right"), _MOST - 1)
    slot = np.arange(choices.max(initial=0))
    to_list = chances.uniform(Of.ADOPTION, users[:, None], slot) < settings.adoption
    return Intent(choices, (to_list & (slot < choices[:, None])).sum(axis=1))


def from_lists(
    settings: MarketSettings, users: Ints, lists: Ints, expected: Doubles, at_list: Longs, chances: Chances
) -> FromLists:
    """Choose up to `at_list` [n] items of each list [n, k], one after the other, each in proportion to
    exp(expected / noise) of what is seen and left, until nothing tempts more than what is outside.

    Args:
        settings: of the behavior.
        users: whose lists they are [n].
        lists: the items, `NOTHING` in empty places.
        expected: what they expect of each, -inf of what they do not want [n, k].
        at_list: for how many choices they turn to the list.
        chances: of this day.
    """
    place = np.arange(lists.shape[1])
    depth = reached(settings.attention, chances.uniform(Of.DEPTH, users))
    seen = (lists != NOTHING) & (place < depth[:, None]) & (at_list > 0)[:, None]
    # The order of Gumbel-perturbed utilities is that of logit choices without replacement (Plackett-Luce).
    appeal = np.where(seen, expected / settings.noise + chances.gumbel(Of.PLACE, users[:, None], place), -np.inf)
    least = np.full(len(users), -np.inf)
    if settings.outside is not None:
        least = settings.outside / settings.noise + chances.gumbel(Of.OUTSIDE, users)
    rank = np.argsort(np.argsort(-appeal, axis=1, kind="stable"), axis=1, kind="stable")
    taken = (appeal > least[:, None]) & (rank < at_list[:, None])
    return FromLists(seen, taken)


def reached(attention: float, chance: Doubles) -> Doubles:
    """How many places of a list are looked at: r or more in a share r^-attention of the times."""
    if attention == 0:
        return np.full(len(chance), np.inf)
    return np.floor(chance ** (-1 / attention))


@dataclass(frozen=True)
class Shelves:
    """The items that are out, by category, with how easily each comes to mind.

    Attributes:
        items: by category, int64 `[n_out]`.
        upto: how easily all before each come to mind, from 0, float64 `[n_out + 1]`.
        first: where each category begins, and the end, int64 `[n_categories + 1]`.
    """

    items: Longs
    upto: Doubles
    first: Longs

    @classmethod
    def of(cls, out: Bools, category: Ints, n_categories: int, weight: Doubles) -> "Shelves":
        items = np.flatnonzero(out)
        items = items[np.argsort(category[items], kind="stable")]
        first = np.searchsorted(category[items], np.arange(n_categories + 1))
        return cls(items, np.concatenate([[0.0], np.cumsum(weight[items])]), first)

    def drawn(self, low: Longs, high: Longs, chance: Doubles) -> Longs:
        """An item of each range of places, in proportion to how easily it comes to mind."""
        below, above = self.upto[low], self.upto[high]
        place = np.searchsorted(self.upto, below + chance * (above - below), "right") - 1
        return self.items[np.clip(place, low, high - 1)]

    def considered(
        self, settings: MarketSettings, liking: Doubles, users: Ints, slot: Longs, chances: Chances
    ) -> Longs:
        """What each of `users` [n] compares for their own choice number `slot` [n], given how much each likes each
        category, as running shares [n, n_categories]: items [n, considered]."""
        names = (users[:, None], slot[:, None], np.arange(settings.considered))
        way, chance = chances.uniform(Of.WAY, *names), chances.uniform(Of.ITEM, *names)
        n_out = len(self.items)
        anything = self.items[np.minimum((chance * n_out).astype(np.int64), n_out - 1)]
        popular = self.drawn(np.zeros(way.shape, np.int64), np.full(way.shape, n_out), chance)
        point = chances.uniform(Of.CATEGORY, *names)
        category = np.zeros(way.shape, np.int64)
        for upto in liking.T[:-1]:  # some categories
            category += point >= upto[:, None]
        liked = self.drawn(self.first[category], self.first[category + 1], chance)
        by_taste = settings.by_popularity + settings.by_taste
        return np.where(way < settings.by_popularity, popular, np.where(way < by_taste, liked, anything))


def own_choices(
    settings: MarketSettings,
    users: Ints,
    row: Longs,
    slot: Longs,
    items: Ints,
    expected: Doubles,
    taken: Ints,
    chances: Chances,
) -> Longs:
    """Which of the items that they compare users take, no item twice on a day: its place, -1 where none is wanted: [n].

    Args:
        settings: of the behavior.
        users: who chooses [n].
        row: which visitor that is [n].
        slot: which of their own choices it is, from 0 [n].
        items: what they compare [n, considered].
        expected: what they expect of it, -inf of what they do not want [n, considered].
        taken: what each visitor has taken from the list, `NOTHING` in other places [n_visitors, k].
        chances: of this day.
    """
    names = (users[:, None], slot[:, None], np.arange(items.shape[1]))
    appeal = expected / settings.noise + chances.gumbel(Of.OWN_CHOICE, *names)
    slots, k = int(slot.max(initial=-1)) + 1, taken.shape[1]
    had = np.pad(taken, ((0, 0), (0, slots)), constant_values=NOTHING)
    found = np.full(len(users), -1, np.int64)
    for number in range(slots):
        now = np.flatnonzero(slot == number)
        again = (items[now, :, None] == had[row[now], None, :]).any(axis=2)
        offer = np.where(again, -np.inf, appeal[now])
        best = offer.argmax(axis=1)
        wanted = np.isfinite(offer[np.arange(len(now)), best])
        found[now] = np.where(wanted, best, -1)
        had[row[now], k + number] = np.where(wanted, items[now, best], NOTHING)
    return found
