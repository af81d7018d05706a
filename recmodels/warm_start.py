"""Starting from a model that was trained before: the rows of users, items and terms that it knew are taken over.

Indices change from one dataset to the next; ids, and the names of terms, stay. How much else has changed decides
whether it is worth to start from.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.data.arrays import Doubles, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.layout import (
    ITEMS,
    OF_VECTORS,
    PREPARED,
    USER_TERMS,
    USER_VOCABULARY,
    USERS,
    VOCABULARY,
    Split,
    vectors_of,
)
from recmodels.data.pairs import Pairs
from recmodels.data.parquet import read_rows
from recmodels.options import WarmStart
from recmodels.parted.shared import shared_arrays, state_of
from recmodels.persistence import load

COMPARED = 1000  # items whose vectors are compared with those of then
SAME = 0.9  # their mean cosine, above which the numbers of vectors mean what they meant


class Changed(NamedTuple):
    """Shares of today's pairs, users and items that an earlier night did not have."""

    rows: float
    """Pairs that are newer than its data, or of its own that are gone."""
    users: float
    items: float

    def most(self) -> tuple[str, float]:
        """What has changed most, and by how much."""
        return max(self._asdict().items(), key=lambda entry: float(entry[1]))


def changed(
    start: WarmStart, data: Dataset, then: Path, now: Path, split: Split, shared: Path | None = None
) -> Changed:
    """What is new in `data`, of the features folder `now`, to who was trained on the folder `then`.

    Users and items without interactions do not count. `shared`: where trainings on the same data leave it for others.
    """
    name = f"changed-{_between(then, now, split)}-{len(data)}"
    found = shared_arrays(shared, name, lambda: {"shares": np.array(_changed(start, data, then, now, split))})
    return Changed(*found["shares"].tolist())


def _changed(start: WarmStart, data: Dataset, then: Path, now: Path, split: Split) -> Changed:
    before, today = (Pairs(folder / PREPARED, split) for folder in (then, now))
    new = data.share_since(before.end)
    rows, rows_before = len(today), len(before)
    gone = max(0.0, rows_before / rows - (1 - new))
    users = np.diff(data.indptr) > 0
    new_users, new_items = start.rows["users"][users] < 0, start.rows["items"][data.known_items] < 0
    return Changed(new + gone, float(new_users.mean()), float(new_items.mean()))


def load_warm_start(model: Path, then: Path, now: Path, split: Split, shared: Path | None = None) -> WarmStart:
    """The saved `model`, trained on the features folder `then`, for one that will be on the folder `now`.

    `shared`: where trainings leave for others which rows are which.

    Raises NightrecError where there is no model.
    """
    rows = shared_arrays(shared, f"rows-{_between(then, now, split)}", lambda: _rows(then, now, split))
    of_vectors = _vector_rows(then, now, split, rows["items"])
    return WarmStart(load(model), dict(rows) | ({} if of_vectors is None else {"vectors": of_vectors}))


def _rows(then: Path, now: Path, split: Split) -> dict[str, Ints]:
    """Which rows of then are those of today's users, items and terms."""
    files = {
        "users": f"{PREPARED}/{USERS}",
        "items": f"{PREPARED}/{ITEMS}",
        "terms": f"{split}/{VOCABULARY}",
        "user_terms": f"{split}/{USER_VOCABULARY}",
    }
    rows = {name: aligned(_names(then / file), _names(now / file)) for name, file in files.items()}
    numbers = _numbers_of_vectors(now / split)
    if len(numbers) and not _same_user_vectors(then, now, split, rows["users"]):
        rows["user_terms"][numbers] = -1
    return rows


def described_rows(terms: Ints, vectors: Ints, n_then: int) -> Ints:
    """Where today's terms, and the numbers of vectors behind them, stood among `n_then` rows of an earlier model.

    Args:
        terms: the rows that today's terms had, -1 for new ones.
        vectors: those that the numbers of today's vectors had among theirs.
        n_then: terms and numbers of then.
    """
    behind = n_then - len(vectors)  # they are as many as then, or new
    return np.concatenate([terms, np.where(vectors >= 0, vectors + behind, -1)]).astype(np.int32)


def _vector_rows(then: Path, now: Path, split: Split, items: Ints) -> Ints | None:
    """Which numbers of the items' vectors are those of then: all, where the items' vectors have stayed; or none."""
    today = vectors_of(now, split)
    if today is None:
        return None
    new, before = np.full(today.shape[1], -1, np.int32), vectors_of(then, split)
    if before is None or before.shape[1] != today.shape[1]:
        return new
    both = np.flatnonzero(items >= 0)
    both = both[:: -(-len(both) // COMPARED) or 1]
    one, other = np.asarray(today[both], np.float64), np.asarray(before[items[both]], np.float64)
    return np.arange(len(new), dtype=np.int32) if _alike(one, other) else new


def _same_user_vectors(then: Path, now: Path, split: Split, users: Ints) -> bool:
    """Whether the numbers of users' vectors, which are terms of theirs, are those of then."""
    both = np.flatnonzero(users >= 0)[:COMPARED]  # side by side: of a large file few rows are read
    one, other = _user_vectors(now / split, both), _user_vectors(then / split, users[both])
    return one.shape == other.shape and _alike(one, other)


def _user_vectors(folder: Path, users: NDArray[np.integer[Any]]) -> Doubles:
    """The vectors of some users in the features of a split: [n, d]."""
    numbers, path = _numbers_of_vectors(folder), folder / USER_TERMS
    found = np.zeros((len(users), len(numbers)))
    if len(numbers) and path.exists():
        order = np.argsort(users)
        table = read_rows(path, ["user_index", "term_index", "weight"], "user_index", users[order])
        place = np.searchsorted(numbers, table["term_index"])
        of_vector = np.isin(table["term_index"], numbers)
        row = order[np.searchsorted(users[order], table["user_index"][of_vector])]
        found[row, place[of_vector]] = table["weight"][of_vector]
    return found


def _numbers_of_vectors(folder: Path) -> Longs:
    """Which of the users' terms are numbers of their vectors, ascending."""
    path = folder / USER_VOCABULARY
    if not path.exists():
        return np.empty(0, np.int64)
    return np.flatnonzero(pc.equal(pq.read_table(path, columns=["column"])["column"], OF_VECTORS))


def _alike(one: Doubles, other: Doubles) -> bool:
    """Whether vectors [n, d] point where others do, as far as there are both."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
    return len(cosines) > 0 and float(cosines.mean()) >= SAME


def _between(then: Path, now: Path, split: Split) -> str:
    return f"{split}-{state_of(then, split)}-{state_of(now, split)}"


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
