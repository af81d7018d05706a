"""Files that are joined are, to the byte, the file that one writer writes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.prepare import tables
from tasks.prepare.interactions import Rows
from tasks.prepare.joining import join
from tasks.prepare.tables import write_rows


def rows(n: int) -> Rows:
    random = np.random.default_rng(n)
    time = np.sort(random.integers(0, 10**15, n))
    return Rows(
        user=np.sort(random.integers(0, 1000, n)).astype(np.int32),
        item=random.integers(0, 50, n).astype(np.int32),
        timestamp=time,
        first=time - 5,
        weight=random.integers(1, 4, n).astype(np.float32),
        rating=np.where(random.random(n) < 0.5, np.nan, 3).astype(np.float32),
    )


@pytest.mark.parametrize("n", [0, 9, 10, 95, 400])  # also more row groups than a short list of Thrift's has
def test_a_joined_file_is_the_one_of_one_writer(tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS_A_GROUP", 5)
    every = rows(n)
    write_rows(tmp_path / "whole", [every], 77, began=True)
    files = []
    for begin in range(0, max(n, 1), 10):
        files.append(tmp_path / str(begin))
        write_rows(files[-1], [every.between(begin, begin + 10)], 77, began=True)
    join(files, tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "whole").read_bytes()
    assert pq.read_table(tmp_path / "joined")["user_index"].to_pylist() == every.user.tolist()


def test_any_kind_of_column_is_joined(tmp_path: Path) -> None:
    table = pa.table({"name": [f"n {n}" for n in range(40)], "yes": [n % 3 == 0 for n in range(40)]})
    options = {"compression": "zstd", "write_statistics": True, "write_page_index": True}
    for number in range(2):
        pq.write_table(table.slice(20 * number, 20), tmp_path / str(number), row_group_size=6, **options)
    join([tmp_path / "0", tmp_path / "1"], tmp_path / "joined")
    assert pq.read_table(tmp_path / "joined").equals(table)
