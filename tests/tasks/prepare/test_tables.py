"""Interactions are written in the same row groups wherever ranges end."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.prepare import tables
from tests.tasks.prepare.test_shelf import rows


@pytest.mark.parametrize("cuts", [[10], [4, 8], [0, 1, 2, 3, 9], [7, 7]])
def test_row_groups_do_not_know_where_ranges_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuts: list[int]
) -> None:
    monkeypatch.setattr(tables, "ROWS_A_GROUP", 4)
    whole = rows([*range(10)])
    tables.write_rows(tmp_path / "1.parquet", [whole], 5, began=False)
    ends = [*cuts, 10]
    ranges = [whole.between(begin, end) for begin, end in zip([0, *cuts], ends, strict=True)]
    tables.write_rows(tmp_path / "2.parquet", ranges, 5, began=False)
    assert (tmp_path / "2.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
    metadata = pq.read_metadata(tmp_path / "2.parquet")
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [4, 4, 2]


def test_a_table_without_rows_is_a_table(tmp_path: Path) -> None:
    tables.write_rows(tmp_path / "0.parquet", [rows([])], 5, began=True)
    assert pq.read_table(tmp_path / "0.parquet").num_rows == 0


def test_texts_that_no_one_array_could_hold_are_taken_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = pa.table({"item_id": [7, 5, 3], "text": ["seven", None, "three"], "price": [1.5, 2.5, None]})
    pq.write_table(items, tmp_path / "items.parquet")
    ids = pa.array([3, 4, 5, 7])
    for name, longest in ("1", 2**30), ("2", 5):
        monkeypatch.setattr(tables, "LONGEST", longest)
        tables.write_index(tmp_path / name, "item", ids, tmp_path / "items.parquet")
    found = pq.read_table(tmp_path / "2")
    assert found["text"].to_pylist() == ["three", None, None, "seven"]
    assert found["text"].type == pa.string() and found.equals(pq.read_table(tmp_path / "1"))
