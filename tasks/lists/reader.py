"""What candidates listed for the measured users, and what these users did in the holdout."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recmodels.candidate_lists import LISTS
from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints, Truth
from recmodels.data.parquet import read_columns

SPREAD = 1e-6  # of scores, in proportion to them: less is no difference but rounding


def ranks_nothing(toplists: Path) -> bool:
    """Whether the scores of each list are all equal, so that its order is that of the items' ids.

    Items that the fallback supplied do not count, nor do lists of a single item.
    """
    listed = pq.read_table(toplists / LISTS, columns=["user_index", "score"], filters=~pc.field("cold"))
    by_user = listed.group_by("user_index").aggregate([("score", "min"), ("score", "max"), ("score", "count")])
    low, high = (by_user[f"score_{name}"].to_numpy() for name in ("min", "max"))
    several = by_user["score_count"].to_numpy() > 1
    return bool(several.any() and (high - low <= SPREAD * np.maximum(abs(low), abs(high)))[several].all())


def read_truth(prepared: Path) -> tuple[Ints, Truth]:
    """The users of the holdout, ascending [n], and what they did in it: bool [n, n_items]."""
    holdout = read_columns(prepared / layout.HOLDOUT, ["user_index", "item_index"])
    users, row = np.unique(holdout["user_index"], return_inverse=True)
    n_items = pq.read_metadata(prepared / layout.ITEMS).num_rows
    pairs = (row, holdout["item_index"])
    return users, sp.csr_array((np.ones(len(row), np.bool_), pairs), shape=(len(users), n_items))


def read_available(prepared: Path) -> Bools:
    """Which items may be recommended: bool [n_items]."""
    available: Bools = read_columns(prepared / layout.ITEMS, ["available"])["available"]
    return available


def read_lists(toplists: Path, users: np.ndarray[Any, np.dtype[np.int32]], k: int, file: str = LISTS) -> Ints:
    """The items of each user's list, -1 where it ends early: int32 [n_users, k]. `users` ascend."""
    listed = read_columns(toplists / file, ["user_index", "rank", "item_index"])
    items = np.full((len(users), k), -1, np.int32)
    row = np.searchsorted(users, listed["user_index"])
    rank = listed["rank"] - 1
    within = rank < k
    items[row[within], rank[within]] = listed["item_index"][within]
    return items
