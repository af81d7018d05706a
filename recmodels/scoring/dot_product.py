"""Models that score by a dot product of a user's and an item's vector."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.ranking.product_search import SearchedItems, top_products
from recmodels.ranking.topk import TopK

USERS_AT_A_TIME = 2**14  # users whose vectors and histories are copied out at a time


@dataclass
class DotProduct(Recommender):
    """Score of item i for user u = u's vector · i's vector; `_fit` sets `item_vectors_`, float32 [n_items, f].

    An item without interactions has a vector of zeros and is never listed.
    """

    @property
    def item_vectors(self) -> Floats:
        """The fitted vectors of the items: float32 [n_items, f]."""
        vectors: Floats = vars(self)["item_vectors_"]
        return vectors

    @abstractmethod
    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        """The vectors of some users, given their histories in `data`: float32 [b, f]."""

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: bool, batch: int | None
    ) -> TopK:
        """No score is kept longer than it takes to compare it."""
        items = np.full((len(users), k), -1, np.int32)
        scores = np.full((len(users), k), -np.inf, np.float32)
        searched = self._searched(allowed)
        known = np.flatnonzero(self.knows(data, users))
        step = max(1, min(USERS_AT_A_TIME, batch or USERS_AT_A_TIME))
        for rows in (known[i : i + step] for i in range(0, len(known), step)):
            vectors = self._user_vectors(data, users[rows])
            seen = None if repeats else data.seen[users[rows]]
            top = top_products(vectors, searched, k, seen=seen)
            items[rows], scores[rows] = top.items, top.scores
        return TopK(items, scores)

    def _searched(self, allowed: Bools | None) -> SearchedItems:
        """The items that can be listed; those of the last call once more, where they are the same."""
        last: tuple[Floats, Bools | None, SearchedItems] | None = vars(self).get("_last_searched")
        if last is not None and last[0] is self.item_vectors and _same(last[1], allowed):
            return last[2]
        eligible = self.item_vectors.any(axis=1)
        if allowed is not None:
            eligible &= allowed
        searched = SearchedItems(self.item_vectors, np.flatnonzero(eligible).astype(np.int32))
        vars(self)["_last_searched"] = (self.item_vectors, None if allowed is None else allowed.copy(), searched)
        return searched

    def _score(self, data: Dataset, users: Ints) -> Floats:
        scores: Floats = self._user_vectors(data, users) @ self.item_vectors.T
        scores[:, ~self.item_vectors.any(axis=1)] = -np.inf
        return scores

    def _similar_items(self, items: Ints, k: int, allowed: Bools | None) -> TopK:
        """As `Recommender.similar_items` says: by the cosine of the items' vectors."""
        vectors = self._similarity_vectors()
        norms: Floats = np.linalg.norm(vectors, axis=1)
        known = norms > 0
        unit: Floats = np.divide(vectors, np.where(known, norms, 1)[:, None], dtype=np.float32)
        choice = np.flatnonzero(known if allowed is None else known & allowed).astype(np.int32)
        lists = TopK(np.full((len(items), k), -1, np.int32), np.full((len(items), k), -np.inf, np.float32))
        asked = np.flatnonzero(known[items])
        itself: Csr = sparse.csr_array(
            (np.ones(len(asked), np.float32), items[asked], np.arange(len(asked) + 1)), shape=(len(asked), len(unit))
        )
        top = top_products(unit[items[asked]], unit, k, choice=choice, seen=itself)
        lists.items[asked], lists.scores[asked] = top.items, top.scores
        return lists

    def _similarity_vectors(self) -> Floats:
        """The part of the items' vectors whose cosine is their similarity: float32 [n_items, f]."""
        return self.item_vectors


def _same(one: Bools | None, other: Bools | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
