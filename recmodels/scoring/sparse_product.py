"""Models whose scores are the product of two sparse matrices."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from recmodels.base import Recommender, positive_evidence
from recmodels.data.arrays import Bools, Csr, Floats, Ints, chunks, row_lengths
from recmodels.data.dataset import Dataset, Repeats
from recmodels.ranking.topk import TopK, ranked

USERS_AT_A_TIME = 2**14  # users whose histories are copied out of the data at a time
ENTRIES_AT_A_TIME = 2**22  # similarities that are ranked at a time

SCANNED = 1 / 10
"""What it counts to look at an item's sum, and to set it back, beside a multiplication."""

Factors: TypeAlias = tuple[Csr, Csr, Floats]
"""A [b, l], B [l, n_items] and a factor for each item [n_items]: scores are (A B) · factor."""


def product_scores(left: Csr, right: Csr, factor: Floats) -> Floats:
    """The scores as a dense array [b, n_items], -inf where they are not above 0."""
    scores: Floats = positive_evidence(left @ right)
    scores *= factor
    return scores


def product_lists(
    product: Callable[[Dataset, Ints], Factors],
    data: Dataset,
    users: Ints,
    k: int,
    allowed: Bools | None,
    repeats: Repeats,
    batch: int | None,
) -> TopK:
    """Lists as `Recommender.recommend` gives them; each row of scores exists for as long as it takes to rank it."""
    from recmodels.compute.jit import parallel_for
    from recmodels.scoring import kernels

    items = np.full((len(users), k), -1, np.int32)
    scores = np.full((len(users), k), -np.inf, np.float32)
    step = max(1, min(USERS_AT_A_TIME, batch or USERS_AT_A_TIME))
    for start in range(0, len(users), step):
        some = users[start : start + step]
        left, right, factor = product(data, some)
        scale = factor if allowed is None else np.where(allowed, factor, np.float32(0))
        seen = data.hidden(some, repeats)
        best = np.full((len(some), min(k, data.n_items)), -1, np.int32)
        values = np.full(best.shape, -np.inf, np.float32)
        given = kernels.parts(left), kernels.parts(right), kernels.parts(seen), scale, best, values
        parallel_for(partial(kernels.product_lists, *given), range(kernels.TASKS))
        items[start : start + step, : best.shape[1]] = best
        scores[start : start + step, : best.shape[1]] = values
    return TopK(items, scores)


def stored_similar(similarity: Csr, items: Ints, k: int, allowed: Bools | None) -> TopK:
    """The k largest entries above 0 of some rows of a sparse [n_items, n_items], as `similar_items` gives them."""
    top = TopK(np.full((len(items), k), -1, np.int32), np.full((len(items), k), -np.inf, np.float32))
    for start, stop in chunks(row_lengths(similarity.indptr, items).astype(np.int64), ENTRIES_AT_A_TIME):
        some = similarity[items[start:stop]]
        rows = np.repeat(np.arange(stop - start), np.diff(some.indptr))
        kept = (some.data > 0) & (some.indices != items[start:stop][rows])
        if allowed is not None:
            kept &= allowed[some.indices]
        rows, columns, values = rows[kept], some.indices[kept], some.data[kept]
        order, rank = ranked(rows, columns, values, stop - start, k)
        top.items[start + rows[order], rank] = columns[order]
        top.scores[start + rows[order], rank] = values[order]
    return top


def stored_reasons(matrix: Csr, affinity: Csr, users: Ints, lists: Ints) -> Ints:
    """The item of each user's history that adds most to each score, as `explain` gives it: [n, k].

    Entry (u, j) of `matrix` adds itself times (j, i) of `affinity` to the score of i.
    """
    from recmodels.compute.jit import parallel_for
    from recmodels.scoring import kernels, reason_kernels

    reasons = np.full(lists.shape, -1, np.int32)
    given = kernels.parts(matrix), kernels.parts(affinity), affinity.shape[1], users, lists, reasons
    work = partial(reason_kernels.stored_reasons, *given)
    parallel_for(work, range(0, len(users), reason_kernels.ROWS))
    return reasons


@dataclass
class SparseProduct(Recommender):
    """Scores that are the product of two sparse matrices: listed without ever being stored, above 0 only."""

    @abstractmethod
    def _product(self, data: Dataset, users: Ints) -> Factors:
        """The two matrices and the factor whose product the scores of `users` are."""

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        return n_listed * (self.list_products(n_users, n_items, n_interactions) + SCANNED * n_items)

    def list_products(self, n_users: int, n_items: int, n_interactions: int) -> float:
        """Multiplications of a user's scores."""
        return float(n_items)

    def _score(self, data: Dataset, users: Ints) -> Floats:
        return product_scores(*self._product(data, users))

    def _lists(
        self, data: Dataset, users: Ints, k: int, allowed: Bools | None, repeats: Repeats, batch: int | None
    ) -> TopK:
        return product_lists(self._product, data, users, k, allowed, repeats, batch)
