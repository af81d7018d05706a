"""What a recommender learns from: one window of interactions and the terms of the items, under dense indices.

The features folder is written by the pipeline and read here; every file name in it is defined in this module.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from recmodels.errors import DataRefused, NightrecError

Window = Literal["train", "full"]  # before the holdout; before the cutoff
Ints: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]
Bools: TypeAlias = NDArray[np.bool_]
Csr: TypeAlias = sparse.csr_array[np.float32]

# The features folder: `prepared/` holds the index of users and items, the interactions of both windows and the
# holdout; `train/` and `full/` hold what was fitted on that window alone. Names within these folders:
PREPARED = "prepared"
USERS = "users.parquet"
ITEMS = "items.parquet"
HOLDOUT = "holdout.parquet"
UNSEEN = "unseen.parquet"  # users of whom the models of the training window learn nothing, where there are any
TERMS = "terms.parquet"
VOCABULARY = "vocabulary.parquet"
USER_TERMS = "user_terms.parquet"
USER_VOCABULARY = "user_vocabulary.parquet"
ITEM_FEATURES = "item_features.parquet"
USER_FEATURES = "user_features.parquet"
SEQUENCES = "sequences.parquet"

FIRST = "first"
"""Column of the interactions: when a pair began, `timestamp` being its last time; only where some were repeated."""

WINDOW_END = b"window_end"
"""Schema metadata of the interactions: the window's end, microseconds since 1970 (UTC), as decimal text."""


def interactions_file(window: Window) -> str:
    """The interactions of a window, within `prepared/`."""
    return f"{window}/interactions.parquet"


def window_end(interactions: Path) -> int:
    """The end of the window that a file of interactions covers, microseconds since 1970 (UTC)."""
    metadata = pq.read_schema(interactions).metadata or {}
    if WINDOW_END not in metadata:
        raise NightrecError(f"{interactions}: the metadata name no {WINDOW_END.decode()}; prepare the features again.")
    return int(metadata[WINDOW_END])


@dataclass(frozen=True, eq=False)
class Dataset:
    """One window of interactions, a row a (user, item) pair, sorted by user, timestamp and input order.

    Indices are dense: users 0..n_users-1 and items 0..n_items-1, whether or not they have interactions here. What a
    user knows but models do not learn from (a low rating, an item too rare: weight 0 in the file) is in `seen` only.
    """

    n_users: int
    n_items: int
    user_index: Ints  # [n]
    item_index: Ints  # [n]
    timestamp: NDArray[np.int64]  # [n], microseconds since 1970 (UTC)
    weight: Floats  # [n], above 0: how much the interaction says for the item
    rating: Floats | None  # [n], NaN where the user gave none; None where nobody could
    terms: Csr  # [n_items, n_terms], TF-IDF rows of length one, or empty; n_terms may be 0
    user_terms: Csr  # [n_users, n_user_terms], likewise: what the user table says of them
    end: int  # microseconds since 1970 (UTC); every interaction is earlier
    seen: Csr  # [n_users, n_items], the weight of every pair there is, learnt from (above 0) or not (0)
    rated: tuple[Ints, Ints, Floats] | None  # user, item, rating of all pairs with one, by user; learnt from or not

    @classmethod
    def load(cls, features: Path, window: Window) -> Self:
        """Read a window of the features folder. Raises NightrecError where a file is missing or inconsistent."""
        prepared = features / PREPARED
        path = _existing(prepared / interactions_file(window))
        names = pq.read_schema(path).names
        wanted = ["user_index", "item_index", "timestamp", "weight", "rating"]
        table = pq.read_table(path, columns=[name for name in wanted if name in names])
        n_users, n_items = (pq.read_metadata(_existing(prepared / name)).num_rows for name in (USERS, ITEMS))
        return cls._of(
            str(path),
            n_users=n_users,
            n_items=n_items,
            user_index=table["user_index"].to_numpy(),
            item_index=table["item_index"].to_numpy(),
            timestamp=table["timestamp"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(),
            weight=table["weight"].to_numpy(),
            rating=table["rating"].to_numpy() if "rating" in names else None,
            terms=read_terms(features / window / TERMS, n_items),
            user_terms=read_terms(features / window / USER_TERMS, n_users, "user_index"),
            end=window_end(path),
        )

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
        n_users: int | None = None,
        n_items: int | None = None,
        end: int | None = None,
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
            terms=_no_terms(n_items) if terms is None else terms,
            user_terms=_no_terms(n_users) if user_terms is None else user_terms,
            end=end if end is not None else int(times.max(initial=-1)) + 1,
        )
        starts = np.zeros(len(users) + 1, bool)
        starts[data.seen.indptr] = True
        if (~starts[1:-1] & (data.seen.indices[1:] == data.seen.indices[:-1])).any():
            raise DataRefused("interactions: a (user, item) pair occurs twice; merge duplicates first.")
        return data

    @classmethod
    def _of(
        cls,
        where: str,
        n_users: int,
        n_items: int,
        *,
        user_index: Ints,
        item_index: Ints,
        timestamp: NDArray[np.int64],
        weight: Floats,
        rating: Floats | None,
        terms: Csr,
        user_terms: Csr,
        end: int,
    ) -> Self:
        """Check the rows of all pairs, and keep those of weight 0 in `seen` only."""
        _check(where, n_users, n_items, user_index, item_index, weight)
        if terms.shape[0] != n_items:
            raise DataRefused(f"{where}: there are terms for {terms.shape[0]} items, the catalogue has {n_items}.")
        if user_terms.shape[0] != n_users:
            raise DataRefused(f"{where}: there are terms for {user_terms.shape[0]} users of {n_users}.")
        learnt = slice(None) if (weight > 0).all() else weight > 0  # a slice copies nothing
        return cls(
            n_users=n_users,
            n_items=n_items,
            user_index=user_index[learnt],
            item_index=item_index[learnt],
            timestamp=timestamp[learnt],
            weight=weight[learnt],
            rating=None if rating is None else rating[learnt],
            terms=terms,
            user_terms=user_terms,
            end=end,
            seen=_sparse(user_index, item_index, weight, (n_users, n_items)),
            rated=None if rating is None else _rated(where, user_index, item_index, rating),
        )

    def without(self, users: Ints) -> Self:
        """The same site as if some users had done nothing yet."""
        stays = np.ones(self.n_users, np.bool_)
        stays[users] = False
        rows = stays[self.user_index]
        held = np.diff(self.seen.indptr)
        entries = np.repeat(stays, held)
        indptr = np.concatenate([[0], np.cumsum(np.where(stays, held, 0))]).astype(self.seen.indptr.dtype)
        seen: Csr = sparse.csr_array(
            (self.seen.data[entries], self.seen.indices[entries], indptr), shape=self.seen.shape
        )
        rated = self.rated
        if rated is not None:
            given = stays[rated[0]]
            rated = rated[0][given], rated[1][given], rated[2][given]
        columns = {name: getattr(self, name)[rows] for name in ("user_index", "item_index", "timestamp", "weight")}
        rating = None if self.rating is None else self.rating[rows]
        return replace(self, **columns, rating=rating, seen=seen, rated=rated)

    def __len__(self) -> int:
        """The number of interactions."""
        return len(self.user_index)

    @cached_property
    def indptr(self) -> NDArray[np.int64]:
        """User u's interactions are the rows indptr[u] to indptr[u + 1]: int64 [n_users + 1]."""
        return _starts(self.user_index, self.n_users)

    @cached_property
    def matrix(self) -> Csr:
        """The weights as a sparse matrix, items ascending in each row: float32 [n_users, n_items]."""
        if len(self) == self.seen.nnz:  # nothing was seen without interest
            return self.seen
        return _sparse(self.user_index, self.item_index, self.weight, (self.n_users, self.n_items))

    @cached_property
    def ratings(self) -> Csr | None:
        """All ratings there are (a low one too, which is no sign of interest): float32 [n_users, n_items].

        None where nobody rates. What is stored is a rating, 0 included; items ascend in each row.
        """
        if self.rated is None:
            return None
        users, items, ratings = self.rated
        return _sparse(users, items, ratings, (self.n_users, self.n_items))


