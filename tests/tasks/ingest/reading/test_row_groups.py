"""Rows keep their order and their lines from file to file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest.reading import row_groups
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.row_groups import Beside, Sink
from tests.tasks.raw import HEADER, column, ingest, read, write

ROWS = 2**20 + 50_000  # more than a row group has
BUFFER = 2**25  # bytes that the parser takes at a time
FAR = 10**9  # long ids make a long file of few rows


def test_lines_are_numbered_within_each_file(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    row = "1,2,2023-01-01\n"
    write(folder / "a.csv", HEADER + row + "short\n" + row)
    write(folder / "b.csv", HEADER + row + row)
    write(folder / "c.csv", HEADER + "\n\n" + row + "1,2,3,4\n" + row)
    summary, out = ingest(tmp_path, TableInput(path=str(folder)))
    files = [Path(file).name[0] for file in column(out, "source_file")]
    assert list(zip(files, column(out, "source_row"), strict=True)) == [
        ("a", 2), ("a", 4), ("b", 2), ("b", 3), ("c", 4), ("c", 6)
    ]  # fmt: skip
    assert column(out, "source_row", "rejects") == [3, 5]
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (6, 2, 2)


@pytest.mark.slow
def test_rows_keep_their_order_beyond_a_row_group_and_a_buffer_of_the_parser(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    duckdb.sql(
        f"SELECT {FAR} + range // 7 AS user_id, {FAR} + range AS item_id, 1600000000 + range % 1000 AS timestamp "
        f"FROM range({ROWS})"
    ).write_csv(str(path))
    assert path.stat().st_size > BUFFER
    summary, out = ingest(tmp_path, TableInput(path=str(path)))
    assert summary["rows"] == ROWS
    table = read(out)
    assert np.array_equal(table["item_id"].to_numpy(), FAR + np.arange(ROWS))
    assert np.array_equal(table["source_row"].to_numpy(), np.arange(2, ROWS + 2))
    assert {pq.ParquetFile(out / "interactions.parquet").metadata.row_group(i).num_rows <= 2**20 for i in range(2)} == {
        True
    }


def test_a_file_that_is_written_beside_what_is_read_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_groups, "MANY", 3)
    monkeypatch.setattr(row_groups, "ROW_GROUP", 4)
    with Beside() as beside:
        for path, thread in (tmp_path / "a", None), (tmp_path / "b", beside):
            with Sink(path, thread) as sink:
                for n in range(5):
                    sink.write(pa.table({"n": [n, n, n]}))
        beside.wait()
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
    groups = pq.read_metadata(tmp_path / "b")
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [4, 2, 4, 2, 3]


def test_what_cannot_be_written_beside_is_said_to_who_waits_for_it(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("no room")

    with Beside() as beside:
        beside.do(fail)
        with pytest.raises(OSError, match="no room"):
            beside.do(lambda: None)
        beside.wait()
