"""A Parquet file has the same bytes whatever pieces its rows come in."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.store.row_groups import RowGroups

ROWS = pa.table({"n": [*range(10), None], "text": [*"abcaabbcabc"]})


@pytest.mark.parametrize("ends", [[11], [4, 8, 11], [1, 10, 11], [0, 3, 8, 8, 11]])
def test_row_groups_are_of_one_length_whatever_pieces_rows_come_in(tmp_path: Path, ends: list[int]) -> None:
    for name, cuts in (("whole", [11]), ("pieces", ends)):
        with RowGroups(tmp_path / name, ROWS.schema, 4) as file:
            for begin, end in pairwise([0, *cuts]):
                file.write(ROWS.slice(begin, end - begin))
    about = pq.read_metadata(tmp_path / "pieces")
    assert [about.row_group(number).num_rows for number in range(about.num_row_groups)] == [4, 4, 3]
    assert pq.read_table(tmp_path / "pieces").equals(ROWS)
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_file_without_rows_has_their_schema(tmp_path: Path) -> None:
    with RowGroups(tmp_path / "none", ROWS.schema, 4):
        pass
    assert pq.read_table(tmp_path / "none").equals(ROWS.slice(0, 0))
