"""The last step of every list: variety, and the site's rules, applied to more candidates than the list has places.

A place is given to the candidate of the highest maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998)

    relevance_weight · relevance - (1 - relevance_weight) · (greatest cosine to an item that is on the list)

among those that the rules let pass. Relevance is the model's score, scaled to 0..1 within the user's candidates; the
cosine is that of the items' terms and vectors (`Dataset.described`). Ties go to the candidate that the model ranks
higher.

Of a site with several domains, quotas say how many places of a list each has at least and at most. They yield where a
list would be shorter: whoever has seen all films has books in their places.

Rules steer what all lists together show. What an item is worth to the site adds value_weight · value to its relevance,
value being 0..1. Damped relevance is relevance - popularity_damping · popularity, where
popularity is log(1 + interactions) scaled to 0..1 (as the logits of frequent classes are lowered: Menon et al., ICLR
2021). With calibration (Steck, RecSys 2018), the value of a candidate is

    (1 - calibration) · marginal relevance - calibration · KL(p, q)

p being the user's mix of categories and q that of the list with the candidate, smoothed as in
`metrics.long_term.miscalibration`: the greedy maximum of a submodular function. And to the value is added the item's
price, by which shares of the exposure are kept within bounds.
"""

import json
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Doubles, Floats, Ints
from recmodels.data.parquet import as_numpy, read_table
from recmodels.errors import NightrecError
from recmodels.ranking.calibration import NO_MIXES, category_shares, mixes_of
from recmodels.ranking.exposure import Bounds

USERS_PER_TASK = 256  # what a thread works on at a time
SCALARS = b"rules"

NO_ITEMS: Ints = np.empty(0, np.int32)
NO_PRICES: Floats = np.empty(0, np.float32)


