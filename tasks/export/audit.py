"""The audit of an export: every rule of its contract, counted on the files as they were written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from expectations.exports import check_export
from recmodels.data import layout
from recmodels.data.arrays import Bools, Csr, Ints, Longs
from recmodels.data.dataset import Dataset, Repeats
from recmodels.published.schema import ADDED
from recmodels.ranking.rerank import Rules
from tasks.export.audit_exposure import Exposed
from tasks.export.audit_ids import Ids
from tasks.export.audit_items import check_columns, item_tables, whole_lists
from tasks.export.origins import origin_counts

COLUMNS = ["user_id", "rank", "item_id", "score", "source", "reason_item_id"]
CELLS = 2**25  # of users by items that are checked at a time


def audit(
    export: Path,
    features: Path,
    data: Dataset,
    k: int,
    *,
    repeats: Repeats,
    docs: Path | None = None,
    rules: Rules | None = None,
    published: pa.Array | None = None,
    older: bool = False,
) -> dict[str, Any]:
    """Count what breaks the contract, or the site's `rules`, in `export` and return the counts.

    `data` is the full split that the lists were made from; `docs` a folder of Data Docs that gets one more page.
    `published` are the users' ids in the export, in the order of the features, where they are not their own. An
    `older` export lacks the columns that were added since.
    Memory is bounded by the interactions and some two million rows of lists. With bounds of exposure, `exposure` is an
    `Exposed`, which refuses nothing by itself.

    Raises:
        ExportRefused: a rule of the export suite is broken.
    """
    check_columns(export, older=older)
    profile = profile_of(export, features, data, k, repeats=repeats, rules=rules, published=published)
    return judged(profile | item_tables(export, features, None if rules is None else rules.allowed), docs)


def judged(profile: dict[str, Any], docs: Path | None = None) -> dict[str, Any]:
    """All counts of an export, as they are; `docs` is a folder of Data Docs that gets one more page.

    Raises:
        ExportRefused: a rule of the export suite is broken.
    """
    counts = {name: count for name, count in profile.items() if name != "exposure"}
    check_export(counts, docs, docs.name if docs else "")
    return profile


def summed(profiles: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The counts of lists that were counted in parts (`profile_of` some users each), in the order of the parts."""
    whole = dict(profiles[0])
    for one in profiles[1:]:
        for name in one.keys() - {"k", "exposure"}:
            whole[name] += one[name]
        if "exposure" in one:
            whole["exposure"].join(one["exposure"])
    return whole


