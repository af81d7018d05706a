"""Lines that are no rows are rejected with their line and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import TableInput
from tests.tasks.raw import CSV, column, ingest, read, write


def test_lines_that_are_not_rows_are_rejected_with_their_line_and_reason(tmp_path: Path) -> None:
    lines = [b"user_id,item_id,timestamp", b"1,1,2023-01-01", b"1,2", b"", b"1,3,2023-01-01,9", b"1,\xff,2023-01-01",
             b'1,"4"x,2023-01-01', b"1,5,2023-01-01"]  # fmt: skip
    summary, out = ingest(tmp_path, write(tmp_path / "log.csv", b"\r\n".join(lines) + b"\r\n"))
    assert column(out, "item_id") == [1, 5]
    assert column(out, "source_row") == [2, 8]
    rejects = read(out, "rejects")
    assert rejects.select(["source_row", "reason", "text"]).to_pylist() == [
        {"source_row": 3, "reason": "ragged: 2 instead of 3 columns", "text": "1,2"},
        {"source_row": 5, "reason": "ragged: more than 3 columns", "text": "1,3,2023-01-01,9"},
        {"source_row": 6, "reason": "not valid UTF-8", "text": r"1,\xff,2023-01-01"},
        {"source_row": 7, "reason": "a stray or unclosed quote", "text": '1,"4"x,2023-01-01'},
    ]
    assert rejects["table"].to_pylist() == ["interactions"] * 4
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (2, 4, 1)


def test_lines_that_are_not_json_objects_are_rejected(tmp_path: Path) -> None:
    good = b'{"user_id": 1, "item_id": 2, "timestamp": "2023-01-01"}'
    lines = [good, b"", b"{oops", b"[1]", good[:-1] + b', "x": "\xff"}', b"   ", good]
    summary, out = ingest(tmp_path, write(tmp_path / "log.jsonl", b"\n".join(lines)))
    assert column(out, "source_row") == [1, 7]
    assert list(zip(column(out, "source_row", "rejects"), column(out, "reason", "rejects"), strict=True)) == [
        (3, "not a JSON object"), (4, "not a JSON object"), (5, "not valid UTF-8"), (6, "not a JSON object"),
    ]  # fmt: skip
    assert (summary["rows"], summary["rejects"], summary["blank_lines"]) == (2, 4, 1)


@pytest.mark.parametrize(("rows", "width"), [(5_000, 1), (300_000, 120)])  # within a buffer of the parser, and beyond
@pytest.mark.slow
def test_an_unclosed_quote_that_swallows_lines_stops_the_night(tmp_path: Path, rows: int, width: int) -> None:
    path = tmp_path / "log.csv"
    line = b"1,%s,1600000000\n" % (b"2" * width)
    path.write_bytes(b'user_id,item_id,timestamp\n1,2,1600000000\n1,"2,1600000000\n' + line * rows)
    with pytest.raises(DataRefused) as refused:
        ingest(tmp_path, TableInput(path=str(path)))
    assert str(refused.value).startswith(f"interactions: {path}, line 3: a quote that is never closed swallows ")


def test_two_stray_quotes_do_not_make_an_id_of_the_rows_between_them(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", 'user_id,item_id,timestamp\n1,"2,2023-01-01\n1,3,2023-01-01\n1,4",2023-01-01\n')
    with pytest.raises(
        DataRefused, match=r"line 2: item_id runs over several lines, as if a quote were open; close it"
    ):
        ingest(tmp_path, log)


def test_a_refused_line_is_one_line_whatever_characters_it_holds(tmp_path: Path) -> None:
    summary, out = ingest(tmp_path, write(tmp_path / "log.csv", CSV + "1,a\x1eb\u2028c\x85\n" + "3,4,2023-01-01,\n"))
    assert (summary["rows"], summary["rejects"]) == (3, 1)
    assert column(out, "text", "rejects") == ["1,a\x1eb\u2028c\x85"]
