"""Interactions that are read a batch at a time say the same as all at once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import pairs
from recmodels.data.layout import interactions_file
from tasks.features.activity import Activity
from tasks.features.sequences import positives

USERS = [1, 1, 1, 2, 4, 4, 4, 4, 4, 5, 7]  # of nine: the first, the last and two others have nothing
ITEMS = [0, 3, 1, 2, 0, 1, 2, 3, 0, 3, 1]
WEIGHT = [1, 0, 1, 1, 1, 1, 0, 2, 1, 0, 1]


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 4, 100])
def test_batches_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    monkeypatch.setattr(pairs, "ROWS", rows_at_once)
    times = pa.array(range(100, 111), pa.timestamp("us", "UTC"))
    log = {"user_index": pa.array(USERS, pa.int32()), "item_index": pa.array(ITEMS, pa.int32()), "timestamp": times}
    path = tmp_path / interactions_file("full")
    path.parent.mkdir()
    pq.write_table(pa.table(log | {"weight": pa.array(WEIGHT, pa.float32())}), path)
    of_items, batches = Activity(5), 0
    for rows in positives(pairs.Pairs(tmp_path, "full")):
        of_items.add(rows["item_index"].to_numpy(), rows["timestamp"].to_numpy())
        batches += 1
    assert batches == -(-len(USERS) // rows_at_once)
    table = of_items.table("item_index", 108 + 86_400_000_000, {}).to_pylist()
    assert [row["interactions"] for row in table] == [3, 3, 1, 1, 0]
    assert of_items.known.tolist() == [True, True, True, True, False]
    assert table[0]["recency_days"] == 1.0 and table[4]["recency_days"] is None
    np.testing.assert_allclose([row["popularity"] for row in table], np.array([3, 3, 1, 1, 0]) / 8, rtol=1e-6)
