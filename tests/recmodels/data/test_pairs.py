"""The rows of a split, in a file or as an earlier night's and what has changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import pairs as module
from recmodels.data.layout import BASE, SPLIT_END, interactions_file
from recmodels.data.pairs import Pairs, changes_file, dropped_file, numbers_file
from recmodels.errors import NightrecError

OLD = [(0, 0, 10), (0, 1, 20), (1, 0, 5), (1, 1, 6), (2, 2, 7), (4, 2, 1)]  # user, item, time; the user 3 has nothing
NAMES = ["user_index", "item_index", "timestamp", "weight", "first"]


def table(rows: list[tuple[int, ...]], end: int, *more: str) -> pa.Table:
    columns = dict(
        zip(("user_index", "item_index", "timestamp", *more), map(list, zip(*rows, strict=True)), strict=True)
    )
    types: dict[str, Any] = {name: pa.int32() for name in ("user_index", "item_index", "nth")}
    types |= {name: pa.timestamp("us", "UTC") for name in ("timestamp", "first")}
    made = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    weight = pa.array([1.0 + row[1] for row in rows], pa.float32())
    return made.append_column("weight", weight).replace_schema_metadata({SPLIT_END: str(end)})


def write(path: Path, content: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, path)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Of the base's users, 1 is gone, and a new one is in its place; one more is at the end; the item 1 is new."""
    write(tmp_path / BASE / interactions_file("full"), table(OLD, 50))
    for kind, n in ("user", 5), ("item", 3):
        write(tmp_path / BASE / f"{kind}s.parquet", pa.table({f"{kind}_index": range(n)}))
    numbers = {"user": ([0, 2, 3, 4], [0, 2, 3, 4]), "item": ([0, 1, 2], [0, 2, 3])}
    for kind, (then, now) in numbers.items():
        columns = {"base_index": pa.array(then, pa.int32()), f"{kind}_index": pa.array(now, pa.int32())}
        write(tmp_path / numbers_file(kind), pa.table(columns))
    changes = [(0, 2, 30, 20, 2), (1, 1, 8, 8, 0), (2, 0, 6, 6, 0), (2, 1, 9, 9, 1), (3, 3, 9, 2, 0), (5, 0, 3, 3, 0)]
    write(tmp_path / changes_file("full"), table(changes, 60, "first", "nth"))
    dropped = {"user_index": pa.array([0], pa.int32()), "nth": pa.array([1], pa.int32())}
    write(tmp_path / dropped_file("full"), pa.table(dropped))
    return tmp_path


EXPECTED = [
    (0, 0, 10, 1.0, 10),
    (0, 2, 30, 3.0, 20),
    (1, 1, 8, 2.0, 8),
    (2, 0, 6, 1.0, 6),
    (2, 3, 7, 3.0, 7),
    (2, 1, 9, 2.0, 9),
    (3, 3, 9, 4.0, 2),
    (4, 3, 1, 3.0, 1),
    (5, 0, 3, 1.0, 3),
]


@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_what_has_changed_is_in_its_place(prepared: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(module, "ROWS", rows)
    pairs = Pairs(prepared, "full")
    assert (pairs.whole, pairs.end, len(pairs)) == (False, 60, 9)
    assert pairs.names == ["user_index", "item_index", "timestamp", "weight", "first"]
    assert list(zip(*(column.tolist() for column in pairs.columns(NAMES).values()), strict=True)) == EXPECTED
    batches = [tuple(zip(*(batch[name].tolist() for name in NAMES), strict=True)) for batch in pairs.batches(NAMES)]
    assert len(batches) == -(-len(OLD) // rows)
    assert [row for batch in batches for row in batch] == EXPECTED


@pytest.mark.parametrize("users", [[0], [1], [0, 2, 5], [3, 4], [1, 3, 5, 6], []])
def test_the_rows_of_some_users_are_those_of_all(prepared: Path, users: list[int]) -> None:
    found = Pairs(prepared, "full").columns(NAMES, np.array(users, np.int32))
    rows = list(zip(*(column.tolist() for column in found.values()), strict=True))
    assert rows == [row for row in EXPECTED if row[0] in users]
    (prepared / numbers_file("user")).unlink()
    (prepared / numbers_file("item")).unlink()
    columns = Pairs(prepared, "full").columns(NAMES)
    found = Pairs(prepared, "full").columns(NAMES, np.array(users, np.int32))
    chosen = np.isin(columns["user_index"], users)
    assert {name: column.tolist() for name, column in found.items()} == {
        name: column[chosen].tolist() for name, column in columns.items()
    }


def test_users_and_items_have_their_numbers_of_the_base(prepared: Path) -> None:
    pairs = Pairs(prepared, "full")
    assert [pairs.base_number(user) for user in range(6)] == [0, -1, 2, 3, 4, -1]
    assert pairs.base_number(-1) == -1
    assert pairs.items(pairs.columns(["item_index"])["item_index"][:1]).tolist() == [0]
    for kind in ("user", "item"):
        (prepared / numbers_file(kind)).unlink()
    assert Pairs(prepared, "full").base_number(3) == 3


def test_a_base_without_rows_has_the_changes_alone(prepared: Path) -> None:
    write(prepared / BASE / interactions_file("full"), table(OLD, 50).slice(0, 0))
    write(prepared / dropped_file("full"), pq.read_table(prepared / dropped_file("full")).slice(0, 0))
    write(prepared / changes_file("full"), table([(0, 2, 30, 0), (5, 0, 3, 0)], 60, "nth"))
    found = Pairs(prepared, "full").columns(["user_index", "item_index", "timestamp"])
    assert {name: column.tolist() for name, column in found.items()} == {
        "user_index": [0, 5], "item_index": [2, 0], "timestamp": [30, 3]
    }  # fmt: skip


def test_a_file_of_all_rows_is_read_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / interactions_file("train"), table(OLD, 50))
    pairs = Pairs(tmp_path, "train")
    assert (pairs.whole, pairs.end, len(pairs), pairs.names) == (True, 50, 6, NAMES[:4])
    assert pairs.columns(["timestamp"])["timestamp"].tolist() == [row[2] for row in OLD]
    with pytest.raises(NightrecError, match="prepare the features first"):
        _ = Pairs(tmp_path, "full").names