def profile_of(
    export: Path,
    features: Path,
    data: Dataset,
    k: int,
    *,
    repeats: Repeats,
    rules: Rules | None = None,
    published: pa.Array | None = None,
    users: Ints | None = None,
) -> dict[str, Any]:
    """The counts that the export suite judges; of the lists of some `users` alone, whose interactions `data` has."""
    audited = _Users.of(features, published, users)
    items = pq.read_table(features / "prepared" / layout.ITEMS, columns=["item_id", "available"])
    item_ids, available = items["item_id"].combine_chunks(), items["available"].to_numpy()
    listable = available & _possible(rules, len(available))
    seen = data.seen
    hidden = data.hidden(np.arange(data.n_users, dtype=np.int32), repeats) if repeats else seen
    seen_keys = _keys(seen)
    hidden_keys = _keys(hidden) if repeats else seen_keys
    has = np.diff(np.append(0, np.cumsum(listable[hidden.indices], dtype=hidden.indptr.dtype))[hidden.indptr])
    counts = dict.fromkeys(
        [
            "users_listed",
            "cold_users",
            "rows",
            "duplicate_items",
            "rank_gaps",
            "scores_not_finite",
            "scores_increasing",
            "users_unknown",
            "items_unknown",
            "items_unavailable",
            "items_seen",
            "items_excluded",
            "over_caps",
            "reasons_not_seen",
            "origins_unnamed",
            "arms_mixed",
            "propensities_wrong",
        ],
        0,
    )
    length = np.minimum(np.broadcast_to(listable.sum() - has, data.n_users), k)  # what each list should have
    if rules is not None and rules.lengths is not None:
        length = np.minimum(listable.sum() - has, rules.lengths)
    length = np.where(audited.has_list(data.n_users), length, 0)
    files = sorted((export / "topk").glob("*.parquet"))
    has_origins = bool(files) and set(ADDED) <= set(pq.read_schema(files[0]).names)
    exposed = None if rules is None or rules.bounds is None else Exposed(rules.bounds)
    for table in whole_lists(files, [*COLUMNS, *(ADDED if has_origins else ())]):
        user = audited.indices(table["user_id"])
        item = pc.fill_null(pc.index_in(table["item_id"], value_set=item_ids), -1).to_numpy()
        rank, score = table["rank"].to_numpy(), table["score"].to_numpy()
        new = np.diff(user, prepend=-2) != 0
        starts = np.flatnonzero(new)
        place = np.arange(len(user)) - np.repeat(starts, np.diff(starts, append=len(user)))
        key = user * data.n_items + item
        known = (user >= 0) & (item >= 0)
        ordered = np.sort(key[known])
        counts["users_listed"] += len(np.unique(user[known]))
        cold = pc.fill_null(pc.equal(table["source"].cast(pa.string()), "cold"), False).to_numpy()
        counts["cold_users"] += int(np.logical_and.reduceat(cold, starts).sum())  # the whole list is the fallback's
        counts["rows"] += len(user)
        counts["duplicate_items"] += int((ordered[1:] == ordered[:-1]).sum())
        counts["rank_gaps"] += int((rank != place + 1).sum())
        counts["scores_not_finite"] += int((~np.isfinite(score)).sum())
        counts["scores_increasing"] += int((~new[1:] & (score[1:] > score[:-1])).sum())
        counts["users_unknown"] += int((user < 0).sum())
        counts["items_unknown"] += int((item < 0).sum())
        counts["items_unavailable"] += int((~available[item[item >= 0]]).sum())
        counts["items_excluded"] += int((~listable[item[item >= 0]]).sum())
        if rules is not None and rules.categories is not None:
            counts["over_caps"] += _over_caps(_Pairs(user[known], item[known]), rules, listable, data, repeats, length)
        if exposed is not None:
            exposed.add(item, rank, table["source"])
        counts["items_seen"] += int(known.sum()) - _not_stored(key[known], hidden_keys)
        for name, count in origin_counts(table, new).items():
            counts[name] += count
        has_reason = pc.is_valid(table["reason_item_id"]).to_numpy()
        reason = pc.fill_null(pc.index_in(table["reason_item_id"], value_set=item_ids), -1).to_numpy()
        counts["reasons_not_seen"] += _not_stored(
            np.where(reason < 0, -1, user * data.n_items + reason)[has_reason], seen_keys
        )
    expected = {"k": k, "users_expected": int((length > 0).sum()), "rows_expected": int(length.sum())}
    return counts | expected | ({} if exposed is None else {"exposure": exposed})


class _Users:
    """Those whose lists are audited."""

    def __init__(self, ids: pa.Array, users: Ints | None) -> None:
        self.users = None if users is None else users.astype(np.int64)  # keys of users and items are products of them
        self.ids = ids if users is None else ids.take(pa.array(users))
        self.known = Ids(self.ids)

    @classmethod
    def of(cls, features: Path, published: pa.Array | None, users: Ints | None) -> Self:
        """By the ids of all users, which are read where they are not given, and indices; None: all of them."""
        if published is None:
            table = pq.read_table(features / "prepared" / layout.USERS, columns=["user_id"])
            published = table["user_id"].combine_chunks()
        return cls(published, users)

    def has_list(self, n_users: int) -> Bools:
        """Who should have one: those who have an id, as whoever was forgotten has not: bool [n_users]."""
        valid: Bools = self.ids.is_valid().to_numpy(zero_copy_only=False)
        if self.users is None:
            return valid
        expected = np.zeros(n_users, np.bool_)
        expected[self.users] = valid
        return expected

    def indices(self, ids: pa.ChunkedArray) -> Longs:
        """The index of each user, -1 for one of whom there should be no list here."""
        found = self.known.indices(ids)
        if self.users is None:
            return found
        indices: Longs = np.where(found < 0, -1, self.users[np.maximum(found, 0)])
        return indices


