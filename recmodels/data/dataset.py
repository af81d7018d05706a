"""What a recommender is trained on: one split of the interactions and the terms of the items, under dense indices."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from recmodels.data.arrays import (
    Bools,
    Csr,
    Doubles,
    Floats,
    Ints,
    Longs,
    csr_of,
    empty_matrix,
    read_only,
    starts_of,
)
from recmodels.data.domains import Domains
from recmodels.data.ids import Ids
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
    no_terms,
    read_resting,
    read_terms,
    read_vectors,
)
from recmodels.data.pairs import Pairs
from recmodels.data.rows import check_rows, rated_rows
from recmodels.data.vectors import described
from recmodels.errors import DataRefused, NightrecError

if TYPE_CHECKING:
    import pandas as pd

ROWS_AT_A_TIME = 2**20

Repeats: TypeAlias = bool | Literal["due"]
"""Whether lists may hold what a user has had: nothing of it, all of it, or what is due by its interval."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of the interactions, a row a (user, item) pair, sorted by user, timestamp and input order.

    Indices are dense: users 0..n_users-1 and items 0..n_items-1, whether or not they have interactions. Pairs that are
    excluded from training (a low rating, an item too rare: weight 0 in the file) are in `seen` only.
    """

    n_users: int
    n_items: int
    user_index: Ints  # [n]
    item_index: Ints  # [n]
    timestamp: Longs  # [n], microseconds since 1970 (UTC)
    weight: Floats  # [n], above 0: how much the interaction says for the item
    rating: Floats | None  # [n], NaN where the user gave none; None where nobody could
    terms: Csr  # [n_items, n_terms], TF-IDF rows of length one, or empty; n_terms may be 0
    user_terms: Csr  # [n_users, n_user_terms], likewise: the features of the user table
    end: int  # microseconds since 1970 (UTC); every interaction is earlier
    seen: Csr  # [n_users, n_items], the weight of every pair: above 0, or 0 where it is excluded from training
    rated: tuple[Ints, Ints, Floats] | None  # user, item and rating of all pairs that have a rating, by user
    item_vectors: Floats | None = None  # [n_items, d], of length one, zeros where an item has none; None without any
    resting: Csr | None = None  # bool [n_users, n_items], of the pairs in `seen` those that are not due; None: unknown
    ids: Ids | None = None  # of users and items, where these indices stand for ids; a night keeps them in its files
    domains: Domains | None = None  # of the items, where the site has several

    def __post_init__(self) -> None:
        """Make the columns read-only, wherever they come from: to numba such an array is of a type of its own."""
        for name in ("user_index", "item_index", "timestamp", "weight", "rating", "rated"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def from_pandas(
        cls,
        interactions: "pd.DataFrame",
        *,
        user: str = "user_id",
        item: str = "item_id",
        time: str | None = None,
        time_unit: Literal["s", "ms", "us"] = "s",
        rating: str | None = None,
        weight: str | None = None,
        items: "pd.DataFrame | None" = None,
        text: str | Sequence[str] = (),
        item_ids: Iterable[Any] | None = None,
    ) -> Self:
        """A dataset from a frame with a row an interaction; its ids may be numbers, text, or anything hashable.

        Of repeated (user, item) pairs one remains, with the last time and rating and the largest weight.

        Args:
            interactions: the log, in any order.
            user: column of user ids.
            item: column of item ids.
            time: column of times: datetimes, ISO 8601 texts (without a zone: UTC), or numbers since 1970. Without
                times the order of the rows counts, and there are no days to hold out.
            time_unit: the unit of times that are numbers.
            rating: column of explicit ratings.
            weight: column of how much each interaction says for the item, 0 or more; 1 by default.
            items: a catalogue with a row an item and the column `item`; items without interactions belong to it, too.
            text: columns of `items` whose words become TF-IDF terms, for `Content` and the hybrid models.
            item_ids: all item ids in the order of a model's `item_ids_`, to use it on other interactions.

        Raises:
            DataRefused: a column is missing, an id or a time is missing, or an item is not in the catalogue.
        """
        from recmodels.data.frames import arrays_of

        arrays = arrays_of(
            interactions,
            user=user,
            item=item,
            time=time,
            time_unit=time_unit,
            rating=rating,
            weight=weight,
            items=items,
            text=text,
            item_ids=item_ids,
        )
        return cls.from_arrays(**arrays)

    @classmethod
    def load(
        cls, features: Path, split: Split, *, users: Ints | None = None, terms: tuple[Csr, Csr] | None = None
    ) -> "Dataset":
        """Read a split of the features folder.

        Args:
            features: the folder.
            split: which one.
            users: whose interactions are read, ascending [m]; the others are there without any, so that indices are
                the same. All of them without it.
            terms: those of the items and of the users, where somebody has read them already.

        Raises:
            NightrecError: a file is missing or inconsistent.
        """
        prepared = features / PREPARED
        pairs = Pairs(prepared, split)
        wanted = ["user_index", "item_index", "weight", "rating"]
        table = pairs.columns([name for name in wanted if name in pairs.names], users)
        n_users, n_items = (pq.read_metadata(existing(prepared / name)).num_rows for name in (USERS, ITEMS))
        item_terms, user_terms = terms or (
            read_terms(features / split / TERMS, n_items),
            read_terms(features / split / USER_TERMS, n_users, "user_index"),
        )
        data = cls._of(
            str(pairs.file),
            n_users=n_users,
            n_items=n_items,
            user_index=table["user_index"],
            item_index=table["item_index"],
            timestamp=np.broadcast_to(np.int64(0), len(table["user_index"])),  # until asked for
            weight=table["weight"],
            rating=table.get("rating"),
            terms=item_terms,
            user_terms=user_terms,
            item_vectors=read_vectors(features / split / ITEM_VECTORS, n_items),
            end=pairs.end,
        )
        domains = Domains.read(prepared)
        late = data if domains is None else replace(data, domains=domains)
        return LateTimes.of(late, pairs, features / split / RESTING, users)

    @classmethod
    def from_arrays(
        cls,
        user_index: ArrayLike,
        item_index: ArrayLike,
        *,
        timestamp: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        rating: ArrayLike | None = None,
        terms: Csr | None = None,
        user_terms: Csr | None = None,
        item_vectors: Floats | None = None,
        n_users: int | None = None,
        n_items: int | None = None,
        end: int | None = None,
        ids: Ids | None = None,
    ) -> Self:
        """A dataset from columns in any order, for use as a plain library.

        Timestamps are microseconds (default: all 0, so the input's order counts), weights default to 1, the
        numbers of users and items to the largest index + 1, the end to just after the last interaction.
        Raises DataRefused for an index out of range, or a pair that occurs twice.
        """
        users, items = np.asarray(user_index, dtype=np.int32), np.asarray(item_index, dtype=np.int32)
        times = np.zeros(len(users), np.int64) if timestamp is None else np.asarray(timestamp, dtype=np.int64)
        weights = np.ones(len(users), np.float32) if weight is None else np.asarray(weight, dtype=np.float32)
        ratings = None if rating is None else np.asarray(rating, dtype=np.float32)
        later = (users[1:] > users[:-1]) | ((users[1:] == users[:-1]) & (times[1:] >= times[:-1]))
        if not later.all():
            order = np.lexsort((times, users))  # stable: equal timestamps keep the input's order
            users, items, times, weights = users[order], items[order], times[order], weights[order]
            ratings = None if ratings is None else ratings[order]
        n_items = n_items if n_items is not None else int(items.max(initial=-1)) + 1
        n_users = n_users if n_users is not None else int(users.max(initial=-1)) + 1
        data = cls._of(
            "interactions",
            n_users=n_users,
            n_items=n_items,
            user_index=users,
            item_index=items,
            timestamp=times,
            weight=weights,
            rating=ratings,
            terms=no_terms(n_items) if terms is None else terms,
            user_terms=no_terms(n_users) if user_terms is None else user_terms,
            item_vectors=item_vectors,
            end=end if end is not None else int(times.max(initial=-1)) + 1,
        )
        starts = np.zeros(len(users) + 1, bool)
        starts[data.seen.indptr] = True
        if (~starts[1:-1] & (data.seen.indices[1:] == data.seen.indices[:-1])).any():
            raise DataRefused("interactions: a (user, item) pair occurs twice; merge duplicates first.")
        return data if ids is None else replace(data, ids=ids)

    @classmethod
    def _of(
        cls,
        where: str,
        n_users: int,
        n_items: int,
        *,
        user_index: Ints,
        item_index: Ints,
        timestamp: Longs,
        weight: Floats,
        rating: Floats | None,
        terms: Csr,
        user_terms: Csr,
        item_vectors: Floats | None,
        end: int,
    ) -> Self:
        """Check the rows of all pairs, and keep those of weight 0 in `seen` only."""
        check_rows(where, n_users, n_items, user_index, item_index, weight)
        if terms.shape[0] != n_items:
            raise DataRefused(f"{where}: there are terms for {terms.shape[0]} items, the catalogue has {n_items}.")
        if user_terms.shape[0] != n_users:
            raise DataRefused(f"{where}: there are terms for {user_terms.shape[0]} users of {n_users}.")
        if item_vectors is not None and len(item_vectors) != n_items:
            raise DataRefused(f"{where}: there are vectors for {len(item_vectors)} items, the catalogue has {n_items}.")
        trained = slice(None) if (weight > 0).all() else weight > 0  # a slice copies nothing
        return cls(
            n_users=n_users,
            n_items=n_items,
            user_index=user_index[trained],
            item_index=item_index[trained],
            timestamp=timestamp[trained],
            weight=weight[trained],
            rating=None if rating is None else rating[trained],
            terms=terms,
            user_terms=user_terms,
            item_vectors=item_vectors,
            end=end,
            seen=csr_of(user_index, item_index, weight, (n_users, n_items)),
            rated=None if rating is None else rated_rows(where, user_index, item_index, rating),
        )

    def of_items(self, items: Bools) -> Self:
        """The same data with the interactions and ratings of some items [n_items] alone; indices stay."""
        given = None if self.rated is None else items[self.rated[1]]
        return self._selected(items[self.item_index], items[self.seen.indices], given)

    def without(self, users: Ints) -> Self:
        """The same data without the interactions and ratings of `users`; indices stay."""
        stays = np.ones(self.n_users, np.bool_)
        stays[users] = False
        given = None if self.rated is None else stays[self.rated[0]]
        return self._selected(stays[self.user_index], np.repeat(stays, np.diff(self.seen.indptr)), given)

    def _selected(self, rows: Bools, entries: Bools, given: Bools | None) -> Self:
        """The same data with some of the interactions, of the entries of `seen`, and of the ratings."""
        indptr = np.concatenate([[0], np.cumsum(entries)])[self.seen.indptr].astype(self.seen.indptr.dtype)
        seen: Csr = sparse.csr_array(
            (self.seen.data[entries], self.seen.indices[entries], indptr), shape=self.seen.shape
        )
        rated = self.rated
        if rated is not None and given is not None:
            rated = (rated[0][given], rated[1][given], rated[2][given]) if given.any() else None
        columns = {name: getattr(self, name)[rows] for name in ("user_index", "item_index", "timestamp", "weight")}
        rating = None if self.rating is None else self.rating[rows]
        return replace(self, **columns, rating=rating, seen=seen, rated=rated)

    def __len__(self) -> int:
        """The number of interactions."""
        return len(self.user_index)

    @cached_property
    def indptr(self) -> Longs:
        """User u's interactions are the rows indptr[u] to indptr[u + 1]: int64 [n_users + 1]."""
        return starts_of(self.user_index, self.n_users)

    @cached_property
    def item_counts(self) -> Longs:
        """How many interactions each item has: int64 [n_items]."""
        counts = np.zeros(self.n_items, np.int64)
        for start in range(0, len(self), ROWS_AT_A_TIME):  # numpy copies an index that is not int64 into one that is
            counts += np.bincount(self.item_index[start : start + ROWS_AT_A_TIME], minlength=self.n_items)
        return counts

    @cached_property
    def item_weights(self) -> Doubles:
        """The sum of the weights of each item's interactions: float64 [n_items]."""
        weights = np.zeros(self.n_items)
        for item, weight in self.pieces(["item_index", "weight"], ROWS_AT_A_TIME):
            weights += np.bincount(item, weight, self.n_items)
        return weights

    @cached_property
    def total_weight(self) -> float:
        """The sum of all weights."""
        return float(self.weight.sum(dtype=np.float64))

    def pieces(self, names: Sequence[str], rows: int) -> Iterator[list[NDArray[Any]]]:
        """Columns of the interactions, so many rows at a time."""
        columns = [getattr(self, name) for name in names]
        for start in range(0, len(self), rows):
            yield [column[start : start + rows] for column in columns]

    @cached_property
    def described(self) -> Csr:
        """What is known of items, their vectors as terms beside their terms: float32 [n_items, n_terms + d].

        A row has length one: an item with both is half of each, so that the cosine of two such items is the mean of
        that of their terms and that of their vectors.
        """
        return described(self.terms, self.item_vectors)

    def share_since(self, time: int) -> float:
        """The share of interactions that are not earlier than this, microseconds since 1970 (UTC)."""
        late = sum(int((times >= time).sum()) for (times,) in self.pieces(["timestamp"], ROWS_AT_A_TIME))
        return late / len(self)

    @cached_property
    def known_items(self) -> Ints:
        """The items that have interactions, ascending: int32 [m]."""
        return np.flatnonzero(self.item_counts).astype(np.int32)

    @cached_property
    def matrix(self) -> Csr:
        """The weights as a sparse matrix, items ascending in each row: float32 [n_users, n_items]."""
        if len(self) == self.seen.nnz:  # no pair is excluded from training
            return self.seen
        return csr_of(self.user_index, self.item_index, self.weight, (self.n_users, self.n_items))

    def hidden(self, users: Ints, repeats: Repeats) -> Csr:
        """What lists of some users leave out of what these have seen: sparse [b, n_items].

        All of it; with `repeats` nothing, or what is not due yet.

        Raises:
            NightrecError: it is not known what is due.
        """
        if repeats is True:
            return empty_matrix(len(users), self.n_items)
        hidden = self.resting if repeats else self.seen
        if hidden is None:
            raise NightrecError("Nothing is known of what is due: single events are needed (features.events = true).")
        rows: Csr = hidden[users]
        return rows

    @cached_property
    def ratings(self) -> Csr | None:
        """All ratings, also of pairs excluded from training: float32 [n_users, n_items].

        None where nobody rates. What is stored is a rating, 0 included; items ascend in each row.
        """
        if self.rated is None:
            return None
        users, items, ratings = self.rated
        return csr_of(users, items, ratings, (self.n_users, self.n_items))


class LateTimes(Dataset):
    """A split whose timestamps are read when they are asked for, since few models do and they take the most memory.

    So is what is not due, which only lists of what is due ask for.
    """

    _pairs: Pairs
    _resting: Path
    _users: Ints | None  # whose rows alone were read

    @classmethod
    def of(cls, data: Dataset, pairs: Pairs, resting: Path, users: Ints | None = None) -> Self:
        stored = cls.__new__(cls)
        vars(stored).update(vars(data), _pairs=pairs, _resting=resting, _users=users)
        del vars(stored)["timestamp"], vars(stored)["resting"]
        return stored

    @cached_property
    def resting(self) -> Csr | None:
        return read_resting(self._resting, self.n_users, self.n_items, self._users)

    @cached_property
    def timestamp(self) -> Longs:
        return self._trained("timestamp")

    def _trained(self, name: str) -> NDArray[Any]:
        """A column of the rows that are trained on."""
        table = self._pairs.columns([*{name, "weight"}], self._users)
        kept = table["weight"] > 0
        column: NDArray[Any] = table[name][slice(None) if kept.all() else kept]
        if len(column) != len(self):
            raise DataRefused(f"{self._pairs.file} was changed while it was in use; read it again.")
        column.flags.writeable = False
        return column
