"""Fusing ranked lists: the candidates of several members, and the weights that rank them best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints, Longs, Truth
from recmodels.ranking.topk import TopK

WEIGHT_STEPS = (0.0, 0.5, 0.7, 1.4, 2.0, 4.0)  # by which a weight is tried to be multiplied
ROUNDS = 3  # over all weights
MIN_GAIN = 1e-5  # in NDCG
FLOOR = 1e-3  # of the blend, within a logarithm
FOLDS = 5  # of the users that weights are fitted on


@dataclass(frozen=True, eq=False)
class Candidates:
    """What the members list for some users: a row a (user, item), ascending by user, then item; m members."""

    n_users: int
    user: Longs  # [n], the row of the user among those asked for
    item: Ints  # [n]
    rank: Doubles  # [n, m], from 0; inf where the member does not list the item
    share: Doubles  # [n, m], the score's place between the lowest (0) and the highest (1) of the member's list

    @classmethod
    def of(cls, lists: Sequence[TopK], n_items: int) -> "Candidates":
        """Those of the lists of some users, one TopK [n_users, depth] a member."""
        n_users = len(lists[0].items)
        entries = [np.nonzero(top.items >= 0) for top in lists]
        keys = [
            row.astype(np.int64) * n_items + top.items[row, at] for (row, at), top in zip(entries, lists, strict=True)
        ]
        every = np.unique(np.concatenate(keys))
        rank = np.full((len(every), len(lists)), np.inf)
        share = np.zeros((len(every), len(lists)))
        for member, (top, (row, at), key) in enumerate(zip(lists, entries, keys, strict=True)):
            where = np.searchsorted(every, key)
            rank[where, member] = at
            share[where, member] = _shares(top)[row, at]
        return cls(n_users, every // n_items, (every % n_items).astype(np.int32), rank, share)

    def __len__(self) -> int:
        return len(self.user)

    @cached_property
    def starts(self) -> Longs:
        """User u's candidates are the rows starts[u] to starts[u + 1]: [n_users + 1]."""
        return np.searchsorted(self.user, np.arange(self.n_users + 1)).astype(np.int64)

    def reciprocal(self, offset: float) -> Doubles:
        """1 / (offset + rank from 1), 0 where a member does not list the item (Cormack et al., 2009): [n, m]."""
        return 1 / (offset + 1 + self.rank)

    def of_users(self, users: Bools) -> Bools:
        """Which rows belong to the chosen users."""
        return users[self.user]

    def ranked(self, scores: Doubles, k: int) -> TopK:
        """The k best candidates of each user by their scores [n], ties by the smaller item."""
        from recmodels.ensemble.kernels import best

        scores = scores.astype(np.float32)  # ranked as they are listed, in float32
        place = best(self.starts, scores.astype(np.float64), k)
        listed = place >= 0
        items, found = np.full(place.shape, -1, np.int32), np.full(place.shape, -np.inf, np.float32)
        items[listed], found[listed] = self.item[place[listed]], scores[place[listed]]
        return TopK(items, found)


def _shares(top: TopK) -> Doubles:
    listed = top.items >= 0
    highest = np.where(listed, top.scores, -np.inf).max(axis=1, keepdims=True).astype(np.float64)
    lowest = np.where(listed, top.scores, np.inf).min(axis=1, keepdims=True).astype(np.float64)
    flat = ~(highest > lowest)  # nothing listed, or one score for all
    return np.where(flat, 1.0, (top.scores - np.where(flat, 0, lowest)) / np.where(flat, 1, highest - lowest))


