"""Item transitions: what users went on to soon after each of their latest items; counted, not trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy import sparse

from recmodels.base import SCORE_BYTES
from recmodels.compute.work import KEPT, mean_length
from recmodels.data.arrays import Csr, Doubles, Floats, Ints, Longs, chunks, empty_matrix, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions
from recmodels.parameters import Search
from recmodels.ranking.topk import TopK
from recmodels.scoring.kept_neighbors import largest_of_both
from recmodels.scoring.sparse_product import SparseProduct, stored_reasons

ENTRIES_AT_A_TIME = 2**22
"""Steps between two items that are counted at a time, and transitions that are kept: some 250 MB."""


@dataclass
class Transitions(SparseProduct):
    """Item transitions: items that users went on to soon after the latest items of the history.

    A user who comes to item i by an interaction of weight w, d steps after item j, d up to `window`, adds
    w / d^distance_power to the count c_ji. Score of i for a user whose latest items are j_0 (the last), j_1 and so on =
    Σ_a decay^a c_(j_a)i / (C_(j_a)^own_power D_i^popularity_power) over the `recent` latest; C_j is the sum of all
    counts from j, and D_i of those to i.

    It sees the order of a history and nothing else: where it comes near the `transformer`, longer histories say little
    about what comes next.

    Attributes:
        transitions_: float32 sparse [n_items, n_items], without `decay`; row j holds what comes after j.

    References:
        Ludewig & Jannach, "Evaluation of Session-based Recommendation Algorithms", UMUAI 2018 (sequential rules).
        Rendle, Freudenthaler & Schmidt-Thieme, "Factorizing Personalized Markov Chains for Next-Basket
        Recommendation", WWW 2010 (the chain of items).

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> Transitions().fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    window: Annotated[int, Ge(1), Search(1, 50, log=True)] = 20
    """How many steps after an item count as coming after it."""
    distance_power: Annotated[float, Ge(0), Search(0.0, 2.0)] = 0.5
    """How much less what is further away counts; 0: all within the window counts the same."""
    recent: Annotated[int, Ge(1), Search(1, 50, log=True)] = 10
    """How many of a user's latest items count."""
    decay: Annotated[float, Gt(0), Le(1), Search(0.3, 1.0)] = 0.7
    """How much less each earlier one of them counts than the next."""
    own_power: Annotated[float, Ge(0), Le(1), Search(0.0, 1.0)] = 0.4
    """Power of the sum of all that comes after an item of the history; 1: counts become shares."""
    popularity_power: Annotated[float, Ge(0), Le(1), Search(0.0, 0.5)] = 0.0
    """Power of the sum of all that leads to the item that is recommended: the larger, the less popular lists are."""
    neighbors: Annotated[int, Ge(1)] = 500
    """How many following items are kept for each item."""

    folds_in: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False
    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ({"neighbors": 100}, {"neighbors": 20})

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        by_item = np.argsort(data.item_index, kind="stable")
        starts = np.concatenate([[0], np.cumsum(data.item_counts)])
        factor = _inverse(self._toward(data), self.popularity_power)
        sizes = data.item_counts * self.window + min(self.neighbors, data.n_items)
        parts = [
            self._counted(data, by_item[starts[first] : starts[stop]], starts[first : stop + 1], factor)
            for first, stop in chunks(sizes, ENTRIES_AT_A_TIME)
        ]
        self.transitions_: Csr = sparse.vstack(parts, format="csr")

    def _toward(self, data: Dataset) -> Doubles:
        """The sums of all counts to each item: [n_items]."""
        sums = np.concatenate([[0], np.cumsum(np.arange(1.0, self.window + 1) ** -self.distance_power)])
        before = np.minimum(np.arange(len(data)) - data.indptr[data.user_index], self.window)
        return np.bincount(data.item_index, data.weight * sums[before], data.n_items).astype(np.float64)

    def _counted(self, data: Dataset, rows: Longs, starts: Longs, factor: Floats) -> Csr:
        """What comes after some items: float32 sparse [m, n_items].

        Args:
            data: all interactions.
            rows: those with the first of these items, with the second, and so on.
            starts: where those of each begin among all that are sorted so, and the end: [m + 1].
            factor: what the counts to an item are multiplied by: [n_items].
        """
        steps = np.minimum(data.indptr[1:][data.user_index[rows]] - 1 - rows, self.window)
        ends = np.concatenate([[0], np.cumsum(steps)])
        away = np.arange(1, ends[-1] + 1) - np.repeat(ends[:-1], steps)
        then = np.repeat(rows, steps) + away
        indptr = ends[starts - starts[0]]
        counts = data.weight[then] * (away ** np.float32(-self.distance_power)).astype(np.float32)
        after: Csr = sparse.csr_array((counts, data.item_index[then], indptr), shape=(len(starts) - 1, data.n_items))
        after.sum_duplicates()
        sums = after.sum(axis=1, dtype=np.float64)
        after.data *= np.repeat(_inverse(sums, self.own_power), np.diff(after.indptr)) * factor[after.indices]
        return largest_of_both(after, empty_matrix(*after.shape), self.neighbors)

    def _history(self, data: Dataset, users: Ints) -> Csr:
        lengths = np.minimum(row_lengths(data.indptr, users), self.recent)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        age = np.repeat(indptr[1:], lengths) - 1 - np.arange(indptr[-1])
        rows = np.repeat(data.indptr[1:][users], lengths) - 1 - age
        weights = (self.decay**age).astype(np.float32)
        history: Csr = sparse.csr_array((weights, data.item_index[rows], indptr), shape=(len(users), data.n_items))
        history.sort_indices()
        return history

    def _product(self, data: Dataset, users: Ints) -> tuple[Csr, Csr, Floats]:
        return self._history(data, users), self.transitions_, np.ones(data.n_items, np.float32)

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return np.asarray(self.transitions_[sources, targets], dtype=np.float32)

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        rows = np.arange(len(users), dtype=np.int32)
        return stored_reasons(self._history(data, users), self.transitions_, rows, top.items)

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return KEPT * self._steps(n_users, n_interactions)

    def list_products(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return self.recent * min(self.neighbors, self._steps(n_users, n_interactions) / max(n_items, 1))

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        kept = min(n_items * min(self.neighbors, n_items), int(self._steps(n_users, n_interactions)))
        return 24 * n_interactions + 8 * kept + max(64 * ENTRIES_AT_A_TIME, SCORE_BYTES)

    def _steps(self, n_users: int, n_interactions: int) -> float:
        """About how many pairs of items of a history are at most `window` steps apart."""
        return n_interactions * min(self.window, mean_length(n_users, n_interactions) / 2)


def _inverse(sums: Doubles, power: float) -> Floats:
    """sums^-power as float32, 1 where there is nothing."""
    inverse: Floats = (np.where(sums > 0, sums, 1) ** -power).astype(np.float32)
    return inverse
