"""What tells a file from what it was."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.ingest.known_files import print_of, unchanged

SIZE = 3 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.parquet"
    path.write_bytes(bytes(SIZE))
    return path


def _written_at(path: Path, place: int) -> None:
    """Change a byte, and set the time back."""
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("place", "found_out"),
    [
        (0, True), (65_535, True), (65_536, False),
        (SIZE // 17 + 4095, True), (SIZE // 17 + 4096, False),
        (SIZE - 65_537, False), (SIZE - 65_536, True), (SIZE - 1, True),
    ],
)  # fmt: skip
def test_what_is_written_behind_the_time_is_found_out_at_the_ends_and_in_some_blocks(
    path: Path, place: int, found_out: bool
) -> None:
    known = print_of(path)
    _written_at(path, place)
    assert (unchanged(known) is None) == found_out


def test_a_copy_is_what_it_was_if_all_of_it_is(path: Path, tmp_path: Path) -> None:
    known = print_of(path)
    shutil.copyfile(path, tmp_path / "copy")
    (tmp_path / "copy").replace(path)
    now = unchanged(known)
    assert now is not None and now.inode != known.inode and now.sha256 == known.sha256
    assert unchanged(now) is now
    assert unchanged(replace(now, mtime_ns=0, sha256="another")) is None


def test_a_file_that_is_longer_or_gone_is_not_what_it_was(path: Path) -> None:
    known = print_of(path)
    with path.open("ab") as file:
        file.write(b"x")
    assert unchanged(known) is None
    path.unlink()
    assert unchanged(known) is None