@dataclass(frozen=True, eq=False)
class RankingObjective:
    """NDCG of the k best candidates of each user, given what the users went on to do."""

    candidates: Candidates
    truth: Truth  # [n_users, n_items], its stored entries are relevant
    k: int

    @cached_property
    def relevant(self) -> Bools:
        """Which candidates are: [n]."""
        n_items = self.truth.shape[1]
        rows = np.repeat(np.arange(self.truth.shape[0], dtype=np.int64), np.diff(self.truth.indptr))
        return np.isin(self.candidates.user * n_items + self.candidates.item, rows * n_items + self.truth.indices)

    @cached_property
    def ideal(self) -> Doubles:
        """The highest sum of discounts that each user allows: [n_users]."""
        ideal: Doubles = np.cumsum(self.discount)[np.minimum(np.diff(self.truth.indptr), self.k) - 1]
        return ideal

    @property
    def discount(self) -> Doubles:
        return 1 / np.log2(np.arange(self.k) + 2)

    def per_user(self, scores: Doubles) -> Doubles:
        """NDCG@k of each user, if candidates are ranked by `scores` [n]."""
        from recmodels.ensemble.kernels import best

        place = best(self.candidates.starts, scores, self.k)
        hits = (place >= 0) & self.relevant[place] if len(scores) else np.zeros(place.shape, bool)
        gained: Doubles = hits @ self.discount / self.ideal
        return gained


def summed(features: Doubles, weights: Doubles) -> Doubles:
    """features @ weights, in an order that does not depend on the number of rows."""
    total = np.zeros(len(features))
    for column, weight in enumerate(weights):
        total += features[:, column] * weight
    return total


def fitted_weights(features: Doubles, value: Callable[[Doubles], float]) -> Doubles:
    """Weights of sum 1, none below 0, whose weighted sums of `features` [n, m] rank best by `value`.

    Coordinate ascent from equal weights (Metzler & Croft, 2007): one weight after the other is multiplied, or raised
    from nothing, as long as that helps.
    """
    weights = np.full(features.shape[1], 1 / features.shape[1])
    found = value(summed(features, weights))
    for _ in range(ROUNDS):
        before = found
        for member in range(len(weights)):
            now = weights
            base = now[member] if now[member] > 0 else now.max() / 2
            rest = summed(features, np.where(np.arange(len(now)) == member, 0, now))
            for step in WEIGHT_STEPS:
                tried = now.copy()
                tried[member] = base * step
                gained = value(rest + features[:, member] * tried[member]) if tried.any() else -np.inf
                if gained > found + MIN_GAIN:
                    found, weights = gained, tried
        weights = weights / weights.sum()
        if found <= before:
            break
    return weights


def folds_of(n: int, seed: int, n_folds: int = FOLDS) -> Longs:
    """A fold for each of n users, all as large as one another, drawn at random."""
    return np.random.default_rng(seed).permutation(np.arange(n) % n_folds)


@dataclass(frozen=True, eq=False)
class Blend:
    """Weights of the members, and the scores of candidates by weights that other users gave."""

    weights: Doubles  # [m], of sum 1
    unseen: Doubles  # [n], scores of the candidates by weights that other users gave
    value: float  # mean NDCG by these scores

    @property
    def log_odds(self) -> Doubles:
        """What trees add to, times a number: [n]."""
        return log_of(self.unseen)


def log_of(blend: Doubles) -> Doubles:
    """The logarithm of a blend, above a floor: members without weight list candidates too."""
    return np.log(blend + FLOOR)


def _mean_of_users(objective: RankingObjective, users: Bools, scores: Doubles) -> float:
    return float(objective.per_user(scores)[users].mean())


def blended(objective: RankingObjective, offset: float, seed: int) -> Blend:
    """Weights of reciprocal ranks: the mean of those fitted without each fold of the users, and measured on it."""
    candidates = objective.candidates
    fold, features = folds_of(candidates.n_users, seed), candidates.reciprocal(offset)
    unseen, found = np.zeros(len(candidates)), []
    for out in np.unique(fold):
        inside = fold != out
        found.append(fitted_weights(features, partial(_mean_of_users, objective, inside)))
        rows = ~candidates.of_users(inside)
        unseen[rows] = summed(features[rows], found[-1])
    return Blend(np.mean(found, axis=0), unseen, float(objective.per_user(unseen).mean()))
