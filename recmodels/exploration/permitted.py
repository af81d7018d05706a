"""What may take a place of a list under the site's rules, so that the list obeys them afterwards as before."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.ranking.rerank import Rules

NOBODY = -1


class Places:
    """A place of each list that may be given to another item.

    Attributes:
        open: whether the place of a user may be drawn at all, bool `[n]`.
        place: the place, from 0; -1 where it may not be, int64 `[n]`.
        usual: the item that has it, -1 where it may not be drawn, int32 `[n]`.
    """

    def __init__(self, items: Ints, pinned: Bools, users: Ints, rules: Rules | None, slot: int | None = None) -> None:
        """Of lists `items` [n, k] (-1 after the last one) of `users` [n], `pinned` [n, k] saying what stays.

        A list that is shorter than its user's is closed: only the rules have kept it short, and with another item in it
        they might let one more pass. `slot`: the place, from 0; the last one by default, and of a shorter list.
        """
        n, k = items.shape
        length = (items != NOBODY).sum(axis=1)
        own = np.full(n, k) if rules is None or rules.lengths is None else np.minimum(rules.lengths[users], k)
        place = np.minimum(k - 1 if slot is None else slot, length - 1)
        rows = np.arange(n)
        self.open: Bools = (length > 0) & (length == own) & ~pinned[rows, place]
        self.place = np.where(self.open, place, NOBODY)
        self.usual: Ints = np.where(self.open, items[rows, place], NOBODY).astype(np.int32)
        self.rest: Ints = items.copy()  # of the lists, without the place
        self.rest[rows, place] = NOBODY
        self.new_needed: Ints | None = None  # in the place: 1 where only a new item may take it
        if rules is not None and rules.new is not None and rules.new_share:
            rest = (rules.new[self.rest] & (self.rest != NOBODY)).sum(axis=1)
            before = rest + (rules.new[self.usual] & self.open)
            self.new_needed = np.minimum(rules.new_wanted(own.astype(np.int32)), before) - rest
        self.rules = rules
        self.held = self._held()
        self.groups = _groups(rules)
        self.quotas = _Quotas.of(rules, self.rest, own)

    def best(self, ranked: Ints) -> Ints:
        """The first of each user's `ranked` items [n, m], best first and -1 after the last, that may take the place.

        It may be the usual one. -1 where there is none: int32 [n].
        """
        found: Ints = np.full(len(ranked), NOBODY, np.int32)
        for column in ranked.T:
            rows = np.flatnonzero(self.open & (found == NOBODY) & (column != NOBODY))
            if not len(rows):
                break
            fits = rows[self._fit(rows, column[rows])]
            found[fits] = column[fits]
        return found

    def _fit(self, rows: NDArray[np.int64], items: Ints) -> Bools:
        """Whether an item may take the place of each of some lists."""
        fit: Bools = ~(self.rest[rows] == items[:, None]).any(axis=1)
        if self.rules is None:
            return fit
        fit &= self.rules.allowed[items]
        if self.groups is not None:
            fit &= self.groups[items] == self.groups[self.usual[rows]]
        if self.quotas is not None:
            fit &= self.quotas.fit(rows, self.usual[rows], items)
        if self.new_needed is not None and self.rules.new is not None:
            fit &= self.rules.new[items] | (self.new_needed[rows] <= 0)
        if self.held is not None:
            own = _categories(self.rules)[items]  # [len(rows), n_categories], 1 where the item is in it
            counted = (own + own.multiply(self.held[rows])).tocsr()  # with the item
            over = counted.data > self.rules.caps[counted.indices]
            fit &= np.bincount(np.repeat(np.arange(len(rows)), np.diff(counted.indptr))[over], minlength=len(rows)) == 0
        return fit

    def _held(self) -> sparse.csr_array | None:
        """How many items of each category are in the rest of each list: [n, n_categories]; None without caps."""
        if self.rules is None or self.rules.categories is None:
            return None
        row, column = np.nonzero(self.rest != NOBODY)
        ones = np.ones(len(row), np.int32)
        shape = (len(self.rest), len(self.rules.allowed))
        listed = sparse.coo_array((ones, (row, self.rest[row, column])), shape=shape).tocsr()
        held: sparse.csr_array = (listed @ _categories(self.rules)).tocsr()
        return held


class _Quotas(NamedTuple):
    """How many places of each list domains have."""

    domains: Ints  # [n_items]
    least: Ints  # [n, n_domains]
    most: Ints  # [n, n_domains]
    rest: Longs  # [n, n_domains]: without the place that is given to another item

    @classmethod
    def of(cls, rules: Rules | None, rest: Ints, lengths: Longs) -> Self | None:
        """None without quotas."""
        if rules is None or rules.domains is None:
            return None
        row, place = np.nonzero(rest != NOBODY)
        n_domains = len(rules.domain_most)
        cell = row * n_domains + rules.domains[rest[row, place]]
        held = np.bincount(cell, minlength=len(rest) * n_domains).reshape(len(rest), n_domains)
        return cls(rules.domains, *rules.domain_places(lengths.astype(np.int32)), held)

    def fit(self, rows: Longs, usual: Ints, items: Ints) -> Bools:
        """Whether items may take the places of the `usual` ones: of the same domain, or by what the quotas leave."""
        before, after = self.domains[usual], self.domains[items]
        spared = self.rest[rows, before] >= self.least[rows, before]
        has_room = self.rest[rows, after] < self.most[rows, after]
        fits: Bools = (before == after) | (spared & has_room)
        return fits


def _groups(rules: Rules | None) -> NDArray[np.int64] | None:
    """A number for each item, the same for those of the same groups with bounds [n_items]; None without bounds.

    A place goes to its like, so that the shares of the exposure stay as the prices have made them.
    """
    if rules is None or rules.bounds is None:
        return None
    member = np.packbits(rules.bounds.members.toarray() > 0, axis=1)
    found: NDArray[np.int64] = np.unique(member, axis=0, return_inverse=True)[1].reshape(-1)
    return found


def _categories(rules: Rules) -> sparse.csr_array:
    """Whether an item is in a category: int32 [n_items, n_categories]."""
    assert rules.categories is not None
    indptr, indices = rules.categories
    shape = (len(rules.allowed), len(rules.caps))
    return sparse.csr_array((np.ones(len(indices), np.int32), indices, indptr), shape=shape)
