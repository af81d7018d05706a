"""The batches of a training on pairs: whole users with all their pairs, in groups that share negatives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recmodels.data.arrays import Csr, Doubles, Floats, Longs, chunks
from recmodels.data.dataset import Dataset
from recmodels.pairwise.config import MIN_BATCH, STEPS, PairConfig, normalized_history
from recmodels.pairwise.losses import Positions
from recmodels.pairwise.sparse_products import Sparse
from recmodels.sampling import propensity_weights, sampling_probabilities


@dataclass(frozen=True, eq=False)
class Group:
    """Users of a batch, one after the other, who share negatives."""

    users: slice
    pairs: slice  # theirs
    negatives: Tensor  # [m]: positions in the batch's `items`
    log_counts: Tensor  # [m]: ln of how often each negative is expected
    shares: Doubles  # [m]: the share of draws that fall on each negative or an earlier one, for pairs that draw some
    masked: Positions  # users, counted from the group's first, and positions in `negatives` that they interacted with


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step trains on. Positives are positions in `items`, rows are positions in `users`."""

    users: Tensor  # [b]
    items: Tensor  # [t]: all that occur in the batch, ascending
    rows: Tensor  # [n]: the user of each pair, ascending
    positives: Tensor  # [n]: the item of each pair
    starts: Tensor  # [b + 1]: the first pair of each user
    weights: Tensor  # [n]
    groups: list[Group]
    history: Sparse | None  # [b, t]: items as features of their users
    terms: Sparse | None  # [t, n_terms]
    user_terms: Sparse | None  # [b, n_user_terms]
    identified: Tensor  # [b, 1]: 0 for users who train as if nothing but the user table were known of them


class Batches:
    """Cuts the pairs of `data` into batches, by random numbers from the seed."""

    def __init__(self, config: PairConfig, data: Dataset, device: str) -> None:
        self.config, self.data, self.device = config, data, device
        self.rng = np.random.default_rng(config.seed)
        probabilities = sampling_probabilities(data, config.sampling_exponent())
        self.known = np.flatnonzero(probabilities)  # items with interactions
        self.probabilities = probabilities[self.known]
        self.ends: Doubles = np.cumsum(self.probabilities) / self.probabilities.sum()
        self.n_negatives = config.n_negatives(data.n_users)
        self.group = config.group(data.n_users)
        self.weights = propensity_weights(data, config.popularity_exponent, weighted=config.weighted)
        self.batch = config.batch or max(MIN_BATCH, len(data) // STEPS)
        self.terms = data.described if config.content and data.described.nnz else None
        self.user_terms = data.user_terms if config.user_content and data.user_terms.nnz else None

    def __iter__(self) -> Iterator[Batch]:
        """All pairs once, by users in random order."""
        counts = np.diff(self.data.indptr)
        users = self.rng.permutation(np.flatnonzero(counts))
        for start, stop in chunks(counts[users], self.batch):
            yield self._batch(users[start:stop], counts[users[start:stop]])

    def _batch(self, users: Longs, sizes: Longs) -> Batch:
        data, on = self.data, self.on
        rows = np.repeat(np.arange(len(users)), sizes)
        starts = np.concatenate(([0], np.cumsum(sizes)))
        interactions = np.repeat(data.indptr[users] - starts[:-1], sizes) + np.arange(len(rows))
        positives = data.item_index[interactions]
        drawn = [(slice(*ends), *self._negatives()) for ends in chunks(sizes, self.group)]
        occurs = np.zeros(data.n_items, bool)
        occurs[positives] = True
        for _, negatives, *_ in drawn:
            occurs[negatives] = True
        items, position = np.flatnonzero(occurs), np.cumsum(occurs) - 1
        as_negative, groups = np.full(data.n_items, -1), []
        for own, negatives, expected, shares in drawn:
            pairs = slice(int(starts[own.start]), int(starts[own.stop]))
            as_negative[negatives] = np.arange(len(negatives))
            collision = as_negative[positives[pairs]]
            as_negative[negatives] = -1
            masked = on((rows[pairs] - own.start)[collision >= 0]), on(collision[collision >= 0])
            log_counts = on(np.log(expected).astype(np.float32))
            groups.append(Group(own, pairs, on(position[negatives]), log_counts, shares, masked))
        history, identified = None, np.ones((len(users), 1), bool)
        if self.user_terms is not None:
            identified = self.rng.random((len(users), 1)) >= self.config.id_dropout
        if self.config.history:
            kept = (self.rng.random(len(rows)) >= self.config.dropout) & identified[rows, 0]
            entries = data.weight[interactions][kept], (rows[kept], position[positives[kept]])
            matrix: Csr = sparse.csr_array(entries, shape=(len(users), len(items)))
            history = Sparse(normalized_history(matrix), self.device)
        return Batch(
            users=on(users), items=on(items), rows=on(rows), positives=on(position[positives]), starts=on(starts),
            weights=on(self.weights[interactions]), groups=groups, history=history,
            terms=None if self.terms is None else Sparse(self.terms[items], self.device),
            user_terms=None if self.user_terms is None else Sparse(self.user_terms[users], self.device),
            identified=on(identified.astype(np.float32)),
        )  # fmt: skip

    def _negatives(self) -> tuple[Longs, Doubles, Doubles]:
        """Items drawn by their probabilities, each once; how often each is expected, for every time it was drawn; and
        the cumulative shares by which pairs draw among them.
        """
        n = self.n_negatives
        if n >= len(self.known):
            return self.known, np.ones(len(self.known)), self.ends
        places = np.minimum(np.searchsorted(self.ends, self.rng.random(n), side="right"), len(self.known) - 1)
        drawn, times = np.unique(places, return_counts=True)
        return self.known[drawn], n * self.probabilities[drawn] / times, np.cumsum(times) / n

    def on(self, array: NDArray[Any]) -> Tensor:
        """A copy on the device."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def id_mask(self, n: int) -> Tensor:
        """1 for most and 0 for those whose own vector is dropped: float32 [n, 1]."""
        kept: Floats = (self.rng.random((n, 1)) >= self.config.id_dropout).astype(np.float32)
        return self.on(kept)
