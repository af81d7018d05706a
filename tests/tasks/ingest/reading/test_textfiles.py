"""How many lines text files have, and what is copied of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.reading.textfiles import count_lines


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
