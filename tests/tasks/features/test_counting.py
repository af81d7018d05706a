"""Ranges of users that are counted apart come to what all rows say, wherever these lie and whoever counts."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data.layout import BASE, FIRST, SPLIT_END, interactions_file
from recmodels.data.pairs import Pairs, changes_file, dropped_file, numbers_file
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from tasks.features import counting
from tasks.features.activity import Activity
from tasks.features.counting import activity_of

USERS, ITEMS = 9, 5  # of the base; tonight there are one more each, in some place


@pytest.fixture(autouse=True)
def few_rows_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "bucket_count", lambda rows: 4)


def rows_of(random: np.random.Generator, users: int, items: int, n: int, repeated: bool = False) -> pa.Table:
    """Pairs by user and time; some have no weight."""
    user, item = np.unravel_index(random.choice(users * items, n, replace=False), (users, items))
    time = random.integers(1, 20, n)
    order = np.lexsort((time, user))
    columns = {"user_index": user[order].astype(np.int32), "item_index": item[order].astype(np.int32)}
    columns |= {"timestamp": time[order], "weight": random.integers(0, 3, n).astype(np.float32)}
    if repeated:  # of some pairs there were events before
        columns[FIRST] = np.maximum(time[order] - random.integers(0, 9, n), 0)
    table = pa.table(columns).replace_schema_metadata({SPLIT_END: "50"})
    for name in {"timestamp", FIRST} & {*columns}:
        times = table[name].cast(pa.timestamp("us", "UTC"))
        table = table.set_column(table.column_names.index(name), name, times)
    return table


def write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3)


def write_numbers(folder: Path, kind: str, random: np.random.Generator, n: int, gone: bool) -> np.ndarray:
    """Tonight's numbers of those of the base who stay: a new one has come among them."""
    numbers = np.delete(np.arange(n + 1, dtype=np.int32), random.integers(n + 1))
    staying = np.flatnonzero(random.random(n) < 0.7) if gone else np.arange(n)
    columns = {"base_index": staying.astype(np.int32), f"{kind}_index": numbers[staying]}
    write(folder / numbers_file(kind), pa.table(columns))
    return numbers[staying]


def continued(folder: Path, random: np.random.Generator) -> Pairs:
    """Rows of a base, of which some are dropped, and some that are new."""
    base = rows_of(random, USERS, ITEMS, 30, repeated=bool(random.integers(2)))
    write(folder / BASE / interactions_file("full"), base)
    for kind, n in ("user", USERS), ("item", ITEMS):
        write(folder / BASE / f"{kind}s.parquet", pa.table({f"{kind}_index": range(n)}))
    tonight = write_numbers(folder, "user", random, USERS, gone=True)
    write_numbers(folder, "item", random, ITEMS, gone=False)
    then = pq.read_table(folder / numbers_file("user"))["base_index"].to_numpy()
    user = base["user_index"].to_numpy()
    dropped = [
        (number, nth)
        for number, old in zip(tonight.tolist(), then.tolist(), strict=True)
        for nth in range(int((user == old).sum()))
        if random.random() < 0.3
    ]
    columns = dict(zip(("user_index", "nth"), np.array(dropped, np.int32).reshape(-1, 2).T, strict=True))
    write(folder / dropped_file("full"), pa.table(columns))
    added = rows_of(random, USERS + 1, ITEMS + 1, 8, repeated=bool(random.integers(2)))
    nth = pa.array([0] * len(added), pa.int32())
    write(folder / changes_file("full"), added.append_column("nth", nth))
    return Pairs(folder, "full")


def figures(activity: Activity) -> list[tuple[int, int, int]]:
    return [*zip(*(column.tolist() for column in (activity.count, activity.first, activity.last)), strict=True)]


def expected(pairs: Pairs, key: str, n: int) -> list[tuple[int, int, int]]:
    """Counts, first and last times, row after row."""
    rows = pairs.columns([key, "timestamp", FIRST if FIRST in pairs.names else "timestamp", "weight"])
    first = rows.get(FIRST, rows["timestamp"])
    times: list[list[int]] = [[] for _ in range(n)]
    columns = (rows[key], first, rows["timestamp"], rows["weight"])
    for number, begin, time, weight in zip(*(column.tolist() for column in columns), strict=True):
        if weight > 0:
            times[number] += [begin, time]
    return [(len(one) // 2, min(one, default=2**63 - 1), max(one, default=-(2**63))) for one in times]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("parted", [False, True])
def test_counts_are_those_of_all_rows(tmp_path: Path, seed: int, parted: bool) -> None:
    pairs = continued(tmp_path, np.random.default_rng(seed))
    with using(LocalEngine()):
        found = activity_of(pairs, USERS + 1, ITEMS + 1, tmp_path / "parts" if parted else None)
    assert figures(found[0]) == expected(pairs, "user_index", USERS + 1)
    assert figures(found[1]) == expected(pairs, "item_index", ITEMS + 1)
    assert len([*tmp_path.glob("parts/*")]) in ((0,) if not parted else range(2, 5))


@pytest.mark.parametrize("n", [0, 1, 30])
def test_a_file_of_all_rows_is_counted_as_it_is(tmp_path: Path, n: int) -> None:
    write(tmp_path / interactions_file("train"), rows_of(np.random.default_rng(0), USERS, ITEMS, n, repeated=True))
    pairs = Pairs(tmp_path, "train")
    found = activity_of(pairs, USERS, ITEMS)
    assert figures(found[0]) == expected(pairs, "user_index", USERS)
    assert figures(found[1]) == expected(pairs, "item_index", ITEMS)
