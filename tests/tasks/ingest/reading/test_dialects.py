"""How CSV files are written: delimiters, quotes, headers."""

from __future__ import annotations

from pathlib import Path

from tasks.ingest.reading.inputs import Inputs, TableInput
from tests.tasks.raw import CSV, column, ingest, read, write


def test_files_without_a_header_are_read_by_the_names_given(tmp_path: Path) -> None:
    table = write(tmp_path / "log.csv", "7 1600000000 8\n").model_copy(
        update={"header": ["user_id", "timestamp", "item_id"], "delimiter": " "}
    )
    _, out = ingest(tmp_path, table)
    assert read(out).select(["user_id", "item_id", "source_row"]).to_pylist() == [
        {"user_id": 7, "item_id": 8, "source_row": 1}
    ]


def test_quotes_are_text_where_there_is_no_quoting(tmp_path: Path) -> None:
    items = TableInput(path=str(tmp_path / "items.dat"), quote=None, encoding="latin-1", delimiter="::")
    (tmp_path / "items.dat").write_bytes('item_id::title\n1::"Caf\xe9\n2::a"b\n'.encode("latin-1"))
    _, out = ingest(tmp_path, Inputs(interactions=write(tmp_path / "log.csv", CSV), items=items))
    assert column(out, "title", "items") == ['"Café', 'a"b']
