"""What a log is like: whether what a user chooses next follows from popularity, from what goes together, or from order.

A network that reads histories as sequences can only find what is there to be found. Counting tells beforehand, in
seconds.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Csr, Doubles, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.folds import Fold, last_items
from recmodels.errors import DataRefused
from recmodels.knn.transitions import Transitions
from recmodels.metrics.ranking import Metric, per_user
from recmodels.metrics.significance import Difference, paired
from recmodels.popularity import Popularity

HISTORIES = 200_000  # users whose histories are counted, at most, drawn at random
MEASURED = 5_000  # users whose last items are predicted, at most
FEW = 100  # users, with fewer of whom nothing is said
LAST = 1e-9  # as a share that is rounded up: one interaction
RECENT_DAYS = 7


class Order(StrEnum):
    """What the order of histories says about what comes next."""

    NOTHING = "nothing"  # beyond which items go together
    LAST_ITEM = "last_item"  # by the last item alone
    HISTORY = "history"  # by the last item, and more by those before it


SAYS = {
    Order.NOTHING: "Histories in random order foretell the next item as well as they do in their own: models of what "
    "goes together (item_knn, als, ease, graph_filter) see all there is, and a transformer has no order to learn from.",
    Order.LAST_ITEM: "Order matters, and the last item says it all: try transitions with recent = 1 to 3. Longer "
    "histories add nothing that counting finds, which speaks against the cost of a transformer.",
    Order.HISTORY: "Order matters, and the items before the last one add to it: compare transitions, which takes "
    "seconds, with a transformer.",
}


@dataclass(frozen=True)
class Diagnosis:
    """What foretells the next item of a log, each user's last interaction being held out.

    Attributes:
        users: How many users were measured.
        k: Length of their lists.
        ndcg: Mean NDCG@k of lists by `popularity`, `recent_popularity` (of the last week), `together` (what follows the
            items of histories in random order), `last_item` and `last_items` (what follows the last, or the last ten).
        order: NDCG@k of `last_items` less that of `together`, with a 95 % bootstrap interval over users.
        history: Of `last_items` less that of `last_item`.
        choices: How many items follow an item, as if all were equally likely: the exponential of the mean entropy of
            what comes directly after a user's last item.
        followed: Share of users whose next item somebody has chosen directly after the same item before.
        tied: Share of interactions with the time of the same user's one before, where the order may be no order.
    """

    users: int
    k: int
    ndcg: Mapping[str, float]
    order: Difference
    history: Difference
    choices: float
    followed: float
    tied: float

    @property
    def verdict(self) -> Order:
        """What the order says; what is not beyond doubt is taken for nothing."""
        if self.order.low <= 0:
            return Order.NOTHING
        return Order.LAST_ITEM if self.history.low <= 0 else Order.HISTORY

    @property
    def says(self) -> str:
        """The verdict in a sentence."""
        return SAYS[self.verdict]


def diagnose(data: Dataset, *, k: int = 10, seed: int = 0) -> Diagnosis:
    """Find out what foretells the next item of a log.

    Args:
        data: all interactions; of more than 200,000 users, as many drawn at random count.
        k: length of the lists.
        seed: of what is drawn.

    Raises:
        DataRefused: fewer than 100 users can be measured.
    """
    data = _of_some(replace(data, ids=None), seed)
    part = last_items(data, LAST, MEASURED, seed)
    if len(part.users) < FEW:
        raise DataRefused(f"{len(part.users)} users have two interactions or more; a diagnosis takes {FEW}.")
    train, shuffled = part.train, _in_random_order(part.train, seed)
    follows = Transitions().fit(train)
    ways: dict[str, tuple[Recommender, Dataset]] = {
        "popularity": (Popularity().fit(train), train),
        "recent_popularity": (Popularity(days=RECENT_DAYS).fit(train), train),
        "together": (Transitions().fit(shuffled), shuffled),
        "last_item": (copy(follows).set_params(recent=1), train),  # which counts the same
        "last_items": (follows, train),
    }
    ndcg = {name: _ndcg(model, log, part, k) for name, (model, log) in ways.items()}
    choices, followed = _next_steps(part)
    same_user = data.user_index[1:] == data.user_index[:-1]
    return Diagnosis(
        users=len(part.users),
        k=k,
        ndcg={name: float(values.mean()) for name, values in ndcg.items()},
        order=paired(ndcg["last_items"] - ndcg["together"], seed),
        history=paired(ndcg["last_items"] - ndcg["last_item"], seed),
        choices=choices,
        followed=followed,
        tied=float((same_user & (data.timestamp[1:] == data.timestamp[:-1])).mean()),
    )


def _ndcg(model: Recommender, train: Dataset, part: Fold, k: int) -> Metric:
    return per_user(model.recommend(train, part.users, k).items, part.truth)["ndcg"]


def _of_some(data: Dataset, seed: int) -> Dataset:
    """The data with the interactions of at most `HISTORIES` users."""
    there = np.flatnonzero(np.diff(data.indptr))
    if len(there) <= HISTORIES:
        return data
    return data.without(np.random.default_rng(seed).permutation(there)[HISTORIES:].astype(np.int32))


def _in_random_order(data: Dataset, seed: int) -> Dataset:
    """The same pairs; each history in an order drawn at random."""
    order = np.lexsort((np.random.default_rng(seed).random(len(data)), data.user_index))
    shuffled = Dataset.from_arrays(
        data.user_index, data.item_index[order], weight=data.weight[order], n_users=data.n_users, n_items=data.n_items
    )
    return replace(shuffled, seen=data.seen)


def _next_steps(part: Fold) -> tuple[float, float]:
    """How many items follow the last items of the measured users, and how many users' next item is one of them."""
    train, n = part.train, part.train.n_items
    first = np.flatnonzero(train.user_index[1:] == train.user_index[:-1])
    pairs = train.item_index[first], train.item_index[first + 1]
    steps: Csr = sparse.coo_array((train.weight[first + 1], pairs), shape=(n, n)).tocsr()
    last: Ints = train.item_index[train.indptr[part.users + 1] - 1]
    after = steps[last]
    known: Bools = np.diff(after.indptr) > 0
    row = np.repeat(np.arange(len(last)), np.diff(after.indptr))
    share: Doubles = after.data / np.repeat(after.sum(axis=1), np.diff(after.indptr))
    entropy = np.bincount(row, -share * np.log(share), len(last))
    choices = float(np.exp(entropy[known].mean())) if known.any() else 0.0
    return choices, float(after.multiply(part.truth).sum(axis=1).astype(bool).mean())
