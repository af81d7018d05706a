"""Lists for a context, such as a weekday: how much more often an item is had in it, and what users do in which."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Floats, Ints, Longs
from recmodels.data.contexts import Codes, Contexts, Weekdays
from recmodels.data.dataset import Dataset, Repeats
from recmodels.data.folds import Fold
from recmodels.ensemble.fusion import Candidates
from recmodels.ensemble.site_features import SiteFeatures
from recmodels.errors import ConfigError
from recmodels.ranking.topk import TopK

SMOOTHING = 20.0
"""Interactions that each item is taken to have besides its own, spread over the contexts as those of all items are."""
ROOM = 2**20
"""Candidates that are kept: some 150 MB with nine members."""


def contexts_of(kind: str | None, zone: str, given: Contexts | None) -> Contexts | None:
    """What is known of the contexts of a kind, if there is one. Raises ConfigError where nothing is."""
    if kind == "column" and given is None:
        raise ConfigError(
            'ensemble: context = "column" needs what the site says of it; set features.context = "column".'
        )
    return {"weekday": Weekdays(zone), "column": given, None: None}[kind]


def lifts(codes: Codes, data: Dataset, n: int) -> Floats:
    """How many times as often an item is had in a context as items are on the whole, as a logarithm.

    Args:
        codes: the context of each interaction of `data`, -1 where it is not known.
        data: as of the end of a split.
        n: the number of contexts.

    Returns:
        float32 [n_items, n + 1]: log((count of i in c + s p_c) / (count of i + s) / p_c), p_c being the share of the
        context among all interactions; 0 in the last column, which stands for no context in particular.
    """
    known = codes >= 0
    key = data.item_index[known].astype(np.int64) * n + codes[known]
    counts = np.bincount(key, minlength=data.n_items * n).reshape(data.n_items, n).astype(np.float64)
    share = (counts.sum(axis=0) + 1) / (counts.sum() + n)
    rate = (counts + SMOOTHING * share) / (counts.sum(axis=1, keepdims=True) + SMOOTHING)
    return np.column_stack([np.log(rate / share), np.zeros(data.n_items)]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Queries:
    """The users of a fold, once for each context in which they did something after it.

    Attributes:
        fold: its users [n], with what they did in that context alone.
        row: int64 [n], the row of the original fold that each is.
        context: int64 [n], -1 where it is not known.
    """

    fold: Fold
    row: Longs
    context: Longs

    def lists(self, tops: list[TopK]) -> list[TopK]:
        """The lists of the original fold's users for these."""
        return [TopK(top.items[self.row], top.scores[self.row]) for top in tops]


def queries_of(fold: Fold, data: Dataset, codes: Codes) -> Queries:
    """Part what the users of a fold did by its context, which that of the interactions of `data` gives."""
    truth = fold.truth.tocoo()
    row, item = truth.coords
    wanted = fold.users[row].astype(np.int64) * data.n_items + item
    key = data.user_index.astype(np.int64) * data.n_items + data.item_index
    order = np.argsort(key, kind="stable")
    place = np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)
    found = order[place]
    context = np.where(key[found] == wanted, codes[found], -1).astype(np.int64)
    n = int(codes.max(initial=-1)) + 2
    query, at = np.unique(row.astype(np.int64) * n + context + 1, return_inverse=True)
    shape = len(query), data.n_items
    parted = sparse.csr_array((np.ones(len(at), np.bool_), (at, item)), shape=shape)
    rows = query // n
    return Queries(Fold(fold.train, fold.users[rows], parted), rows, query % n - 1)


def own_columns(
    site: SiteFeatures | None, lift: Floats | None, context: Longs, users: Ints, candidates: Candidates
) -> Floats | None:
    """What trees see of candidates besides the members': the site's own columns, and the lift in their context.

    `context` [n_users] is that of each user's list, -1 for none in particular.
    """
    columns = [] if site is None else [site.rows(users[candidates.user], candidates.item)]
    if lift is not None:
        columns.append(lift[candidates.item, context[candidates.user]][:, None])
    return np.column_stack(columns) if columns else None


class Kept:
    """The candidates that were asked for of late: lists in other contexts are made of the same."""

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], Candidates] = {}

    def of(
        self,
        found: Callable[[Dataset, Ints, Bools | None, Repeats], Candidates],
        data: Dataset,
        users: Ints,
        allowed: Bools | None,
        repeats: Repeats,
    ) -> Candidates:
        """What `found` gives for the other arguments, which it is not asked for twice while there is room."""
        asked = data, users.tobytes(), None if allowed is None else allowed.tobytes(), repeats
        if asked not in self._found:
            more = found(data, users, allowed, repeats)
            if len(more) + sum(map(len, self._found.values())) > ROOM:
                self._found.clear()
            self._found[asked] = more
        return self._found[asked]
