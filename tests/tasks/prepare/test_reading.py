"""The number of ranges follows from the rows and the memory."""

from pathlib import Path

import pytest

from tasks.prepare import reading
from tasks.prepare.reading import read_ranges
from tests.tasks.prepared import LOOSE
from tests.tasks.site import events, write_valid_tables


def test_more_ranges_are_taken_where_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "RESERVED", 0)
    log = events([(user, item, 30 - user) for user in range(20) for item in range(5)])  # 100 rows
    valid = write_valid_tables(tmp_path / "valid", interactions=log)
    needed = 100 * reading.A_ROW  # by ranges; half of it all at once, for which there is half of the memory
    for memory, expected in ((needed, 1), (needed - 2, 3), (needed // 2, 4), (needed // 20, 20)):
        (folder := tmp_path / str(memory)).mkdir()
        assert read_ranges(valid, LOOSE, memory, folder).n == expected
