"""What candidates listed for the measured users, and what these users did in the holdout."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.candidate_lists import LISTS
from recmodels.data import layout
from recmodels.data.arrays import Bools
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


def read_available(prepared: Path) -> Bools:
    """Which items may be recommended: bool [n_items]."""
    available: Bools = read_columns(prepared / layout.ITEMS, ["available"])["available"]
    return available
