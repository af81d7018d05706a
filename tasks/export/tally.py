"""What differs between the lists of two exports or two models, counted pair by pair of tables with the same users."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.store.files import Json

TENTHS = 10
EXAMPLES = 5  # users that are noted of each tenth
SHOWN = 10  # items that entered or left the lists, and items whose lists changed most in number

Longs = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Shares = np.ndarray[Any, np.dtype[np.float64]]


class Pair:
    """The lists of some users in two exports, users and items numbered in common."""

    def __init__(self, old: pa.Table, new: pa.Table) -> None:
        self.user_ids, (self.old_user, self.new_user) = _numbered(old["user_id"], new["user_id"])
        self.item_ids, (self.old_item, self.new_item) = _numbered(old["item_id"], new["item_id"])
        self.n_users, self.n_items = len(self.user_ids), len(self.item_ids)
        self.old_size = np.bincount(self.old_user, minlength=self.n_users)
        self.new_size = np.bincount(self.new_user, minlength=self.n_users)
        old_key, new_key = (
            user * self.n_items + item
            for user, item in ((self.old_user, self.old_item), (self.new_user, self.new_item))
        )
        _, self.old_row, self.new_row = np.intersect1d(old_key, new_key, assume_unique=True, return_indices=True)
        self.shared = np.bincount(self.old_user[self.old_row], minlength=self.n_users)
        in_place = old["rank"].to_numpy()[self.old_row] == new["rank"].to_numpy()[self.new_row]
        still = np.bincount(self.old_user[self.old_row[in_place]], minlength=self.n_users)
        self.same = (still == self.old_size) & (still == self.new_size)  # [n_users]: the same items in the same order


def _numbered(old: pa.ChunkedArray, new: pa.ChunkedArray) -> tuple[pa.Array, list[Longs]]:
    """The distinct values of two columns in their order, and each column as places among them."""
    ids = pc.unique(pa.chunked_array([*old.chunks, *new.chunks], old.type))
    ids = ids.take(pc.array_sort_indices(ids))
    return ids, [pc.index_in(column, value_set=ids).to_numpy().astype(np.int64) for column in (old, new)]


@dataclass
class Tally:
    """The counts so far.

    Attributes:
        counts: of users, by name.
        overlap: users who have both lists, by how many tenths of the longer one are in both, 0 to 10.
        examples: some users of each of these tenths.
        lists: in how many lists each item is, before and after.
        arms: of the users of each arm who have both, how many, and the sum of their shares of new places.
    """

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ["users_old", "users_new", "users_in_both", "users_unchanged", "users_reordered"], 0
        )
    )
    overlap: Longs = field(default_factory=lambda: np.zeros(TENTHS + 1, np.int64))
    examples: dict[int, list[Any]] = field(default_factory=dict)
    lists: pa.Table | None = None
    wholly_new: int = 0
    churn: float = 0.0
    changes: int = 0
    shared: int = 0
    arms: dict[str, tuple[int, float]] = field(default_factory=dict)
    scores: np.ndarray[Any, np.dtype[np.float64]] = field(default_factory=lambda: np.zeros(3))

    def add(self, old: pa.Table, new: pa.Table) -> None:
        """Count the lists of some users: rows with user_id, rank, item_id and score, sorted by user and rank."""
        pair = Pair(old, new)
        both = (pair.old_size > 0) & (pair.new_size > 0)
        longer = np.maximum(pair.old_size, pair.new_size)
        share = 1 - pair.shared / np.maximum(longer, 1)
        self.counts["users_old"] += int((pair.old_size > 0).sum())
        self.counts["users_new"] += int((pair.new_size > 0).sum())
        self.counts["users_in_both"] += int(both.sum())
        self.counts["users_unchanged"] += int((both & pair.same).sum())
        self.counts["users_reordered"] += int((both & ~pair.same & (share == 0)).sum())
        self.churn += float(share[both].sum())
        self.wholly_new += int((both & (share == 1)).sum())
        self.changes += int((longer - pair.shared)[both].sum())
        if "arm" in new.column_names:
            self._add_arms(pair, new, both, share)
        self._add_overlap(pair, np.where(both, TENTHS * pair.shared // np.maximum(longer, 1), -1))
        before, after = (table["score"].to_numpy().astype(np.float64) for table in (old, new))
        shift = after[pair.new_row] - before[pair.old_row]
        self.scores += [before[pair.old_row].sum(), after[pair.new_row].sum(), np.abs(shift).sum()]
        self.shared += len(shift)
        self.lists = _with_counts(self.lists, pair)

    def _add_arms(self, pair: Pair, new: pa.Table, both: Bools, share: Shares) -> None:
        users, first = np.unique(pair.new_user, return_index=True)
        arm = new["arm"].take(pa.array(first)).cast(pa.string()).to_numpy()
        for name in np.unique(arm).tolist():
            ours = users[arm == name]
            ours = ours[both[ours]]
            n, churn = self.arms.get(name, (0, 0.0))
            self.arms[name] = (n + len(ours), churn + float(share[ours].sum()))

    def _add_overlap(self, pair: Pair, tenth: Longs) -> None:
        self.overlap += np.bincount(tenth[tenth >= 0], minlength=TENTHS + 1)
        for n in np.unique(tenth[tenth >= 0]).tolist():
            known = self.examples.setdefault(n, [])
            if len(known) < EXAMPLES:
                rows = np.flatnonzero(tenth == n)[: EXAMPLES - len(known)]
                known += pair.user_ids.take(pa.array(rows)).to_pylist()

    @property
    def mean_churn(self) -> float:
        """The share of a user's list that is new, on average over those who have both."""
        return self.churn / max(self.counts["users_in_both"], 1)

    def json_ready(self) -> Json:
        """The counts, as `nightrec diff --json` prints them."""
        pairs = max(self.shared, 1)
        return {
            **self.counts,
            "users_wholly_new_lists": self.wholly_new,
            "mean_churn": self.mean_churn,
            "overlap": self.overlap.tolist(),
            "places_changed": self.changes,
            "pairs_in_both": self.shared,
            "mean_score_old": float(self.scores[0]) / pairs,
            "mean_score_new": float(self.scores[1]) / pairs,
            "mean_score_shift": float(self.scores[1] - self.scores[0]) / pairs,
            "mean_score_shift_size": float(self.scores[2]) / pairs,
            "arms": {
                name: {"users_in_both": n, "mean_churn": churn / max(n, 1)}
                for name, (n, churn) in sorted(self.arms.items())
            },
            **items_that_moved(self.lists),
        }


