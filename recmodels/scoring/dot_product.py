"""Models that score by a dot product of a user's and an item's vector."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

from recmodels.base import Recommender
from recmodels.compute import device
from recmodels.compute.work import dense
from recmodels.data.arrays import Bools, Csr, Floats, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.ranking.approximation import (
    LEAST_PRODUCTS,
    MEASURED_ON,
    TUNED_ON,
    Approximation,
    Sample,
    Search,
    approximate,
    load_search,
    save_search,
)
from recmodels.ranking.product_search import SearchedItems, top_products
from recmodels.ranking.topk import TopK

USERS_AT_A_TIME = 2**14  # users whose vectors and histories are copied out at a time


def left_by_bounds(n_items: int) -> float:
    """Items whose score is computed where vectors differ in length: 8 % of 200,000, 4 % of 900,000."""
    return min(37 * math.sqrt(n_items), n_items)


@dataclass
class DotProduct(Recommender):
    """Score of item i for user u = u's vector · i's vector; `_fit` sets `item_vectors_`, float32 [n_items, f].

    An item without interactions has a vector of zeros and is never listed; so has a user of whose items nothing is
    known, who has no list.
    """

    @property
    def item_vectors(self) -> Floats:
        """The fitted vectors of the items: float32 [n_items, f]."""
        vectors: Floats = vars(self)["item_vectors_"]
        return vectors

    def user_vectors(self, data: Dataset, users: Ints) -> Floats:
        """The vectors of some users, given their histories in `data`: float32 [b, f]. Zeros where nothing is known."""
        found = np.zeros((len(users), self.item_vectors.shape[1]), np.float32)
        known = np.flatnonzero(self.knows(data, users))
        for rows in (known[i : i + USERS_AT_A_TIME] for i in range(0, len(known), USERS_AT_A_TIME)):
            found[rows] = self._user_vectors(data, users[rows])
        return found

    @abstractmethod
    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        """The vectors of some users, given their histories in `data`: float32 [b, f]."""

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        return dense(n_listed, self.length_of_vectors(), n_items)

    def length_of_vectors(self) -> int:
        """Numbers of a vector, by the hyper-parameters."""
        return int(getattr(self, "factors", 1))

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats, batch: int | None
    ) -> TopK:
        """No score is kept longer than it takes to compare it."""
        items = np.full((len(users), k), -1, np.int32)
        scores = np.full((len(users), k), -np.inf, np.float32)
        search = self._approximate_search(k, allowed, repeats) or partial(self._exact, items=self._searched(allowed))
        known = np.flatnonzero(self.knows(data, users))
        step = max(1, min(USERS_AT_A_TIME, batch or USERS_AT_A_TIME))
        for part in (known[i : i + step] for i in range(0, len(known), step)):
            vectors = self._user_vectors(data, users[part])
            there = vectors.any(axis=1)  # of the others all scores would be 0
            rows = part[there]
            top = search(vectors[there], k=k, seen=data.hidden(users[rows], repeats))
            items[rows], scores[rows] = top.items, top.scores
        return TopK(items, scores)

    def approximate(
        self,
        data: Dataset,
        k: int,
        *,
        allowed: Bools | None = None,
        repeats: Repeats = False,
        recall: float = 0.99,
        seed: int = 0,
    ) -> Approximation:
        """As `Recommender.approximate` says: by bounds that few scores exceed, tuned on a sample of the users."""
        vars(self)["_last_approximated"] = None
        self._check_list(data.n_items, k, allowed)
        users = np.arange(data.n_users, dtype=np.int32)
        users = users[self.knows(data, users)]
        items = self._searched(allowed)
        if len(users) * float(items.vectors.size) < LEAST_PRODUCTS:
            return Approximation(exact="there are so few that exact ones take no time")
        if device.cuda():
            return Approximation(exact="a GPU makes them")
        chosen = np.random.default_rng(seed).permutation(users)[: TUNED_ON + MEASURED_ON]
        sample = Sample(self._user_vectors(data, chosen), data.hidden(chosen, repeats))
        search, found = approximate(items, sample, k, recall, seed)
        vars(self)["_last_approximated"] = (self.item_vectors, allowed, k, repeats, search)
        return found

    def save_search(self, folder: Path) -> None:
        """Write the way to lists that `approximate` found, if it found one; `load_search` reads it elsewhere."""
        last = vars(self).get("_last_approximated")
        if last is None or last[4] is None:
            return
        _, allowed, k, repeats, search = last
        save_search(search, folder / "search")
        np.savez(folder / "lists.npz", k=k, repeats=repeats, **({} if allowed is None else {"allowed": allowed}))

    def load_search(self, folder: Path) -> None:
        """From now on make lists as the model did that wrote the folder; exact ones where it wrote nothing."""
        if not folder.exists():
            return
        with np.load(folder / "lists.npz", allow_pickle=False) as lists:
            allowed, k, repeats = lists.get("allowed"), int(lists["k"]), lists["repeats"].item()
        search = load_search(folder / "search", self._searched(allowed))
        vars(self)["_last_approximated"] = (self.item_vectors, allowed, k, repeats, search)

    def _approximate_search(self, k: int, allowed: Bools | None, repeats: Repeats) -> Search | None:
        """The search that `approximate` found for such lists; None where they are exact."""
        last: tuple[Floats, Bools | None, int, Repeats, Search | None] | None = vars(self).get("_last_approximated")
        if last is None or last[0] is not self.item_vectors or (k, repeats) != last[2:4] or not _same(last[1], allowed):
            return None
        return last[4]

    def _exact(self, users: Floats, *, k: int, seen: Csr, items: SearchedItems) -> TopK:
        return top_products(users, items, k, seen=seen)

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
        vectors = self._user_vectors(data, users)
        scores: Floats = vectors @ self.item_vectors.T
        scores[:, ~self.item_vectors.any(axis=1)] = -np.inf
        scores[~vectors.any(axis=1)] = -np.inf
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
