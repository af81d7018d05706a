"""The k items of the highest products with each user's vector: exact maximum inner product search."""

from functools import partial

import numpy as np

from recmodels.compute import device, matmul
from recmodels.data.arrays import Csr, Doubles, Floats, Ints, empty_matrix
from recmodels.ranking.topk import NOT_FINITE, TopK

USER_TILE, ITEM_TILE, FIRST_TILE = 1024, 512, 4096
"""The scores of so many users and items are computed at a time, 2 MB: they are compared while a cache holds them. The
first tile has more items, so that a list starts from good ones and few of the others reach it."""

NORMS_AT_A_TIME = 2**12


class SearchedItems:
    """Items to search among, the longest vector first; they can be searched again and again.

    Args:
        vectors: [n_items, f].
        choice: the items that are listed; all of them without it.
    """

    def __init__(self, vectors: Floats, choice: Ints | None = None) -> None:
        labels = np.arange(len(vectors), dtype=np.int32) if choice is None else choice
        norms = norms_of(vectors[labels], "An item")
        order = np.argsort(-norms, kind="stable")
        self.labels, self.norms = labels[order], norms[order]
        self.vectors = vectors[self.labels]


def top_products(
    users: Floats,
    vectors: Floats | SearchedItems,
    k: int,
    *,
    choice: Ints | None = None,
    seen: Csr | None = None,
    cut: float = 1,
) -> TopK:
    """The k items of the highest products with each user: users [n, f], vectors [n_items, f].

    Only the items `choice` (default: all) are listed, and for each user none of those stored in its row of `seen`
    [n, n_items]. Who searches the same items often makes them `SearchedItems` once. Exact: matrix products and bounds
    only propose items, whose scores are then summed up in one fixed order. So neither batches nor threads nor the
    device change a list. With a `cut` below 1 an item may be missed, namely where its score would have to exceed that
    share of the product of the lengths; neither batches nor threads change that. Raises ValueError for NaN or infinity.
    """
    n = len(users)
    top = TopK(np.full((n, k), -1, np.int32), np.full((n, k), -np.inf, np.float32))
    items = vectors if isinstance(vectors, SearchedItems) else SearchedItems(vectors, choice)
    if n == 0 or len(items.labels) == 0:
        return top
    search = ProductSearch(users, items, empty_matrix(n, 1) if seen is None else seen, top, cut)
    proposes = device.cuda() and cut == 1
    left = search.rank_proposals(device.name()) if proposes else np.arange(n, dtype=np.int32)
    search.scan(left)
    return top


class ProductSearch:
    """One call of `top_products`: its items, and the lists so far as heaps."""

    def __init__(self, users: Floats, items: SearchedItems, seen: Csr, top: TopK, cut: float = 1) -> None:
        self.cut, self.users, self.seen, self.top = cut, np.ascontiguousarray(users), seen, top
        self.lengths = norms_of(self.users, "A user")
        self.labels, self.norms, self.vectors = items.labels, items.norms, items.vectors
        # Two ways to sum up f products differ by less than this (Higham, Accuracy and Stability, section 3.1):
        rounding = 2 * (users.shape[1] + 1) * np.finfo(np.float32).eps
        self.slacks = (rounding * self.lengths * self.norms[0]).astype(np.float32)
        self.filled = np.zeros(len(users), np.int32)

    def scan(self, rows: Ints) -> None:
        """Complete the lists of some rows, USER_TILE at a time, ITEM_TILE at a time."""
        from recmodels.compute.jit import one_blas_thread, parallel_for
        from recmodels.ranking import topk_kernels as kernels

        multiply = matmul.faster_product(2.0 * len(rows) * self.vectors.size)

        def work(start: int) -> None:
            tile = rows[start : start + USER_TILE]
            self._scan(tile, multiply)
            kernels.rank_some(tile, self.top.items, self.top.scores, self.filled)

        with one_blas_thread():
            parallel_for(work, range(0, len(rows), USER_TILE))

    def _scan(self, active: Ints, multiply: matmul.Product) -> None:
        from recmodels.ranking import topk_kernels as kernels

        k, m = self.top.items.shape[1], len(self.labels)
        scores = np.empty(len(active) * min(FIRST_TILE, m), np.float32)
        for first in (0, *range(FIRST_TILE, m, ITEM_TILE)):
            # |u||v| bounds a score, and no vector from here on is longer
            bound = self.lengths[active] * (self.cut * self.norms[first]) + self.slacks[active]
            active = active[(self.filled[active] < k) | (bound >= self.top.scores[active, 0])]
            if len(active) == 0:
                return
            part = slice(first, first + (ITEM_TILE if first else FIRST_TILE))
            labels, vectors = self.labels[part], self.vectors[part]
            rough = scores[: len(active) * len(labels)].reshape(len(active), len(labels))
            multiply(self.users[active], vectors, rough)
            bad = kernels.select(
                rough, active, self.users, vectors, labels, self.slacks, self.seen.indptr, self.seen.indices,
                self.top.items, self.top.scores, self.filled,
            )  # fmt: skip
            if bad >= 0:
                raise ValueError(NOT_FINITE.format(bad))

    def rank_proposals(self, torch_device: str) -> Ints:
        """Make the lists that proposals of torch on a device settle; returns the rows of the others."""
        from recmodels.compute.jit import parallel_for
        from recmodels.ranking import topk_torch

        k = self.top.items.shape[1]
        places = np.full(max(self.labels.max() + 1, self.seen.shape[1]), -1, np.int32)
        places[self.labels] = np.arange(len(self.labels), dtype=np.int32)
        left = []
        for start, items, certain in topk_torch.propose(
            self.users, self.vectors, k, places, self.seen, self.slacks, torch_device
        ):
            batch = np.arange(start, start + len(certain), dtype=np.int32)
            left.append(batch[~certain])
            work = partial(self._rank_proposed, batch[certain], items[certain])
            parallel_for(work, range(0, int(certain.sum()), USER_TILE))
        return np.concatenate(left)

    def _rank_proposed(self, rows: Ints, proposed: Ints, start: int) -> None:
        from recmodels.ranking import topk_kernels as kernels

        part = slice(start, start + USER_TILE)
        bad = kernels.rank_proposed(
            rows[part], proposed[part], self.users, self.vectors, self.labels, self.top.items, self.top.scores
        )
        if bad >= 0:
            raise ValueError(NOT_FINITE.format(bad))


def norms_of(vectors: Floats, whose: str) -> Doubles:
    """The length of each vector, summed up in the same order whichever others there are."""
    norms = np.empty(len(vectors), np.float64)
    for start in range(0, len(vectors), NORMS_AT_A_TIME):
        part = slice(start, start + NORMS_AT_A_TIME)
        norms[part] = np.sqrt(np.square(vectors[part], dtype=np.float64).sum(axis=1))
    if not np.isfinite(norms).all():
        raise ValueError(f"{whose} vector holds NaN or infinity: the model has diverged; look at its parameters.")
    return norms
