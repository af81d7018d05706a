"""The steps of a training on pairs: whole users, all their pairs, and rivals that they share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recmodels.base import chunks
from recmodels.data.arrays import Csr, Floats, Longs
from recmodels.data.dataset import Dataset
from recmodels.pairwise.config import PairRecipe, of_length
from recmodels.pairwise.sparse_products import Sparse
from recmodels.sampling import importance, odds

STEPS, LEAST = 60, 2048
"""Steps of an epoch, and the fewest interactions of one: more steps overfit where there are many interactions."""

LOTS = 2**16
"""Rivals that a pair draws from: a table, in which one that is drawn twice as often stands twice as often."""


@dataclass(frozen=True, eq=False)
class Step:
    """What one step looks at; `touched` are the items that occur, and all others count by their place among them."""

    users: Tensor  # [b]
    touched: Tensor  # [t]
    rows: Tensor  # [n]: the user, by place, of each pair; ascending
    items: Tensor  # [n]
    starts: Tensor  # [b + 1]: the first pair of each user
    rivals: Tensor  # [m]
    log_counts: Tensor  # [m]: ln of how often each rival is expected
    lots: Longs  # [LOTS]: rivals, by place, each as often as it is drawn for a pair
    weights: Tensor  # [n]
    own: tuple[Tensor, Tensor]  # users and rivals, by place, where the user has the rival
    history: Sparse | None  # [b, t]: items as features of their users
    terms: Sparse | None  # [t, n_terms]
    user_terms: Sparse | None  # [b, n_user_terms]
    familiar: Tensor  # [b, 1]: 0 for those who are taken as known by the user table alone


class Steps:
    """Cuts the pairs of `data` into steps, by random numbers from the seed."""

    def __init__(self, recipe: PairRecipe, data: Dataset, where: str) -> None:
        self.recipe, self.data, self.where = recipe, data, where
        self.rng = np.random.default_rng(recipe.seed)
        chances = odds(data, recipe.rival_exponent())
        self.known = np.flatnonzero(chances)
        self.odds = chances[self.known]
        self.weights = importance(data, recipe.popularity_exponent, weighted=recipe.weighted)
        self.batch = recipe.batch or max(LEAST, len(data) // STEPS)
        self.terms = data.terms if recipe.content and data.terms.nnz else None
        self.user_terms = data.user_terms if recipe.user_content and data.user_terms.nnz else None

    def __iter__(self) -> Iterator[Step]:
        """All pairs once, by users in random order."""
        counts = np.diff(self.data.indptr)
        users = self.rng.permutation(np.flatnonzero(counts))
        for start, stop in chunks(counts[users], self.batch):
            yield self._step(users[start:stop], counts[users[start:stop]])

    def _step(self, users: Longs, sizes: Longs) -> Step:
        data, on = self.data, self.on
        rows = np.repeat(np.arange(len(users)), sizes)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        places = np.repeat(data.indptr[users] - starts[:-1], sizes) + np.arange(len(rows))
        items = data.item_index[places]
        rivals, expected, lots = self._rivals()
        slot = np.full(data.n_items, -1)
        slot[rivals] = np.arange(len(rivals))
        own = slot[items]
        occurs = np.zeros(data.n_items, bool)
        occurs[items] = occurs[rivals] = True
        touched, place = np.flatnonzero(occurs), np.cumsum(occurs) - 1
        history, familiar = None, np.ones((len(users), 1), bool)
        if self.user_terms is not None:
            familiar = self.rng.random((len(users), 1)) >= self.recipe.id_dropout
        if self.recipe.history:
            kept = (self.rng.random(len(rows)) >= self.recipe.dropout) & familiar[rows, 0]
            entries = data.weight[places][kept], (rows[kept], place[items[kept]])
            matrix: Csr = sparse.csr_array(entries, shape=(len(users), len(touched)))
            history = Sparse(of_length(matrix), self.where)
        return Step(
            users=on(users), touched=on(touched), rows=on(rows), items=on(place[items]), starts=on(starts),
            rivals=on(place[rivals]), log_counts=on(np.log(expected).astype(np.float32)), lots=lots,
            weights=on(self.weights[places]), own=(on(rows[own >= 0]), on(own[own >= 0])), history=history,
            terms=None if self.terms is None else Sparse(self.terms[touched], self.where),
            user_terms=None if self.user_terms is None else Sparse(self.user_terms[users], self.where),
            familiar=on(familiar.astype(np.float32)),
        )  # fmt: skip

    def _rivals(self) -> tuple[Longs, NDArray[np.float64], Longs]:
        """Items drawn by their odds, each once, how often each is expected for every time it was drawn, and lots."""
        n = self.recipe.rivals(self.data.n_users)
        if n >= len(self.known):
            return self.known, np.ones(len(self.known)), _lots(self.odds)
        drawn, times = np.unique(self.rng.choice(len(self.known), n, p=self.odds), return_counts=True)
        return self.known[drawn], n * self.odds[drawn] / times, _lots(times / n)

    def on(self, array: NDArray[Any]) -> Tensor:
        """A copy on the device."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.where)

    def kept(self, n: int) -> Tensor:
        """1 for most and 0 for those whose own vector is dropped: float32 [n, 1]."""
        kept: Floats = (self.rng.random((n, 1)) >= self.recipe.id_dropout).astype(np.float32)
        return self.on(kept)


def _lots(shares: NDArray[np.float64]) -> Longs:
    """Places whose shares of LOTS are as given, in equal steps of their sums: [LOTS]."""
    ends = np.cumsum(shares)
    return np.searchsorted(ends / ends[-1], (np.arange(LOTS) + 0.5) / LOTS).astype(np.int64)
