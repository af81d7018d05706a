"""The lists of the candidates as they are read."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.lists.reader import read_lists


def test_lists_are_read_by_user_and_rank(tmp_path: Path) -> None:
    table = {
        "user_index": pa.array([2, 7, 7], pa.int32()),
        "rank": pa.array([1, 2, 1], pa.int16()),
        "item_index": pa.array([4, 6, 5], pa.int32()),
    }
    pq.write_table(pa.table(table), tmp_path / "lists.parquet")
    assert read_lists(tmp_path, np.array([2, 4, 7], np.int32), 2).tolist() == [[4, -1], [-1, -1], [5, 6]]