def _over_caps(
    listed: "_Pairs", rules: Rules, listable: Bools, data: Dataset, repeats: Repeats, length: "np.ndarray[Any, Any]"
) -> int:
    """How often a list has too many items of a category; `length` becomes shorter where the caps leave no more."""
    ends = listed.users[listed.filled(rules, listable, data, repeats, length)]
    length[ends] = listed.lengths(data.n_users)[ends]
    return listed.over(rules)


class _Pairs:
    """The lists of some users, to be judged by the caps of categories."""

    def __init__(self, user: Any, item: Any) -> None:
        self.user, self.item = user, item
        self.users, self.row = np.unique(user, return_inverse=True)

    def lengths(self, n_users: int) -> Any:
        return np.bincount(self.user, minlength=n_users)

    def lists(self, n_items: int) -> sp.csr_array:
        pairs = (np.ones(len(self.item), np.int32), (self.row, self.item))
        return sp.coo_array(pairs, shape=(len(self.users), n_items)).tocsr()

    def over(self, rules: Rules) -> int:
        """How many (user, category) pairs have more items than the cap."""
        of_item = _categories(rules)
        held = (self.lists(of_item.shape[0]) @ of_item).tocoo()
        return int((held.data > rules.caps[held.coords[1]]).sum())

    def filled(self, rules: Rules, listable: Bools, data: Dataset, repeats: Repeats, length: Any) -> Any:
        """Which of `users` have a shorter list than `length` because no other item that may be listed fits."""
        of_item = _categories(rules)
        lists = self.lists(of_item.shape[0])
        short = np.flatnonzero(self.lengths(data.n_users)[self.users] < length[self.users])
        done = np.zeros(len(self.users), np.bool_)
        step = max(1, CELLS // len(listable))
        for rows in (short[i : i + step] for i in range(0, len(short), step)):
            full = ((lists[rows] @ of_item).toarray() >= rules.caps).astype(np.int32)  # [b, n_categories]
            fits = listable & ~((of_item @ full.T).T > 0) & (lists[rows].toarray() == 0)  # [b, n_items]
            hidden = data.hidden(self.users[rows], repeats)
            fits[np.repeat(np.arange(len(rows)), np.diff(hidden.indptr)), hidden.indices] = False
            done[rows] = ~fits.any(axis=1)
        return done


def _possible(rules: Rules | None, n_items: int) -> Bools:
    """What the rules leave for any list at all: a cap of 0 keeps a category off all of them."""
    if rules is None:
        return np.ones(n_items, np.bool_)
    if rules.categories is None:
        return rules.allowed
    possible: Bools = rules.allowed & ~(_categories(rules) @ (rules.caps == 0).astype(np.int32) > 0)
    return possible


def _categories(rules: Rules) -> sp.csr_array:
    """Whether an item is in a category: int32 [n_items, n_categories]."""
    assert rules.categories is not None
    indptr, indices = rules.categories
    shape = (len(rules.allowed), len(rules.caps))
    return sp.csr_array((np.ones(len(indices), np.int32), indices, indptr), shape=shape)


def _keys(pairs: Csr) -> Longs:
    """A number for each stored (user, item), ascending: int64, and of that length nothing else is held meanwhile."""
    n_users, n_items = pairs.shape
    keys: Longs = np.repeat(np.arange(n_users, dtype=np.int64) * n_items, np.diff(pairs.indptr))
    keys += pairs.indices
    return keys


def _not_stored(keys: Longs, stored: Longs) -> int:
    """How many of the keys are not among the stored ones, which ascend."""
    if not len(stored):
        return len(keys)
    place = np.minimum(np.searchsorted(stored, keys), len(stored) - 1)
    return int((stored[place] != keys).sum())
