"""Prices that keep shares of the exposure within bounds over all lists, though each list is made by itself.

Bounds on what all users' lists show together are relaxed by Lagrange multipliers, one a group of items: its price is
added to the value of each of its items, and then every list is the best one for its own user. The prices that
maximize the dual are found on a sample of users by subgradients (Fisher, Management Science 1981; online and at scale:
Balseiro, Lu & Mirrokni, "The best of many worlds: dual mirror descent for online allocation problems", Operations
Research 2023); as they are the same for all users, lists are made in one pass, and memory does not grow with users. A
step has its own length for each group, longer while its sign stays and shorter once it turns (Rprop: Riedmiller &
Braun, 1993), as shares of few items and of many answer to prices in different measure.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.fallback import serve
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules
from recmodels.ranking.topk import TopK

SAMPLE = 4_096  # users that prices are found on, at most
STEPS = 40
TOLERANCE = 0.01  # of a bound: what is aimed at is within it by so much, and may be missed by as much
ALMOST = 0.999
HIGHEST = 1e4  # a price beyond which nothing changes any more; the relevance of a user's candidates is 0 to 1
ERRORS = 2.0  # standard errors that a share keeps from a bound where only a sample is looked at
KEPT = 2**24  # candidates that are remembered, at most: 8 bytes each


def with_prices(
    rules: Rules,
    model: Recommender,
    fallback: Recommender,
    data: Dataset,
    users: Ints,
    k: int,
    *,
    allowed: Bools | None = None,
    repeats: Repeats = False,
    min_history: int = 1,
    seed: int = 0,
) -> Rules:
    """`rules` with the prices that keep their bounds over the lists that `serve` makes of these for all `users`.

    A bound that cannot be kept is come as near to as the steps lead.
    """
    bounds = rules.bounds
    if bounds is None:
        return rules
    listed = users if rules.lengths is None else users[rules.lengths[users] > 0]
    if not len(listed):
        return rules
    drawn = np.random.default_rng(seed).permutation(len(listed))[:SAMPLE]
    sample = np.sort(listed[drawn])
    kept = [cast("Recommender", Remembering(one, sample)) for one in (model, fallback)]

    def lists(prices: Doubles) -> Ints:
        return serve(
            kept[0], kept[1], data, sample, k,
            allowed=allowed, repeats=repeats, min_history=min_history, rules=rules.at(prices),
        ).items  # fmt: skip

    search = _Search(bounds, 1 - len(sample) / len(listed))
    while search.goes_on(lists(search.prices)):
        pass
    return rules.at(search.best)


class _Search:
    """Dual ascent: prices, their steps, and the best prices so far."""

    def __init__(self, bounds: Bounds, left_out: float) -> None:
        self.bounds = bounds
        self.left_out = left_out  # the share of users that are not in the sample
        self.prices = np.zeros(len(bounds.least))
        self.best = self.prices
        self._least_missed = np.inf
        self._step = np.full(len(bounds.least), 0.1)
        self._sign = np.zeros(len(bounds.least))
        self._turned = np.zeros(len(bounds.least), bool)
        self._done = 0

    def goes_on(self, items: Ints) -> bool:
        """Take the lists that the prices gave, and set the next ones; whether there are any."""
        groups, whole = self.bounds.of_lists(items)
        share = groups.sum(axis=0) / (whole.sum() or 1)
        low, high = self._within(share, groups, whole)
        self._keep(float((np.maximum(low * ALMOST - share, 0) + np.maximum(share - high / ALMOST, 0)).sum()))
        low, high = low * (1 + TOLERANCE), high * (1 - TOLERANCE)
        # the subgradient: what is lacking, or too much; a price that is no longer needed goes back to 0
        lacks = np.where(self.prices > 0, low - share, np.where(self.prices < 0, high - share, 0.0))
        lacks = np.where(self.prices == 0, np.minimum(high - share, 0) + np.maximum(low - share, 0), lacks)
        bound = np.where((self.prices > 0) | ((self.prices == 0) & (lacks > 0)), low, high)
        sign = np.where(np.abs(lacks) > TOLERANCE * bound, np.sign(lacks), 0.0)
        sign[np.abs(self.prices) > HIGHEST] = 0
        turned = sign * self._sign < 0
        self._turned |= turned
        self._step *= np.where(turned, 0.5, np.where(sign * self._sign > 0, np.where(self._turned, 1.2, 2.0), 1.0))
        moved = self.prices + sign * self._step
        self.prices = np.where(moved * self.prices < 0, 0.0, moved)
        self._sign, self._done = np.where(sign == 0, self._sign, sign), self._done + 1
        return bool((sign != 0).any()) and self._done < STEPS

    def _within(self, share: Doubles, groups: Doubles, whole: Doubles) -> tuple[Doubles, Doubles]:
        """The bounds, narrower by the error of the sample."""
        error = np.sqrt(((groups - whole[:, None] * share) ** 2).sum(axis=0) * self.left_out) / (whole.sum() or 1)
        least, most = self.bounds.least, self.bounds.most
        low = np.where(least > 0, least + ERRORS * error, 0.0)
        high = np.where(most < 1, np.maximum(most - ERRORS * error, 0), 2.0)  # 2: never reached, nor aimed at
        crossed = low > high  # the bounds are nearer to each other than that
        middle = (least + most) / 2
        return np.where(crossed, middle, low), np.where(crossed, middle, high)

    def _keep(self, missed: float) -> None:
        """Keep prices that miss less, or no more and are lower."""
        lower = float(np.abs(self.prices).sum()) < float(np.abs(self.best).sum())
        if missed < self._least_missed or (missed == self._least_missed and lower):
            self._least_missed, self.best = missed, self.prices.copy()


@dataclass
class Remembering:
    """A fitted model whose candidates for some users, which ascend, are computed once and then remembered."""

    model: Recommender
    users: Ints

    def __post_init__(self) -> None:
        self.needs_history = self.model.needs_history
        self.knows = self.model.knows
        self._known: dict[tuple[int, bytes], TopK] = {}

    def recommend(
        self, data: Dataset, users: Ints, k: int, *, allowed: Bools | None = None, repeats: Repeats = False
    ) -> TopK:
        """`Recommender.recommend`; `repeats` is the same each time."""
        stored = sum(one.items.size for one in self._known.values())
        key = (k, b"" if allowed is None else np.packbits(allowed).tobytes())
        if key not in self._known:
            if stored + k * len(self.users) > KEPT:
                return self.model.recommend(data, users, k, allowed=allowed, repeats=repeats)
            self._known[key] = self.model.recommend(data, self.users, k, allowed=allowed, repeats=repeats)
        rows, found = np.searchsorted(self.users, users), self._known[key]
        return TopK(found.items[rows], found.scores[rows])
