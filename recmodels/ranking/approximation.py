"""Lists that are made faster and are nearly the exact ones: how, and how nearly, which is measured on some users."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Csr, Doubles, Floats
from recmodels.ranking import product_search
from recmodels.ranking.cells import Cells, make_cells, top_in_cells
from recmodels.ranking.product_search import SearchedItems, top_products
from recmodels.ranking.topk import TopK

TUNED_ON, MEASURED_ON = 1024, 3072  # users
LEAST_PRODUCTS = 1e12
"""Products of numbers that the scores of all users and items take, from which on faster lists are looked for: fewer
take one core less than half a minute."""
WORTH, GOOD = 2, 4  # times as fast: what is worth missing items for, and what is not worth looking for more
WAY = "search.json"
ALLOWANCES = (0.5, 0.25, 0.125)  # of the items that may be missed: what is tried, one after the other

# What it takes to compare a score in a matrix product and to compute one by itself, in ns, with f numbers a vector:
IN_A_PRODUCT, A_NUMBER = 0.3, 0.0165
BY_ITSELF, ITS_NUMBER = 5.0, 0.08


class Search(Protocol):
    """How lists are made."""

    def __call__(self, users: Floats, *, k: int, seen: Csr) -> TopK:
        """The lists of users [n, f] without the items of their rows of `seen`."""


@dataclass(frozen=True)
class Approximation:
    """How faster lists were found, or why lists stay exact.

    Attributes:
        recall: which share of the exact lists is in these, measured; 1 where they are exact.
        users: how many users it was measured on.
        products: share of the scores that are computed, by which lists are made faster.
        exact: why lists stay exact, as a clause about them; None where they do not.
    """

    recall: float = 1.0
    users: int = 0
    products: float = 1.0
    exact: str | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Users whose exact lists show what a faster way misses."""

    users: Floats  # [n, f]
    seen: Csr  # [n, n_items]

    def part(self, rows: slice) -> "Sample":
        return Sample(self.users[rows], self.seen[rows])


def approximate(
    items: SearchedItems, sample: Sample, k: int, recall: float, seed: int = 0
) -> tuple[Search | None, Approximation]:
    """The fastest way known to lists that have this `recall` of the exact ones; None where exact ones are as good.

    Of the `sample`, a part chooses the way, and how much it may leave out; the recall is measured on the rest.
    """
    from recmodels.compute.jit import one_blas_thread

    with one_blas_thread():  # sums, and so what is found, do not depend on the number of threads
        return _approximate(items, sample, k, recall, seed)


