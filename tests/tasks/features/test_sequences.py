"""Sequences are written for those who ask: the users' items in order of time, as the prepared rows have them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import pairs
from recmodels.data.layout import interactions_file
from recmodels.data.pairs import Pairs
from recmodels.data.parquet import arrow_table
from tasks.features import sequences
from tasks.features.sequences import Sequences, write_sequences

USERS = [1, 1, 1, 2, 4, 4, 4, 4, 4, 5, 7]  # of nine: the first, the last and two others have nothing
ITEMS = [0, 3, 1, 2, 0, 1, 2, 3, 0, 3, 1]
WEIGHT = [1, 0, 1, 1, 1, 1, 0, 2, 1, 0, 1]


@pytest.fixture
def log(tmp_path: Path) -> Pairs:
    times = pa.array(range(100, 111), pa.timestamp("us", "UTC"))
    rows = {"user_index": pa.array(USERS, pa.int32()), "item_index": pa.array(ITEMS, pa.int32()), "timestamp": times}
    path = tmp_path / interactions_file("full")
    path.parent.mkdir()
    pq.write_table(pa.table(rows | {"weight": pa.array(WEIGHT, pa.float32())}), path)
    return Pairs(tmp_path, "full")


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 4, 100])
def test_batches_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Pairs, rows_at_once: int) -> None:
    monkeypatch.setattr(sequences, "ROWS", rows_at_once)
    monkeypatch.setattr(pairs, "ROWS", rows_at_once)
    write_sequences(tmp_path / "sequences.parquet", log, 9)
    found = pq.read_table(tmp_path / "sequences.parquet").to_pylist()
    assert [row["user_index"] for row in found] == [*range(9)]
    assert [row["item_index"] for row in found] == [[], [0, 1], [2], [], [0, 1, 3, 0], [], [], [1], []]
    assert [time.microsecond for time in found[4]["timestamp"]] == [104, 105, 107, 108]


def test_they_are_what_the_documentation_makes_of_the_prepared_rows(tmp_path: Path, log: Pairs) -> None:
    write_sequences(tmp_path / "sequences.parquet", log, 9)
    rows = pd.DataFrame(log.columns(["user_index", "item_index", "timestamp", "weight"])).query("weight > 0")
    expected = rows.groupby("user_index")["item_index"].agg(list)
    found = pq.read_table(tmp_path / "sequences.parquet").to_pandas().set_index("user_index")["item_index"]
    assert {user: [*items] for user, items in found.items() if len(items)} == expected.to_dict()


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 4, 100])
def test_the_bytes_do_not_depend_on_what_is_added_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(sequences, "ROWS", rows_at_once)
    columns = {"user_index": np.array(USERS, np.int32), "item_index": np.array(ITEMS, np.int32)}
    rows = arrow_table(columns | {"timestamp": np.arange(100, 111)})
    for step in range(1, 12):
        with Sequences(tmp_path / f"{step}.parquet", 9) as writer:
            for begin in range(0, len(rows), step):
                writer.add(rows.slice(begin, step))
    assert pq.read_table(tmp_path / "1.parquet")["item_index"].to_pylist()[4] == [0, 1, 2, 3, 0]
    assert len({(tmp_path / f"{step}.parquet").read_bytes() for step in range(1, 12)}) == 1


def test_nothing_is_left_open_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Sequences(tmp_path / "sequences.parquet", 9):
        raise ZeroDivisionError
    assert not (tmp_path / "sequences.parquet").exists()
