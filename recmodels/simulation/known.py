"""What a site knows on a night of a simulation: the choices so far, and the dataset that models are trained on."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Doubles, Floats, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.layout import no_terms
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.simulation.behavior import Choices, World

EPOCH = 20_000
"""The day since 1970 that night 0 is on: models want dates, and the nights before must have some, too."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Who chose what, a row a pair of user and item with its last night, sorted by user and time.

    Attributes:
        user, item, night: int32 `[n]`.
        weight: how much it says for the item, float32 `[n]`.
    """

    user: Ints
    item: Ints
    night: Ints
    weight: Floats

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def none(cls) -> Self:
        empty = np.empty(0, np.int32)
        return cls(empty, empty, empty, np.empty(0, np.float32))

    @classmethod
    def of(cls, choices: Choices, weight: float = 1.0) -> "Pairs":
        """Choices in order of time: a pair that comes again is where it came last."""
        _, from_end = np.unique(_keys(choices.user, choices.item)[::-1], return_index=True)
        last = np.sort(len(choices) - 1 - from_end)
        rows = last[np.argsort(choices.user[last], kind="stable")]
        return cls(choices.user[rows], choices.item[rows], choices.night[rows], np.full(len(rows), weight, np.float32))

    def followed_by(self, later: "Pairs") -> "Pairs":
        """These and later ones, merged: nothing is sorted anew."""
        kept = self.chosen(~self.within(later))
        at = np.searchsorted(kept.user, later.user, side="right")
        return Pairs(
            np.insert(kept.user, at, later.user),
            np.insert(kept.item, at, later.item),
            np.insert(kept.night, at, later.night),
            np.insert(kept.weight, at, later.weight),
        )

    def within(self, others: "Pairs") -> Bools:
        """Which of these are pairs of the others, too: bool [n]."""
        if not len(others):
            return np.zeros(len(self), np.bool_)
        own, sought = _keys(self.user, self.item), np.sort(_keys(others.user, others.item))
        found: Bools = sought[np.minimum(np.searchsorted(sought, own), len(sought) - 1)] == own
        return found

    def chosen(self, rows: Bools) -> "Pairs":
        """Some of these, by a bool [n]."""
        return Pairs(self.user[rows], self.item[rows], self.night[rows], self.weight[rows])


@dataclass(frozen=True, eq=False)
class Known:
    """What the site knows on a night, before its lists are shown.

    Attributes:
        night: from 0; below 0 before the first night.
        choices: all so far, in order of time.
        out: the items that may be shown, bool `[n_items]`.
        here: the users who have come and not left, for whom lists are made, bool `[n_users]`.
        category: of each item, int32 `[n_items]`.
        born: the night on which each item came out, 0 or less for those that were there before, int32 `[n_items]`.
        group: of each user, int32 `[n_users]`.
        terms: of the items, as models read them, float32 `[n_items, n_terms]`.
        repeats: whether a list may hold what its user chose before.
        pairs: the choices as pairs of user and item.
        written: what a generator has added to what models learn from; nobody chose it.
    """

    night: int
    choices: Choices
    out: Bools
    here: Bools
    category: Ints
    born: Ints
    group: Ints
    terms: Csr
    repeats: bool
    pairs: Pairs
    written: Pairs | None = None

    @cached_property
    def users(self) -> Ints:
        """The users who are here, ascending: int32 [n]."""
        return np.flatnonzero(self.here).astype(np.int32)

    @cached_property
    def data(self) -> Dataset:
        """All pairs until now, for training; `seen` holds what users chose themselves."""
        own = self._dataset(self.pairs)
        if self.written is None or not len(self.written):
            return own
        fresh = self.written.chosen(~self.written.within(self.pairs))
        return replace(self._dataset(self.pairs.followed_by(fresh)), seen=own.seen)

    @property
    def consumed(self) -> Csr:
        """What each user has chosen so far, 1 for each item: float32 [n_users, n_items]."""
        return self.data.seen

    def listed(self, scores: Floats | Doubles, users: Ints) -> Floats:
        """Scores [n, n_items] of some users, -inf where an item may not be on their list."""
        masked = np.where(self.out, scores, -np.inf).astype(np.float32)
        if not self.repeats:
            seen = self.data.seen[users]
            masked[np.repeat(np.arange(len(users)), np.diff(seen.indptr)), seen.indices] = -np.inf
        return masked

    def popularity(self) -> Floats:
        """How many chose each item, as a logarithm in proportion to the highest: float32 [n_items]."""
        logs = np.log1p(np.bincount(self.pairs.item, minlength=len(self.out)))
        popularity: Floats = (logs / (logs.max(initial=0) or 1)).astype(np.float32)
        return popularity

    def plus(self, written: Pairs) -> "Known":
        """The same, with what a generator has written for models to learn from."""
        return replace(self, written=written)

    def _dataset(self, pairs: Pairs) -> Dataset:
        return Dataset.from_arrays(
            pairs.user,
            pairs.item,
            timestamp=midnight(pairs.night) + MICROSECONDS_PER_DAY // 2,
            weight=pairs.weight,
            terms=self.terms,
            n_users=len(self.here),
            n_items=len(self.out),
            end=(self.night + EPOCH) * MICROSECONDS_PER_DAY,
        )


class Log:
    """The choices as they come, in arrays that grow; what was known on a night stays what it was."""

    def __init__(self, world: World, terms: Csr | None = None, repeats: bool = False) -> None:
        """With the terms of the items [n_items, n_terms], where there are any."""
        self.world, self.repeats = world, repeats
        self.terms = no_terms(world.n_items) if terms is None else terms
        self.pairs = Pairs.none()
        self._columns = np.empty((4, 1024), np.int32)
        self._size = 0

    @property
    def choices(self) -> Choices:
        """All so far."""
        return Choices(*self._columns[:, : self._size])

    def append(self, choices: Choices) -> None:
        """What was chosen next."""
        size = self._size + len(choices)
        if size > self._columns.shape[1]:
            grown = np.empty((4, max(size, 2 * self._columns.shape[1])), np.int32)
            grown[:, : self._size] = self._columns[:, : self._size]
            self._columns = grown
        for column, new in zip(self._columns, _columns(choices), strict=True):
            column[self._size : size] = new
        self._size = size
        self.pairs = self.pairs.followed_by(Pairs.of(choices))

    def known(self, night: int, here: Bools) -> Known:
        """What is known on a night, with the users who are there."""
        return Known(
            night=night,
            choices=self.choices,
            out=self.world.out(night),
            here=here,
            category=self.world.category,
            born=self.world.born,
            group=self.world.group,
            terms=self.terms,
            repeats=self.repeats,
            pairs=self.pairs,
        )

    def state(self) -> dict[str, np.ndarray]:
        """All choices so far."""
        return {"choices": self._columns[:, : self._size].copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Have the choices of a `state`, and no others."""
        self._columns, self._size = np.empty((4, 1024), np.int32), 0
        self.pairs = Pairs.none()
        self.append(Choices(*state["choices"].astype(np.int32)))


