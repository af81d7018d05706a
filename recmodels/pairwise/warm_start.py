"""Starting from a model that was trained before: the rows of users, items and terms that it knew are taken over.

Indices change from one dataset to the next; ids, and the names of terms, stay.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from recmodels.data.layout import ITEMS, PREPARED, USER_VOCABULARY, USERS, VOCABULARY, Split
from recmodels.options import WarmStart
from recmodels.persistence import load


def load_warm_start(model: Path, then: Path, now: Path, split: Split) -> WarmStart:
    """The saved `model`, trained on the features folder `then`, for one that will be on the folder `now`.

    Raises NightrecError where there is no model.
    """
    files = {
        "users": f"{PREPARED}/{USERS}",
        "items": f"{PREPARED}/{ITEMS}",
        "terms": f"{split}/{VOCABULARY}",
        "user_terms": f"{split}/{USER_VOCABULARY}",
    }
    rows = {name: aligned(_names(then / file), _names(now / file)) for name, file in files.items()}
    return WarmStart(load(model), rows)


def aligned(then: pa.Array, now: pa.Array) -> Ints:
    """The position in `then` of each of `now`, -1 where there is none: int32 [len(now)]. Nulls match nothing."""
    if then.type != now.type:
        return np.full(len(now), -1, np.int32)
    rows = pc.index_in(now, value_set=then, skip_nulls=True)
    found: Ints = pc.fill_null(rows, -1).to_numpy().astype(np.int32)
    return found


def _names(path: Path) -> pa.Array:
    """The ids, or terms, of an index, in the order of its rows; nothing where there is no such file."""
    if not path.exists():
        return pa.array([], pa.string())
    names = pq.read_schema(path).names
    wanted = ["column", "term"] if "term" in names else [next(name for name in names if name.endswith("_id"))]
    columns = [column.combine_chunks() for column in pq.read_table(path, columns=wanted)]
    return pc.binary_join_element_wise(*columns, "\n") if len(columns) > 1 else columns[0]
