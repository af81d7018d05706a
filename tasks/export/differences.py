"""How two exports differ: user by user, both read in parallel, so that memory does not grow with their number."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import ConfigError
from tasks.export.audit_items import whole_lists
from tasks.store.exports import intact, named_export
from tasks.store.files import Json
from tasks.store.paths import Store

COLUMNS = ["user_id", "rank", "item_id", "score"]
SHOWN = 10  # items that entered or left the lists, and items whose lists changed most in number


def side_by_side(
    old: list[Path], new: list[Path], columns: list[str], more: list[str] | None = None
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of the same users from two sorted tables, some two million at a time; columns[0] is the user.

    Of the second table `more` columns are read.
    """
    key = columns[0]
    left, right = whole_lists(old, columns), whole_lists(new, [*columns, *(more or [])])
    a, b = next(left, None), next(right, None)
    nothing = [pq.read_schema(files[0]).empty_table() for files in (old, new)]
    while a is not None or b is not None:
        ends = [table[key][-1].as_py() for table in (a, b) if table is not None]
        (first, a), (second, b) = (_cut(table, key, min(ends)) for table in (a, b))
        yield nothing[0] if first is None else first, nothing[1] if second is None else second
        a = next(left, None) if a is None else a
        b = next(right, None) if b is None else b


def _cut(table: pa.Table | None, key: str, end: Any) -> tuple[pa.Table | None, pa.Table | None]:
    """The rows up to the user `end`, and the rest; None where there are none."""
    if table is None:
        return None, None
    n = int(pc.sum(pc.less_equal(table[key], pa.scalar(end, table[key].type))).as_py() or 0)
    return (table.slice(0, n) if n else None), (table.slice(n) if n < len(table) else None)


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


def _numbered(old: pa.ChunkedArray, new: pa.ChunkedArray) -> tuple[pa.Array, list[np.ndarray[Any, np.dtype[np.int64]]]]:
    """The distinct values of two columns in their order, and each column as places among them."""
    ids = pc.unique(pa.chunked_array([*old.chunks, *new.chunks], old.type))
    ids = ids.take(pc.array_sort_indices(ids))
    return ids, [pc.index_in(column, value_set=ids).to_numpy().astype(np.int64) for column in (old, new)]


def difference(store: Store, first: str, second: str) -> Json:
    """What changed from one export to another, named by id or date.

    `churn` of a user is the share of the longer list's places whose items are not in the other list. Scores are
    compared for the pairs of user and item that are in both; models score on scales of their own.

    Raises:
        ConfigError: one of them does not exist, or their ids are of different types.
        ExportRefused: one of them is not what was published.
    """
    manifests = [named_export(store, name) for name in (first, second)]
    for manifest in manifests:
        intact(store, manifest)
    old, new = (topk_files(store, manifest) for manifest in manifests)
    types = [{name: pq.read_schema(files[0]).field(name).type for name in COLUMNS[::2]} for files in (old, new)]
    if types[0] != types[1]:
        raise ConfigError(f"The ids of {first} and {second} are of different types ({types[0]}, {types[1]}).")
    counts = dict.fromkeys(["users_old", "users_new", "users_in_both", "users_unchanged", "users_reordered"], 0)
    churn, changes, shared, scores = 0.0, 0, 0, np.zeros(3)
    lists: pa.Table | None = None
    wholly = 0
    for a, b in side_by_side(old, new, COLUMNS):
        pair = Pair(a, b)
        both = (pair.old_size > 0) & (pair.new_size > 0)
        share = 1 - pair.shared / np.maximum(np.maximum(pair.old_size, pair.new_size), 1)
        counts["users_old"] += int((pair.old_size > 0).sum())
        counts["users_new"] += int((pair.new_size > 0).sum())
        counts["users_in_both"] += int(both.sum())
        counts["users_unchanged"] += int((both & pair.same).sum())
        counts["users_reordered"] += int((both & ~pair.same & (share == 0)).sum())
        churn += float(share[both].sum())
        wholly += int((both & (share == 1)).sum())
        changes += int((np.maximum(pair.old_size, pair.new_size) - pair.shared)[both].sum())
        before, after = (t["score"].to_numpy().astype(np.float64) for t in (a, b))
        shift = after[pair.new_row] - before[pair.old_row]
        scores += [before[pair.old_row].sum(), after[pair.new_row].sum(), np.abs(shift).sum()]
        shared += len(shift)
        lists = _with_counts(lists, pair)
    n = max(counts["users_in_both"], 1)
    return {
        "old": _about(manifests[0]),
        "new": _about(manifests[1]),
        **counts,
        "users_wholly_new_lists": wholly,
        "mean_churn": churn / n,
        "places_changed": changes,
        "pairs_in_both": shared,
        "mean_score_old": float(scores[0]) / max(shared, 1),
        "mean_score_new": float(scores[1]) / max(shared, 1),
        "mean_score_shift": float(scores[1] - scores[0]) / max(shared, 1),
        "mean_score_shift_size": float(scores[2]) / max(shared, 1),
        **_items_that_moved(lists),
    }


def topk_files(store: Store, manifest: Json) -> list[Path]:
    folder = store.export(manifest["export_id"])
    return [folder / file["path"] for file in manifest["files"] if file["path"].startswith("topk/")]


def _about(manifest: Json) -> Json:
    return {name: manifest[name] for name in ("export_id", "champion", "k")}


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


def _items_that_moved(lists: pa.Table | None) -> Json:
    """Items that are in no list any more, or for the first time, and those whose number of lists changed most."""
    if lists is None:
        return {"items_entered": 0, "items_left": 0, "entered": [], "left": [], "moved": []}
    before, after = lists["before"].to_numpy(), lists["after"].to_numpy()

    def top(which: np.ndarray[Any, np.dtype[np.bool_]], size: np.ndarray[Any, np.dtype[np.int64]]) -> list[Json]:
        rows = np.flatnonzero(which)
        found: list[Json] = lists.take(rows[np.argsort(-size[rows], kind="stable")][:SHOWN]).to_pylist()
        return found

    entered, left = (before == 0) & (after > 0), (after == 0) & (before > 0)
    stayed = (before > 0) & (after > 0) & (before != after)
    return {
        "items_entered": int(entered.sum()),
        "items_left": int(left.sum()),
        "entered": top(entered, after),
        "left": top(left, before),
        "moved": top(stayed, np.abs(after - before)),
    }