def _with_counts(lists: pa.Table | None, pair: Pair) -> pa.Table:
    """In how many lists each item is, before and after: the counts so far, and those of some more users."""
    more = pa.table(
        {
            "item_id": pair.item_ids,
            "before": np.bincount(pair.old_item, minlength=pair.n_items),
            "after": np.bincount(pair.new_item, minlength=pair.n_items),
        }
    )
    both = more if lists is None else pa.concat_tables([lists, more])
    summed = both.group_by("item_id").aggregate([("before", "sum"), ("after", "sum")])
    return summed.rename_columns(["item_id", "before", "after"])


def items_that_moved(lists: pa.Table | None) -> Json:
    """Items that are in no list any more, or for the first time, and those whose number of lists changed most."""
    if lists is None:
        return {"items_entered": 0, "items_left": 0, "entered": [], "left": [], "moved": []}
    lists = lists.sort_by("item_id")  # so that items that moved as much come in one order
    before, after = lists["before"].to_numpy(), lists["after"].to_numpy()
    entered, left = (before == 0) & (after > 0), (after == 0) & (before > 0)
    stayed = (before > 0) & (after > 0) & (before != after)
    return {
        "items_entered": int(entered.sum()),
        "items_left": int(left.sum()),
        "entered": most_of(lists, entered, after),
        "left": most_of(lists, left, before),
        "moved": most_of(lists, stayed, np.abs(after - before)),
    }


def most_of(lists: pa.Table, which: np.ndarray[Any, np.dtype[np.bool_]], size: Longs, most: int = SHOWN) -> list[Json]:
    """The items that are meant, the largest first."""
    rows = np.flatnonzero(which)
    found: list[Json] = lists.take(rows[np.argsort(-size[rows], kind="stable")][:most]).to_pylist()
    return found
