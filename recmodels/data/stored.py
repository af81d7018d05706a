"""A split whose rows stay in its files: who trains in parts gives them to nodes, and needs counts alone here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from recmodels.data.arrays import Bools, Csr, Doubles, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.data.layout import (
    ITEM_VECTORS,
    ITEMS,
    PREPARED,
    RESTING,
    TERMS,
    USER_TERMS,
    USERS,
    Split,
    existing,
    read_resting,
    read_terms,
    read_vectors,
)
from recmodels.data.pairs import Pairs
from recmodels.data.parquet import Array

ROWS = ("user_index", "item_index", "timestamp", "weight", "rating", "seen", "rated")

PIECE = 2**21
"""Rows that are counted at a time."""


class StoredDataset(Dataset):
    """What `Dataset.load` reads, without reading it: its rows are when somebody asks for a column of them.

    The numbers that are counted (`item_counts`, `indptr`, `item_weights`, the length) and the `pieces` are read some
    rows at a time: they take memory by users and items alone.

    Attributes:
        features, split: where the rows are.
        excluded: users whose rows are left out: bool [n_users]; None where nobody's are.
    """

    features: Path
    split: Split
    excluded: Bools | None

    @classmethod
    def opened(cls, features: Path, split: Split) -> Self:
        """A split of the features folder.

        Raises:
            NightrecError: a file is missing or inconsistent.
        """
        prepared = features / PREPARED
        n_users, n_items = (pq.read_metadata(existing(prepared / name)).num_rows for name in (USERS, ITEMS))
        known: dict[str, Any] = {"n_users": n_users, "n_items": n_items, "end": Pairs(prepared, split).end, "ids": None}
        known["domains"] = Domains.read(prepared)
        return cls._with(**known, features=features, split=split, excluded=None)

    @classmethod
    def _with(cls, **attributes: Any) -> Self:
        data = cls.__new__(cls)
        vars(data).update(attributes)
        return data

    @property
    def on_disk(self) -> bool:
        """Whether nobody has asked for rows."""
        return "user_index" not in vars(self)

    def __getattr__(self, name: str) -> Any:
        """Read what is asked for the first time."""
        if name == "terms":
            found: dict[str, Any] = {name: read_terms(self.features / self.split / TERMS, self.n_items)}
        elif name == "user_terms":
            found = {name: read_terms(self.features / self.split / USER_TERMS, self.n_users, "user_index")}
        elif name == "item_vectors":
            found = {name: read_vectors(self.features / self.split / ITEM_VECTORS, self.n_items)}
        elif name == "rated" and "rating" not in Pairs(self.features / PREPARED, self.split).names:
            found = {"rated": None}
        elif name in ROWS:
            data = Dataset.load(self.features, self.split, terms=(self.terms, self.user_terms))
            data = data if self.excluded is None else data.without(np.flatnonzero(self.excluded).astype(np.int32))
            found = {column: getattr(data, column) for column in ROWS}
        else:
            raise AttributeError(name)
        vars(self).update(found)
        return found[name]

    def without(self, users: Ints) -> Dataset:  # type: ignore[override]
        if not self.on_disk:
            return super().without(users)
        excluded = np.zeros(self.n_users, np.bool_) if self.excluded is None else self.excluded.copy()
        excluded[users] = True
        return self._unread(excluded)

    def unread(self) -> Self:
        """The same split, of which nobody has asked for rows."""
        return self._unread(self.excluded)

    def _unread(self, excluded: Bools | None) -> Self:
        kept = {name: vars(self)[name] for name in ("n_users", "n_items", "end", "ids", "domains", "features", "split")}
        return self._with(**kept, excluded=excluded)

    def __len__(self) -> int:
        return int(self._counted.users.sum()) if self.on_disk else super().__len__()

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[list[Array]]:
        if not self.on_disk:
            yield from super().pieces(names, rows)
            return
        held, missing = list[list[Array]](), rows  # what has been read of a piece, and how many rows it lacks
        for columns in Pairs(self.features / PREPARED, self.split).batches([*{"user_index", "weight", *names}]):
            kept = trained(columns, self.excluded)
            part = [columns[name][kept] for name in names]
            while len(part[0]) >= missing:
                held.append([column[:missing] for column in part])
                part = [column[missing:] for column in part]
                whole = [np.concatenate(column) for column in zip(*held, strict=True)]
                held, missing = [], rows  # not held beside the piece while that is worked on
                yield whole
            held.append(part)
            missing -= len(part[0])
        if missing < rows:
            yield [np.concatenate(column) for column in zip(*held, strict=True)]

    @cached_property
    def resting(self) -> Csr | None:
        return read_resting(self.features / self.split / RESTING, self.n_users, self.n_items)

    @cached_property
    def _counted(self) -> "_Counted":
        users, items = np.zeros(self.n_users, np.int64), np.zeros(self.n_items, np.int64)
        weights, total = np.zeros(self.n_items), 0.0
        for user, item, weight in self.pieces(["user_index", "item_index", "weight"], PIECE):
            first = int(user[0])  # they ascend
            found = np.bincount(user - first)
            users[first : first + len(found)] += found
            items += np.bincount(item, minlength=self.n_items)
            weights += np.bincount(item, weight, self.n_items)
            total += float(weight.sum(dtype=np.float64))
        return _Counted(users, items, weights, total)

    @cached_property
    def indptr(self) -> Longs:
        return np.concatenate(([0], np.cumsum(self._counted.users))) if self.on_disk else super().indptr

    @cached_property
    def item_counts(self) -> Longs:
        return self._counted.items if self.on_disk else super().item_counts

    @cached_property
    def item_weights(self) -> Doubles:
        return self._counted.weights if self.on_disk else super().item_weights

    @cached_property
    def total_weight(self) -> float:
        return self._counted.total if self.on_disk else super().total_weight


@dataclass(frozen=True, eq=False)
class _Counted:
    """Of the rows: how many each user and each item has, and the weights of the items'."""

    users: Longs
    items: Longs
    weights: Doubles
    total: float


def trained(columns: dict[str, Array], excluded: Bools | None) -> Bools | slice:
    """Which rows are trained on."""
    kept: Bools = columns["weight"] > 0
    if excluded is not None:
        kept &= ~excluded[columns["user_index"]]
    return slice(None) if kept.all() else kept  # a slice copies nothing


def weights_of_users(features: Path, split: Split, first: int, last: int, n_items: int, excluded: Bools | None) -> Csr:
    """`Dataset.matrix` of some users who follow one another, of whom alone rows are read: float32 [n, n_items]."""
    wanted = np.arange(first, last, dtype=np.int32)
    columns = Pairs(features / PREPARED, split).columns(["user_index", "item_index", "weight"], wanted)
    kept = trained(columns, excluded)
    indptr = np.searchsorted(columns["user_index"][kept], np.arange(first, last + 1, dtype=np.int32)).astype(np.int32)
    entries = columns["weight"][kept], columns["item_index"][kept], indptr
    matrix: Csr = sparse.csr_array(entries, shape=(len(wanted), n_items), copy=True)
    matrix.sort_indices()
    return matrix