@dataclass(frozen=True, eq=False)
class Rules:
    """What a list must be. Items in several categories count in each of them."""

    allowed: Bools  # [n_items]: what may be on a list at all
    pool: int = 100  # candidates a list is chosen from, at least
    relevance_weight: float = 1.0  # the lambda of maximal marginal relevance; 1: the model's order
    min_score: float | None = None  # the model's items below it are left out, and popular ones take their places
    new_share: float = 0.0  # of a list's places, rounded up, that go to new items while there are any
    pinned: list[int] = field(default_factory=list)  # items that everybody is shown who does not have them
    pinned_rank: int = 1  # of the first of them; the others follow
    new: Bools | None = None  # [n_items]
    categories: tuple[NDArray[np.int64], Ints] | None = None  # item i has indices[indptr[i]:indptr[i + 1]]
    caps: Ints = field(default_factory=lambda: NO_ITEMS)  # [n_categories]: the most items of each in a list
    calibration: float = 0.0  # the lambda of Steck's calibration to the user's mix of `categories`
    popularity_damping: float = 0.0  # what the most popular item's relevance is lowered by
    popularity: Floats | None = None  # [n_items], 0..1
    value_weight: float = 0.0  # what is added to the relevance of the item that is worth most
    value: Floats | None = None  # [n_items], 0..1
    lengths: Ints | None = None  # [n_users]: each user's own k, 0: no list; None: the k that is asked for
    bounds: Bounds | None = None  # of what groups of items are shown over all lists
    prices: Floats | None = None  # [n_items]: what is added to the value of each item; it follows from the bounds
    domains: Ints | None = None  # [n_items]: of a site with several, where lists mix them by quotas
    domain_least: list[float] = field(default_factory=list)  # [n_domains]: share of a list's places, rounded down
    domain_most: list[float] = field(default_factory=list)  # likewise, rounded up

    def save(self, path: Path) -> None:
        """Write all but `lengths` and `prices` to a Parquet file, a row an item."""
        scalars = {
            entry.name: value
            for entry in fields(self)
            if isinstance(value := getattr(self, entry.name), int | float | list)
        } | {"caps": self.caps.tolist()}
        columns: dict[str, Any] = {"allowed": self.allowed}
        if self.new is not None:
            columns["new"] = self.new
        if self.popularity is not None:
            columns["popularity"] = self.popularity
        if self.domains is not None:
            columns["domains"] = self.domains
        if self.value is not None:
            columns["value"] = self.value
        if self.categories is not None:
            indptr, indices = self.categories
            columns["categories"] = pa.LargeListArray.from_arrays(indptr, indices)
        if self.bounds is not None:
            columns["groups"] = pa.LargeListArray.from_arrays(self.bounds.indptr, self.bounds.indices)
            scalars["bounds"] = [self.bounds.least.tolist(), self.bounds.most.tolist(), self.bounds.by_place]
        table = pa.table(columns).replace_schema_metadata({SCALARS: json.dumps(scalars)})
        pq.write_table(table, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises NightrecError where there are no such rules."""
        if not path.exists():
            raise NightrecError(f"{path} does not exist: the rules of the lists are written before any model trains.")
        table = read_table(path)
        known = json.loads((table.schema.metadata or {})[SCALARS])
        known["caps"] = np.array(known["caps"], np.int32)
        for name in {"new", "popularity", "value", "domains"} & set(table.column_names):
            known[name] = as_numpy(table[name])
        of_items = {name: table[name].combine_chunks() for name in {"categories", "groups"} & set(table.column_names)}
        pairs = {name: (as_numpy(a.offsets).astype(np.int64), as_numpy(a.values)) for name, a in of_items.items()}
        if "categories" in pairs:
            known["categories"] = pairs["categories"]
        if "groups" in pairs:
            least, most, by_place = known["bounds"]
            known["bounds"] = Bounds(*pairs["groups"], np.array(least), np.array(most), by_place)
        return cls(allowed=as_numpy(table["allowed"]), **known)

    def wanted(self, users: Ints, k: int) -> Ints:
        """How many items each of `users` is to get, if there are so many: int32 [n]."""
        length = np.full(len(users), k, np.int32) if self.lengths is None else np.minimum(self.lengths[users], k)
        return np.minimum(length, self.most).astype(np.int32)

    def at(self, prices: Doubles) -> Self:
        """The same rules at these prices of the groups that have bounds [n_groups]; at 0, as without bounds."""
        assert self.bounds is not None
        bounds = replace(self.bounds, prices=prices)
        return replace(self, bounds=bounds, prices=bounds.of_items(prices) if prices.any() else None)

    def within(self, domain: Bools) -> Self:
        """The same rules for lists of one domain alone, whose items are given [n_items]; bounds are of mixed lists."""
        return replace(
            self, allowed=self.allowed & domain, domains=None, domain_least=[], domain_most=[], bounds=None, prices=None
        )

    def domain_places(self, lengths: Ints) -> tuple[Ints, Ints]:
        """The fewest and the most places of each domain in lists of these lengths: int32 [n, n_domains]."""
        least = np.floor(np.outer(lengths, self.domain_least) + 1e-9).astype(np.int32)
        most = np.ceil(np.outer(lengths, self.domain_most) - 1e-9).astype(np.int32)
        return least, most

    @property
    def raised(self) -> Bools | None:
        """Items that are candidates whatever their rank, since they lack exposure: bool [n_items]."""
        if self.bounds is None or self.prices is None:
            return None
        raised = self.bounds.raised & (self.prices > 0)
        return raised if raised.any() else None

    @cached_property
    def category_shares(self) -> sparse.csr_array:
        """Each item's distribution over its categories: float64 [n_items, n_categories]."""
        indptr, indices = self.categories or (np.zeros(len(self.allowed) + 1, np.int64), NO_ITEMS)
        return category_shares(indptr, indices, len(self.caps))

    @property
    def most(self) -> int:
        """No list can be longer: what the caps leave of the allowed items."""
        if self.categories is None:
            return int(self.allowed.sum())
        indptr, indices = self.categories
        sizes = np.diff(indptr)
        held = np.bincount(indices[np.repeat(self.allowed, sizes)], minlength=len(self.caps))
        return int(np.minimum(held, self.caps).sum() + (self.allowed & (sizes == 0)).sum())

    def new_wanted(self, lengths: Ints) -> Ints:
        """How many new items lists of these lengths must hold: int32 [n]."""
        if self.new is None or self.new_share == 0:
            return np.zeros(len(lengths), np.int32)
        needed = np.ceil(self.new_share * lengths - 1e-9)
        there = int((self.new & self.allowed).sum())
        wanted: Ints = np.minimum(needed, there).astype(np.int32)
        return wanted


@dataclass(frozen=True, eq=False)
class Chosen:
    """Lists as they were chosen: -1 where one ends."""

    places: Ints  # [n, k]: which candidate took the place
    pinned: Bools  # [n, k]
    count: Ints  # [n]: items of the list
    new: Ints  # [n]: new items of the list


def choose(
    rules: Rules,
    terms: Csr,
    items: Ints,
    scores: Floats,
    pinned: int,
    own: int,
    lengths: Ints,
    k: int,
    history: Csr | None = None,
    raised: int = 0,
) -> Chosen:
    """Choose lists of `lengths` [n] (at most k) from candidates `items` [n, m], -1 where there is none.

    The first `pinned` candidates are the pinned ones, the next `own` the model's with their `scores` [n, own]; what is
    left is taken in the order given, once nothing of the model's fits. An item may be a candidate more than once.
    `history` is what the users have done [n, n_items]; only calibration looks at it. The last `raised` of the model's
    are behind the others, and do not count in the scale of relevance.
    """
    from recmodels.compute.jit import parallel_for
    from recmodels.ranking import rerank_kernels as kernels

    n = len(items)
    chosen = Chosen(np.full((n, k), -1, np.int32), np.zeros((n, k), bool), np.zeros(n, np.int32), np.zeros(n, np.int32))
    new = np.zeros(len(rules.allowed), bool) if rules.new is None else rules.new
    indptr, indices = rules.categories or (np.zeros(len(rules.allowed) + 1, np.int64), NO_ITEMS)
    # One kind of arrays, as each has machine code of its own: none that is read-only, as what a file holds.
    indices = np.require(indices, np.int32, "W")
    term_indptr, term_indices = terms.indptr.astype(np.int64), terms.indices.astype(np.int32, copy=False)
    relevance = scaled(scores, own - raised)
    if rules.popularity is not None and rules.popularity_damping:
        relevance -= np.float32(rules.popularity_damping) * rules.popularity[items[:, pinned : pinned + own]]
    if rules.value is not None and rules.value_weight:
        relevance += np.float32(rules.value_weight) * rules.value[items[:, pinned : pinned + own]]
    if raised:  # no rule but a price brings them before the others
        lowest = np.where(np.isfinite(relevance[:, : own - raised]), relevance[:, : own - raised], np.inf).min(axis=1)
        relevance[:, own - raised :] = np.minimum(relevance[:, own - raised :], lowest[:, None])
    mixes = mixes_of(history, rules.category_shares) if rules.calibration and history is not None else NO_MIXES
    prices = NO_PRICES if rules.prices is None and mixes is not NO_MIXES else rules.prices
    needed = rules.new_wanted(lengths)
    domains = NO_ITEMS if rules.domains is None else np.require(rules.domains, np.int32, "W")
    least, most = rules.domain_places(lengths)

    def work(start: int) -> None:
        part = slice(start, start + USERS_PER_TASK)
        calibrated = mixes.indptr[start : start + USERS_PER_TASK + 1]  # of each user and the next; one if none is
        kernels.choose(
            items[part], relevance[part], pinned, own, rules.pinned_rank - 1, lengths[part], needed[part],
            float(rules.relevance_weight), term_indptr, term_indices, terms.data, max(1, terms.shape[1]), new, indptr,
            indices, rules.caps, float(rules.calibration), calibrated, mixes.indices, mixes.shares, prices,
            domains, least[part], most[part],
            chosen.places[part], chosen.pinned[part], chosen.count[part], chosen.new[part],
        )  # fmt: skip

    parallel_for(work, range(0, n, USERS_PER_TASK))
    return chosen


def scaled(scores: Floats, first: int | None = None) -> Floats:
    """Each row's finite scores from 0 (its lowest) to 1 (its highest), all 1 where they are equal; -inf stays.

    Where only the `first` so many are measured by, the others may be below 0.
    """
    if scores.shape[1] == 0:
        return scores
    there = np.isfinite(scores)
    measured = there[:, :first]
    high = np.where(measured, scores[:, :first], -np.inf).max(axis=1, keepdims=True)
    low = np.where(measured, scores[:, :first], np.inf).min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(high > low, (scores.astype(np.float64) - low) / (high - low), 1)
    result: Floats = np.where(there, unit, -np.inf).astype(np.float32)
    return result
