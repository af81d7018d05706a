"""The regressions of EASE's approximation, all at once, and on an engine by some items each."""

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Longs
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import csr_arrays, mapped_csr, write_arrays
from recmodels.parted.training import ranges
from recmodels.scoring.similarity import row_sums
from recmodels.scoring.weighted_parts import WeightedParts


def regress(rows: Csr, near: Csr, ridge: np.float32, first: int = 0) -> None:
    """Replace the values of the rows `near` [b, n_items] of some items by their regression on the items of the row.

    Args:
        rows: the columns of X [n_items, n_users].
        near: the items that each is regressed on, from the item called `first` on.
        ridge: the regularization.
        first: the first of these items.
    """
    from recmodels.compute.jit import parallel_for
    from recmodels.linear import ease_kernels as kernels
    from recmodels.scoring.kernels import parts

    n, b = rows.shape[0], near.shape[0]
    entries = _entries(np.diff(rows.indptr).astype(np.int64), near, first)
    order = (first + np.argsort(-entries, kind="stable")).astype(np.int32)  # the most expensive first
    width = int(np.diff(near.indptr).max(initial=0)) + 1
    indptr = np.pad(near.indptr, (first, n - first - b), mode="edge")  # no other item has any
    of_all: Csr = sparse.csr_array((near.data, near.indices, indptr), shape=(n, n))
    given = order, parts(rows), parts(of_all), ridge, rows.shape[1], width, int(entries.max(initial=0))
    parallel_for(lambda part: kernels.regressions(part, *given), range(kernels.TASKS))


def regress_in_parts(weighted: WeightedParts, near: Csr, regularization: float) -> Csr:
    """`regress` for all items, by buckets of as many interactions each; a node needs X, on its disk."""
    training, everything = weighted.training, weighted.by_item("rows")
    starts = np.concatenate(([0], np.cumsum(_entries(weighted.data.item_counts, near, 0))))
    buckets = []
    for number, (first, last) in enumerate(ranges(starts, int(starts[-1]))):
        own = training.keep(f"near-{number}", lambda first=first, last=last: csr_arrays(near[first:last]))  # type: ignore[misc]
        arguments = {"first": first, "regularization": regularization}
        buckets.append(Bucket(f"{number:04}", {"rows": everything, "near": own}, arguments))
    parts = training.map(regress_some, buckets, "regressions")
    weights: Csr = sparse.vstack([mapped_csr(part) for part in parts], format="csr")
    return weights


def regress_some(work: Work) -> None:
    """The regressions of a bucket's items."""
    rows, near = (mapped_csr(work.inputs[name]) for name in ("rows", "near"))
    regress(rows, near, np.float32(work.arguments["regularization"]), work.arguments["first"])
    write_arrays(work.out, csr_arrays(near))


def _entries(sizes: Longs, near: Csr, first: int) -> Longs:
    """How many interactions each item of `near` [b, n_items] has together with those that it is regressed on: [b].

    `sizes` are those of all items [n_items].
    """
    entries: Longs = sizes[first : first + near.shape[0]] + row_sums(near, lambda part: sizes[near.indices[part]])
    return entries
