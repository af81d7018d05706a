"""Counting the interactions of a split, range of users after range of users, on the cores or an engine's nodes.

Each range is read where it lies: of a night that continues an earlier one (`recmodels.data.pairs`) that are the rows of
then, less those that are not there any more; the few that are new are counted at the end. Counts are whole numbers, and
so are times: what they come to does not depend on who counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from recmodels.compute.cores import threads
from recmodels.data.arrays import Ints, Longs
from recmodels.data.layout import BASE, FIRST, ITEMS, USERS
from recmodels.data.pairs import KEY, Pairs, changes_file, dropped_file, numbers_file
from recmodels.data.parquet import Array, as_numpy, read_columns
from recmodels.engine.current import engine
from recmodels.engine.sizes import bucket_count
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import mapped, write_arrays
from tasks.features.activity import Activity
from tasks.store.versions import code_of

COLUMNS = (KEY, "item_index", "timestamp", "weight")
_FIGURES = ("count", "first", "last")
_LAST = 2**31 - 1


def activity_of(pairs: Pairs, n_users: int, n_items: int, to: Path | None = None) -> tuple[Activity, Activity]:
    """What users, and items, have of interactions of positive weight.

    Args:
        pairs: of a split.
        n_users, n_items: of tonight.
        to: a folder for the parts of an engine's work; without it the cores of this machine count.
    """
    folder, split = pairs.prepared, pairs.split
    if pairs.whole:
        return _sums(_buckets(pairs.file, n_users, n_items, {}), n_users, n_items, to)
    kept = folder / BASE
    n_base = {kind: pq.read_metadata(kept / name).num_rows for kind, name in (("user", USERS), ("item", ITEMS))}
    changed = {"dropped": folder / dropped_file(split), "numbers": folder / numbers_file("user")}
    there = {name: path for name, path in changed.items() if path.exists()}
    buckets = _buckets(pairs.file, n_base["user"], n_base["item"], there)
    changes = folder / changes_file(split)
    added = read_columns(changes, _columns_in(pq.read_schema(changes).names))
    positive = added["weight"] > 0
    found = []
    counted = _sums(buckets, n_base["user"], n_base["item"], to)
    for kind, n, old in ("user", n_users, counted[0]), ("item", n_items, counted[1]):
        number = _numbers(folder / numbers_file(kind), kind, 0, n_base[kind])
        known = np.flatnonzero(old.known)
        activity = Activity.none(n)
        activity.merge(number[known], old.take(known))
        activity.add(added[f"{kind}_index"][positive], added["timestamp"][positive], _began(added)[positive])
        found.append(activity)
    return found[0], found[1]


def count_users(work: Work) -> None:
    """Count a range of users: their figures, and those of the items that they have."""
    first, end = work.arguments["users"]
    of_users, of_items = _counted(work.inputs, first, end, work.arguments["items"])
    items = np.flatnonzero(of_items.known)
    of_items = of_items.take(items)
    write_arrays(
        work.out,
        {f"user_{name}": getattr(of_users, name) for name in _FIGURES}
        | {f"item_{name}": getattr(of_items, name) for name in _FIGURES}
        | {"items": items},
    )


def _buckets(file: Path, n_users: int, n_items: int, changed: dict[str, Path]) -> list[Bucket]:
    """Ranges of users that begin where some row groups do."""
    about = pq.read_metadata(file)
    each = -(-about.num_row_groups // bucket_count(about.num_rows)) or 1
    starts = {first for first, _ in _users_of_groups(about)[each::each]}
    return [
        Bucket(f"{number:05}", {"rows": file} | changed, {"users": [first, end], "items": n_items})
        for number, (first, end) in enumerate(pairwise(sorted({0, n_users} | starts)))
    ]


def _users_of_groups(about: pq.FileMetaData) -> list[tuple[int, int]]:
    """The first and the last user of each row group; all of one that does not say."""
    column = about.schema.names.index(KEY)
    statistics = (about.row_group(group).column(column).statistics for group in range(about.num_row_groups))
    return [(found.min, found.max) if found and found.has_min_max else (0, _LAST) for found in statistics]


def _sums(buckets: list[Bucket], n_users: int, n_items: int, to: Path | None) -> tuple[Activity, Activity]:
    """What all buckets come to."""
    of_users, of_items = Activity.none(n_users), Activity.none(n_items)
    for bucket, (users, items, mine) in zip(buckets, _worked(buckets, to), strict=True):
        of_users.merge(slice(*bucket.arguments["users"]), users)
        of_items.merge(items, mine)
    return of_users, of_items


def _worked(buckets: list[Bucket], to: Path | None) -> Iterator[tuple[Activity, Longs | slice, Activity]]:
    """What each bucket says of its users, and of which items."""
    if to is None:
        with ThreadPoolExecutor(threads()) as pool:
            for users, items in pool.map(_of_bucket, buckets):
                yield users, slice(None), items
        return
    for part in engine().map(count_users, buckets, to, code=code_of(__name__)):
        users, mine = (Activity(*(mapped(part, f"{kind}_{name}") for name in _FIGURES)) for kind in ("user", "item"))
        yield users, mapped(part, "items"), mine


def _of_bucket(bucket: Bucket) -> tuple[Activity, Activity]:
    first, end = bucket.arguments["users"]
    return _counted(bucket.inputs, first, end, bucket.arguments["items"])


def _counted(paths: Mapping[str, Path], first: int, end: int, n_items: int) -> tuple[Activity, Activity]:
    """The figures of the users from one number to another, [end - first], and of all items."""
    rows = _rows(paths["rows"], first, end)
    numbers = _numbers(paths.get("numbers"), "user", first, end)
    keep = rows["weight"] > 0
    if "dropped" in paths:
        keep[_dropped(paths["dropped"], rows[KEY], numbers, first)] = False
    if (numbers < 0).any():
        keep &= (numbers >= 0)[rows[KEY] - first]
    if not keep.all():
        rows = {name: column[keep] for name, column in rows.items()}
    of_items = Activity.none(n_items)
    of_items.add(rows["item_index"], rows["timestamp"], _began(rows))
    return _of_users(rows, first, end), of_items


def _columns_in(there: Sequence[str]) -> list[str]:
    """The columns that are counted by, of a file with these; when pairs began only where some were repeated."""
    return [*COLUMNS, *([FIRST] if FIRST in there else [])]


def _began(rows: Mapping[str, Array]) -> Longs:
    """When each pair began, µs."""
    began: Longs = rows.get(FIRST, rows["timestamp"])
    return began


def _of_users(rows: Mapping[str, Array], first: int, end: int) -> Activity:
    """The figures of users whose rows are in order."""
    user, time = rows[KEY], rows["timestamp"]
    bounds = np.searchsorted(user, np.arange(first, end + 1, dtype=user.dtype))
    found = Activity.none(end - first)
    found.count[:] = np.diff(bounds)
    some = found.known
    if FIRST not in rows:
        found.first[some] = time[bounds[:-1][some]]
    elif some.any():
        found.first[some] = np.minimum.reduceat(rows[FIRST], bounds[:-1][some])
    found.last[some] = time[bounds[1:][some] - 1]
    return found


def _rows(path: Path, first: int, end: int) -> dict[str, Array]:
    """The rows of the users from one number to another."""
    with pq.ParquetFile(path) as file:
        users = enumerate(_users_of_groups(file.metadata))
        groups = [group for group, (least, most) in users if least < end and most >= first]
        table = file.read_row_groups(groups, _columns_in(file.schema_arrow.names), use_threads=False)
    rows = {name: as_numpy(table[name]) for name in table.column_names}
    low, high = np.searchsorted(rows[KEY], np.array([first, end], rows[KEY].dtype))
    return {name: column[low:high] for name, column in rows.items()}


def _numbers(path: Path | None, kind: str, first: int, end: int) -> Longs:
    """Tonight's number of each user (or item) of the base from one number to another, -1 for those that are gone."""
    if path is None or not path.exists():
        return np.arange(first, end)
    table = read_columns(path, ["base_index", f"{kind}_index"])
    low, high = np.searchsorted(table["base_index"], [first, end])
    numbers = np.full(end - first, -1, np.int64)
    numbers[table["base_index"][low:high] - first] = table[f"{kind}_index"][low:high]
    return numbers


def _dropped(path: Path, user: Ints, numbers: Longs, first: int) -> Longs:
    """Which of some users' rows, in order, are not there any more."""
    staying = np.flatnonzero(numbers >= 0)
    if not len(staying):
        return staying
    dropped = read_columns(path, [KEY, "nth"])
    low, high = np.searchsorted(dropped[KEY], [numbers[staying[0]], numbers[staying[-1]] + 1])
    whose = staying[np.searchsorted(numbers[staying], dropped[KEY][low:high])]
    found: Longs = np.searchsorted(user, (whose + first).astype(user.dtype)) + dropped["nth"][low:high]
    return found
