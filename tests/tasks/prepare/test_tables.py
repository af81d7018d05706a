"""Interactions are written in the same row groups wherever ranges end."""

from pathlib import Path

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
