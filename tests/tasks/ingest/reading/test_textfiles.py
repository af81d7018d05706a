"""How many lines text files have, and what is copied of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.reading import packing
from tasks.ingest.reading.textfiles import contained, count_lines
from tests.tasks.raw import CSV, HEADER, column, ingest, read, write


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["", "a", "\r", "ab\r", "\r\r", "x" * 9]), max_size=40), st.booleans())
def test_lines_are_counted_as_they_are(tmp_path_factory: pytest.TempPathFactory, lines: list[str], ended: bool) -> None:
    path = tmp_path_factory.mktemp("lines") / "text"
    path.write_bytes(("\n".join(lines) + ("\n" if ended else "")).encode())
    physical = path.read_bytes().split(b"\n")
    physical = physical[:-1] if physical[-1] == b"" else physical
    counted = count_lines(path)
    assert counted.total == len(physical)
    assert counted.blank.tolist() == [n for n, line in enumerate(physical, 1) if line in (b"", b"\r")]


ENDS = {"\\n": "\n", "\\r\\n": "\r\n", "\\r": "\r", "\\r\\r\\n": "\r\r\n"}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_lines_may_end_in_any_way(tmp_path: Path, end: str, last: bool, encoding: str) -> None:
    text = CSV.replace("\n", end)
    log = write(tmp_path / "log.csv", (text if last else text.removesuffix(end)).encode(encoding))
    summary, out = ingest(tmp_path, log)
    assert (column(out, "user_id"), summary["rejects"]) == ([1, 2], 0)


@pytest.mark.parametrize("ends", [("\n", "\r\n"), ("\r\n", "\n"), ("\n", "\r"), ("\r", "\n")])
def test_lines_may_end_in_different_ways(tmp_path: Path, ends: tuple[str, str]) -> None:
    lines = [HEADER.strip(), *(f"{i},1,2023-01-01" for i in range(9))]
    log = write(tmp_path / "log.csv", "".join(f"{line}{ends[i > 5]}" for i, line in enumerate(lines)))
    summary, out = ingest(tmp_path, log)
    assert (column(out, "user_id"), summary["rejects"]) == (list(range(9)), 0)


SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\x00"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_ends_lines_elsewhere_is_part_of_a_value(tmp_path: Path, form: str) -> None:
    names = [f"a{separator}b" for separator in SEPARATORS]
    if form == "csv":
        text = "".join(f"{name},1,2023-01-01\n" for name in names) + "".join(f"{name},1\n" for name in names)
        log = write(tmp_path / "log.csv", HEADER + text)
    else:
        rows = [{"user_id": name, "item_id": 1, "timestamp": "2023-01-01"} for name in names]
        lines = "".join(json.dumps(row, ensure_ascii=False).replace("\0", "\\u0000") + "\n" for row in rows[:-1])
        log = write(tmp_path / "log.jsonl", lines + "".join(f"{name} is no JSON\n" for name in names))
    summary, out = ingest(tmp_path, log)
    assert summary["rejects"] == len(names)
    assert column(out, "user_id") == (names if form == "csv" else names[:-1])


@pytest.mark.parametrize(
    ("name", "whole", "cut", "reason"),
    [
        ("log.csv", CSV, "3,30", "ragged: 2 instead of 4 columns"),
        ("log.csv", CSV, '3,"30', "a stray or unclosed quote"),
        ("log.jsonl", '{"user_id": 1, "item_id": 1, "timestamp": "2023-01-01"}\n', '{"user_id', "not a JSON object"),
    ],
)  # fmt: skip
def test_a_file_that_is_cut_in_a_line_is_said_to_be(
    tmp_path: Path, name: str, whole: str, cut: str, reason: str
) -> None:
    last = whole.count("\n") + 1
    summary, out = ingest(tmp_path, write(tmp_path / name, whole + cut))
    assert summary["notes"] == [f"interactions: {name} ends in the middle of line {last}: it seems to be cut short"]
    (reject,) = read(out, "rejects").to_pylist()
    assert (reject["source_row"], reject["text"]) == (last, cut)
    assert reject["reason"] == f"{reason}; the file seems to be cut short here"
    summary, _ = ingest(tmp_path, write(tmp_path / name, f"{whole}{cut}\n"))
    assert summary["notes"] == []


def test_a_very_long_line_is_a_reject(tmp_path: Path) -> None:
    summary, out = ingest(
        tmp_path, write(tmp_path / "log.csv", f"{CSV}3,{'x' * 3_000_000},2023-01-01,1\n4,1,2023-01-01,1\n")
    )
    assert column(out, "source_row") == [2, 3, 5]
    assert read(out, "rejects")["reason"].to_pylist() == ["longer than two million bytes"]
    assert summary["rejects"] == 1


def test_texts_are_found_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "CHUNK", 7)
    path = tmp_path / "text"
    for before in range(10):
        path.write_bytes(b"x" * before + b'"event": 1')
        assert contained(path, [b'"event"', b'"rating"']) == {b'"event"'}
    assert contained(path, []) == set()
