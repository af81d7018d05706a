"""Raw tables in parts: few, none changed by a file that is added after it, and one file where one is enough."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.ingest import table_parts
from tasks.ingest.reading.inputs import TableInput
from tasks.store.parts import parts
from tests.tasks.raw import HEADER, ingest


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_parts, "FULL", 4)


def _days(folder: Path, *rows: str) -> TableInput:
    """A file a day, of the days' `user,item` rows."""
    folder.mkdir()
    for day, pairs in enumerate(rows, 1):
        text = "".join(f"{pair},2023-01-{day:02}\n" for pair in pairs.split())
        (folder / f"{day:02}.csv").write_text(HEADER + text)
    return TableInput(path=str(folder))


def test_small_files_are_read_into_parts_of_several(tmp_path: Path) -> None:
    summary, out = ingest(tmp_path, _days(tmp_path / "log", "1,1 1,2 1,3", "2,1 2,2", "3,1 3,2 3,3 3,4 3,5", "4,1"))
    tables = [pq.read_table(path) for path in parts(out, "interactions")]
    assert [table["user_id"].to_pylist() for table in tables] == [[1, 1, 1, 2, 2], [3] * 5, [4]]
    assert [table["source_row"].to_pylist() for table in tables] == [[2, 3, 4, 2, 3], [2, 3, 4, 5, 6], [2]]
    assert summary["rows"] == 11
    assert [file["rows"] for file in summary["accounts"]["interactions"]["files"]] == [3, 2, 5, 1]
    assert not (out / "interactions.parquet").exists()


def test_a_table_of_one_part_is_one_file(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, _days(tmp_path / "log", "1,1 1,2 1,3", "2,1"))
    assert parts(out, "interactions") == [out / "interactions.parquet"]
    assert sorted(path.name for path in out.iterdir()) == ["interactions.parquet"]


def test_ids_that_turn_out_to_be_text_are_text_in_every_part(tmp_path: Path) -> None:
    _, out = ingest(tmp_path, _days(tmp_path / "log", "1,1 1,2 1,3 1,4", "2,1 2,2 2,3 2,4", "x7,1"))
    tables = [pq.read_table(path) for path in parts(out, "interactions")]
    assert [pa.types.is_string(table.schema.field("user_id").type) for table in tables] == [True] * 3
    assert tables[2]["user_id"].to_pylist() == ["x7"]