def _check(where: str, n_users: int, n_items: int, user_index: Ints, item_index: Ints, weight: Floats) -> None:
    for column, index, n in (("user_index", user_index, n_users), ("item_index", item_index, n_items)):
        if len(index) and (index.min() < 0 or index.max() >= n):
            bad = index.min() if index.min() < 0 else index.max()
            raise DataRefused(f"{where}: {column} {bad} is outside 0..{n - 1}; encode the ids densely.")
    if np.any(user_index[1:] < user_index[:-1]):
        raise DataRefused(f"{where}: the rows are not sorted by user_index; prepare the features again.")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise DataRefused(f"{where}: a weight is negative or not finite; look at the rules that give weights.")


def _rated(where: str, user_index: Ints, item_index: Ints, rating: Floats) -> tuple[Ints, Ints, Floats] | None:
    given = ~np.isnan(rating)
    if not given.any():
        return None
    if not np.isfinite(rating[given]).all():
        raise DataRefused(f"{where}: a rating is infinite; give a number, or nothing where there is none.")
    return (user_index, item_index, rating) if given.all() else (user_index[given], item_index[given], rating[given])


def empty_matrix(n: int, m: int) -> Csr:
    """A sparse matrix [n, m] that stores nothing."""
    return sparse.csr_array((np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(n + 1, np.int32)), shape=(n, m))


def _starts(user_index: Ints, n_users: int) -> NDArray[np.int64]:
    return np.searchsorted(user_index, np.arange(n_users + 1)).astype(np.int64)


def _sparse(user_index: Ints, item_index: Ints, weight: Floats, shape: tuple[int, int]) -> Csr:
    starts = _starts(user_index, shape[0])
    indptr = starts.astype(np.int32) if len(weight) < 2**31 else starts
    matrix: Csr = sparse.csr_array((weight, item_index, indptr), shape=shape, copy=True)
    matrix.sort_indices()
    return matrix


def _existing(path: Path) -> Path:
    if not path.exists():
        raise NightrecError(f"{path} does not exist; prepare the features first.")
    return path


def _no_terms(n: int) -> Csr:
    return sparse.csr_array(np.empty((n, 0), np.float32))


def read_terms(path: Path, n: int, index: str = "item_index") -> Csr:
    """The terms of n items (or users), [n, n_terms]; no terms where there is no such file."""
    if not path.exists():  # a site without an item table
        return _no_terms(n)
    table = pq.read_table(path, columns=[index, "term_index", "weight"])
    rows, terms = table[index].to_numpy(), table["term_index"].to_numpy()
    shape = (n, int(terms.max(initial=-1)) + 1)
    weights: Floats = table["weight"].to_numpy()
    matrix: Csr = sparse.coo_array((weights, (rows, terms)), shape=shape).tocsr()
    return matrix