def _approximate(
    items: SearchedItems, sample: Sample, k: int, recall: float, seed: int
) -> tuple[Search | None, Approximation]:
    n = len(sample.users)
    if len(items.labels) <= product_search.FIRST_TILE or n < 2:
        return None, Approximation(exact="there are few items, or few users")
    tuned = max(1, min(TUNED_ON, n // 4))
    ways = _Ways(items, sample.part(slice(0, tuned)), k, seed)
    rest = sample.part(slice(tuned, n))
    exact = top_products(rest.users, items, k, seen=rest.seen)
    found = 0.0
    for allowance in ALLOWANCES:
        search, products = ways.fastest((1 - recall) * allowance)
        if search is None:
            return None, Approximation(exact=f"nothing would make them {WORTH} times as fast")
        found = recall_of(search(rest.users, k=k, seen=rest.seen), exact)
        if found >= recall:
            return search, Approximation(found, len(rest.users), products)
    return None, Approximation(exact=f"a faster way found {found:.2%} of them")


def save_search(search: Search, folder: Path) -> None:
    """Write a way that `approximate` found into a new folder."""
    folder.mkdir(parents=True)
    known = dict(cast("partial[TopK]", search).keywords)
    cells, items = known.pop("cells", None), known.pop("items", None)
    arrays: dict[str, Any] = {} if cells is None else asdict(cells)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    (folder / WAY).write_text(json.dumps({"by": "length" if items else "cells", **known}))


def load_search(folder: Path, items: SearchedItems) -> Search:
    """What `save_search` wrote of a search among these items; large arrays are read as far as they are used."""
    known = json.loads((folder / WAY).read_text())
    if known.pop("by") == "length":
        return partial(_by_length, items=items, **known)
    arrays = {path.stem: np.load(path, mmap_mode="c", allow_pickle=False) for path in folder.glob("*.npy")}
    known["cells"] = Cells(**{name: _plain(array) for name, array in arrays.items()})
    return partial(_by_cells, **known)


def _plain(array: NDArray[Any]) -> Any:
    """A mapped array as one of no class of its own; a number where it has no dimensions."""
    return np.asarray(array) if array.ndim else np.float32(array)


def recall_of(lists: TopK, exact: TopK) -> float:
    """Which share of the places of exact lists others fill as well: an equal score is no miss."""
    places = exact.items >= 0
    last = np.where(places, exact.scores, np.inf).min(axis=1, keepdims=True)
    return float((lists.scores >= last).sum() / max(places.sum(), 1))


class _Ways:
    """Two ways to leave out scores, tuned on some users: by the lengths of vectors, and by cells of items."""

    def __init__(self, items: SearchedItems, sample: Sample, k: int, seed: int) -> None:
        self.items, self.seed = items, seed
        exact = top_products(sample.users, items, k, seen=sample.seen)
        full = exact.items[:, -1] >= 0  # a list that is not full takes every item
        self.users: Floats = sample.users[full]
        self.least: Doubles = exact.scores[full, -1].astype(np.float64)
        place = np.zeros(items.labels.max() + 1, np.int32)
        place[items.labels] = np.arange(len(items.labels), dtype=np.int32)
        self.listed = place[exact.items[full]]
        self.lengths: Doubles = np.linalg.norm(self.users.astype(np.float64), axis=1)
        self.cells: Cells | None = None

    def fastest(self, missed: float) -> tuple[Search | None, float]:
        """A way that misses such a share of the lists' items, and of the scores it computes; None: exact is as fast."""
        if len(self.users) == 0:
            return None, 1.0
        n, f = self.items.vectors.shape
        in_product, by_itself = IN_A_PRODUCT + A_NUMBER * f, BY_ITSELF + ITS_NUMBER * f
        exact = self._within(1) * in_product
        cut = self._cut(missed)
        within = self._within(cut)
        by_length: Search = partial(_by_length, items=self.items, cut=cut)
        if within * in_product * GOOD <= exact:
            return by_length, within / n
        if self.cells is None:
            self.cells = make_cells(self.items, self.users, self.seed)
        cells = self.cells
        share = self._share(cells, missed)
        inside = cells.reaching(self.users, share, self.least)
        cost = (inside + len(cells.radii)) * by_itself + f * f * A_NUMBER
        if min(cost, within * in_product) * WORTH > exact:
            return None, 1.0
        if within * in_product < cost:
            return by_length, within / n
        return partial(_by_cells, cells=cells, share=share), inside / n

    def _within(self, cut: float) -> float:
        """How many items, on average, are not too short for the lists."""
        shortest = self.least / np.maximum(cut * self.lengths, np.finfo(np.float32).tiny)
        long_enough = np.searchsorted(-self.items.norms, -shortest, side="right")
        return float(np.maximum(long_enough, product_search.FIRST_TILE).mean())

    def _cut(self, missed: float) -> float:
        late = self.listed >= product_search.FIRST_TILE  # those before are always looked at
        reach = np.maximum(self.lengths[:, None] * self.items.norms[self.listed], np.finfo(np.float64).tiny)
        return min(max(_highest(self.least[:, None] / reach, late, missed), 0.0), 1.0)

    def _share(self, cells: Cells, missed: float) -> float:
        needed = cells.needed(self.users, cells.cell_of[self.listed], self.least)
        return min(max(_highest(needed, np.ones(needed.shape, np.bool_), missed), 0.0), 1.0)


def _highest(needed: Doubles, of: Bools, missed: float) -> float:
    """What is enough for all but such a share of these needs, where the others have none."""
    values = np.sort(needed[of])[::-1]
    most = int(missed * needed.size)
    return float(values[most]) if most < len(values) else 0.0


def _by_length(users: Floats, *, k: int, seen: Csr, items: SearchedItems, cut: float) -> TopK:
    return top_products(users, items, k, seen=seen, cut=cut)


def _by_cells(users: Floats, *, k: int, seen: Csr, cells: Cells, share: float) -> TopK:
    return top_in_cells(users, cells, share, k, seen)
