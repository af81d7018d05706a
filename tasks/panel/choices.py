"""What users chose: counted by item over all pairs, of which those alone are held that are looked at one by one.

One range of users is read after the other, or each of them by a node of an engine. Counts and times are whole numbers:
what they come to does not depend on who counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Ints, Longs
from recmodels.data.pairs import Pairs
from recmodels.data.parquet import Array
from recmodels.engine.current import engine
from recmodels.engine.sizes import bucket_count
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import mapped, write_arrays
from tasks.store.versions import code_of

NEVER = np.iinfo(np.int64).max
PREPARED = "prepared"
OF_ITEMS, OF_ROWS = ("count", "recent", "first"), ("user", "item", "at", "began")


@dataclass(frozen=True, eq=False)
class Choices:
    """What users chose; excluded from training is what is no choice.

    Attributes:
        users: how many have chosen anything.
        count: how many users chose each item, [n_items].
        recent: how many chose it (again) in the last days, [n_items].
        first: when somebody first chose it, µs, `NEVER` where nobody has, [n_items].
        user: of the choices that are held, whose, ascending, [n].
        item: of which item, [n].
        at: when last, µs, [n].
        began: when first, µs, [n].
    """

    users: int
    count: Longs
    recent: Longs
    first: Longs
    user: Ints
    item: Ints
    at: Longs
    began: Longs


def choices_of(
    prepared: Path, n_users: int, n_items: int, followed: Ints, since: int, recent: int, parts: Path | None
) -> Choices:
    """What users chose up to the end of a night's data.

    Args:
        prepared: the night's prepared tables.
        n_users, n_items: of the night.
        followed: the users all of whose choices are held, ascending.
        since: choices that began then or later are held as well, µs.
        recent: the last days begin then, µs.
        parts: a folder for what an engine makes; without it all is counted here.
    """
    count, last, first = np.zeros(n_items, np.int64), np.zeros(n_items, np.int64), np.full(n_items, NEVER)
    users, rows = 0, list[list[Array]]()
    buckets = _buckets(prepared, n_users, n_items, followed, {"since": since, "recent": recent})
    for found in _worked(buckets, parts):
        items = found["items"]
        count[items] += found["count"]
        last[items] += found["recent"]
        first[items] = np.minimum(first[items], found["first"])
        users += int(found["users"][0])
        rows.append([found[name] for name in OF_ROWS])
    return Choices(users, count, last, first, *map(np.concatenate, zip(*rows, strict=True)))


def find_choices(work: Work) -> None:
    """What some users chose."""
    write_arrays(work.out, _found(work.inputs, work.arguments))


def _buckets(prepared: Path, n_users: int, n_items: int, followed: Ints, told: dict[str, int]) -> list[Bucket]:
    """Ranges of as many users each, with who of them is followed."""
    rows = pq.read_metadata(Pairs(prepared, "full").file).num_rows
    n = max(1, min(bucket_count(rows), n_users))
    edges = [n_users * number // n for number in range(n + 1)]
    return [
        Bucket(
            f"{number:05}",
            {PREPARED: prepared},
            {**told, "users": [first, end], "items": n_items, "followed": _between(followed, first, end).tolist()},
        )
        for number, (first, end) in enumerate(pairwise(edges))
    ]


def _between(users: Ints, first: int, end: int) -> Ints:
    low, high = np.searchsorted(users, [first, end])
    return users[low:high]


def _worked(buckets: list[Bucket], parts: Path | None) -> Iterator[Mapping[str, Array]]:
    """What each bucket has found."""
    if parts is None:
        yield from (_found(bucket.inputs, bucket.arguments) for bucket in buckets)
        return
    for part in engine().map(find_choices, buckets, parts, code=code_of(__name__)):
        yield {name: mapped(part, name) for name in ("users", "items", *OF_ITEMS, *OF_ROWS)}


def _found(inputs: Mapping[str, Path], told: Mapping[str, Any]) -> dict[str, Array]:
    """Of a range of users: how many chose anything, what each item of theirs got, and the choices that are held."""
    pairs, n_items = Pairs(inputs[PREPARED], "full"), told["items"]
    wanted = ["user_index", "item_index", "timestamp", "weight"]
    repeated = layout.FIRST in pairs.names
    table = pairs.columns([*wanted, *([layout.FIRST] if repeated else [])], np.arange(*told["users"], dtype=np.int32))
    chosen = table["weight"] > 0
    user, item, at = (table[name][chosen] for name in wanted[:3])
    began = table[layout.FIRST][chosen] if repeated else at
    count = np.bincount(item, minlength=n_items)
    first = np.full(n_items, NEVER)
    np.minimum.at(first, item, began)
    recent = np.bincount(item[at >= told["recent"]], minlength=n_items)
    items = np.flatnonzero(count).astype(np.int32)
    held = (began >= told["since"]) | np.isin(user, np.array(told["followed"], np.int32))
    of_items = {"items": items, "count": count[items], "recent": recent[items], "first": first[items]}
    of_rows = {"user": user[held], "item": item[held], "at": at[held], "began": began[held]}
    return {"users": np.array([np.count_nonzero(np.diff(user, prepend=-1))]), **of_items, **of_rows}
