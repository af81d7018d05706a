"""How text files are written, and how many lines they have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.textfiles import count_lines
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


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["", "a", "\r", "ab\r", "\r\r", "x" * 9]), max_size=40), st.booleans())
def test_lines_are_counted_as_they_are(tmp_path_factory: pytest.TempPathFactory, lines: list[str], ended: bool) -> None:
    path = tmp_path_factory.mktemp("lines") / "text"
    path.write_bytes(("\n".join(lines) + ("\n" if ended else "")).encode())
    physical = path.read_bytes().split(b"\n")
    physical = physical[:-1] if physical[-1] == b"" else physical
    counted = count_lines(path)
    assert counted.total == len(physical)
    assert counted.blank.tolist() == [n for n, line in enumerate(physical, 1) if line in (b"", b"\r")]
