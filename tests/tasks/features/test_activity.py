"""Interactions that are read a batch at a time say the same as all at once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import pairs
from recmodels.data.layout import interactions_file
from recmodels.data.parquet import arrow_table
from tasks.features import activity
from tasks.features.activity import Activity, Sequences, positives

USERS = [1, 1, 1, 2, 4, 4, 4, 4, 4, 5, 7]  # of nine: the first, the last and two others have nothing
ITEMS = [0, 3, 1, 2, 0, 1, 2, 3, 0, 3, 1]
WEIGHT = [1, 0, 1, 1, 1, 1, 0, 2, 1, 0, 1]


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 4, 100])
def test_batches_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    monkeypatch.setattr(activity, "ROWS", rows_at_once)
    monkeypatch.setattr(pairs, "ROWS", rows_at_once)
    times = pa.array(range(100, 111), pa.timestamp("us", "UTC"))
    log = {"user_index": pa.array(USERS, pa.int32()), "item_index": pa.array(ITEMS, pa.int32()), "timestamp": times}
    path = tmp_path / interactions_file("full")
    path.parent.mkdir()
    pq.write_table(pa.table(log | {"weight": pa.array(WEIGHT, pa.float32())}), path)
    of_items, batches = Activity(5), 0
    with Sequences(tmp_path / "sequences.parquet", 9) as sequences:
        for rows in positives(pairs.Pairs(tmp_path, "full")):
            sequences.add(rows)
            of_items.add(rows["item_index"].to_numpy(), rows["timestamp"].to_numpy())
            batches += 1
    assert batches == -(-len(USERS) // rows_at_once)
    found = pq.read_table(tmp_path / "sequences.parquet").to_pylist()
    assert [row["user_index"] for row in found] == [*range(9)]
    assert [row["item_index"] for row in found] == [[], [0, 1], [2], [], [0, 1, 3, 0], [], [], [1], []]
    assert [time.microsecond for time in found[4]["timestamp"]] == [104, 105, 107, 108]
    table = of_items.table("item_index", 108 + 86_400_000_000, {}).to_pylist()
    assert [row["interactions"] for row in table] == [3, 3, 1, 1, 0]
    assert of_items.known.tolist() == [True, True, True, True, False]
    assert table[0]["recency_days"] == 1.0 and table[4]["recency_days"] is None
    np.testing.assert_allclose([row["popularity"] for row in table], np.array([3, 3, 1, 1, 0]) / 8, rtol=1e-6)


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 4, 100])
def test_the_bytes_do_not_depend_on_what_is_added_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(activity, "ROWS", rows_at_once)
    columns = {"user_index": np.array(USERS, np.int32), "item_index": np.array(ITEMS, np.int32)}
    rows = arrow_table(columns | {"timestamp": np.arange(100, 111)})
    for step in range(1, 12):
        with Sequences(tmp_path / f"{step}.parquet", 9) as sequences:
            for begin in range(0, len(rows), step):
                sequences.add(rows.slice(begin, step))
    assert pq.read_table(tmp_path / "1.parquet")["item_index"].to_pylist()[4] == [0, 1, 2, 3, 0]
    assert len({(tmp_path / f"{step}.parquet").read_bytes() for step in range(1, 12)}) == 1


def test_nothing_is_left_open_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Sequences(tmp_path / "sequences.parquet", 9):
        raise ZeroDivisionError
    assert not (tmp_path / "sequences.parquet").exists()