def terms_of(texts: list[str]) -> Csr:
    """TF-IDF of the words of each item, rows of length one, words in alphabetical order: float32 [n_items, n_words].

    The frequency of a word is logarithmic, 1 + log((1 + n) / (1 + texts that have it)), times how often a text has it.
    """
    words = [re.findall(r"\w+", text.lower()) for text in texts]
    lengths = np.array([len(own) for own in words], np.int64)
    if not lengths.sum():
        return no_terms(len(texts))
    vocabulary, word = np.unique(np.concatenate([own for own in words if own]), return_inverse=True)
    ones = (np.ones(len(word)), (np.repeat(np.arange(len(texts)), lengths), word))
    counts = sparse.coo_array(ones, shape=(len(texts), len(vocabulary))).tocsr()
    rarity = 1 + np.log((1 + len(texts)) / (1 + np.bincount(counts.indices, minlength=len(vocabulary))))
    weights = counts.data * rarity[counts.indices]
    row = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
    norm = np.sqrt(np.bincount(row, weights**2, len(texts)))
    terms: Csr = sparse.csr_array(
        ((weights / norm[row]).astype(np.float32), counts.indices.astype(np.int32), counts.indptr), shape=counts.shape
    )
    return terms


def midnight(nights: Ints) -> Longs:
    """When nights are, in microseconds since 1970."""
    return (nights.astype(np.int64) + EPOCH) * MICROSECONDS_PER_DAY


def _keys(user: Ints, item: Ints) -> Longs:
    """A number for each pair."""
    return (user.astype(np.int64) << 32) | item


def _columns(choices: Choices) -> tuple[Ints, Ints, Ints, Ints]:
    return choices.user, choices.item, choices.night, choices.rank
