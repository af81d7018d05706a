"""Text files before DuckDB reads them: their lines, and a copy in plain UTF-8 where that is needed."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import GZIP, head

_SAMPLE = 1 << 16
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Lines:
    """The lines of a text file: how many, which (from 1) are blank, and whether they end in different ways."""

    total: int
    blank: NDArray[np.int64]
    mixed: bool


def count_lines(path: Path) -> Lines:
    """Counts as fast as the file is read; exact, whatever a parser makes of the contents."""
    total = returns = 0
    blanks: list[NDArray[np.int64]] = []
    before, last = 0, b"\n"  # bytes of the unfinished line so far, and the file's last byte so far
    carried_return = False  # whether the unfinished line consists of a single \r
    for chunk in _chunks(path):
        data = np.frombuffer(chunk, np.uint8)
        ends = np.flatnonzero(data == 10)
        has_returns = b"\r" in chunk or last == b"\r"
        if ends.size:
            lengths = np.diff(ends, prepend=-1) - 1  # without the \n
            lengths[0] += before
            empty = lengths == 0
            if has_returns:
                ending = data[ends - 1] == 13
                ending[0] = data[ends[0] - 1] == 13 if ends[0] else last == b"\r"
                returns += int(ending.sum())
                empty |= (lengths == 1) & ending
            if empty.any():
                blanks.append(np.flatnonzero(empty) + total + 1)
            total += ends.size
            before = len(chunk) - int(ends[-1]) - 1
        else:
            before += len(chunk)
        last = bytes(chunk[-1:])
        carried_return = before == 1 and last == b"\r"
    ended = total
    if before:
        total += 1
        if carried_return:
            blanks.append(np.array([total]))
    blank = np.concatenate(blanks).astype(np.int64) if blanks else np.empty(0, np.int64)
    return Lines(total, blank, 0 < returns < ended)


def needs_copy(path: Path, encoding: str) -> bool:
    """Whether DuckDB could not read the file as it is: another encoding, or lines that end in `\\r` alone."""
    if codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig", "ascii"):
        return True
    start = head(path, _SAMPLE)
    lone = start.count(b"\r") - start.count(b"\r\n") - start.endswith(b"\r")
    return lone > 0 and start.count(b"\n") == 0


def write_copy(path: Path, encoding: str, copy: Path) -> None:
    """Write the same text in UTF-8 with lines that end in `\\n`.

    Invalid UTF-8 is copied as it is: it is found, and refused line by line, where the copy is read.

    Raises:
        DataRefused: bytes are not in the encoding.
    """
    plain = codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
    decoder = codecs.getincrementaldecoder("utf-8" if plain else encoding)("surrogateescape" if plain else "strict")
    held, line = "", 1
    with copy.open("wb") as out:

        def put(text: str) -> str:
            text, rest = (text[:-1], "\r") if text.endswith("\r") else (text, "")
            out.write(text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "surrogateescape"))
            return rest

        for chunk in _chunks(path):
            try:
                held = put(held + decoder.decode(chunk))
            except UnicodeDecodeError as error:
                line += chunk[: error.start].count(b"\n")
                raise DataRefused(
                    f"{path}, line {line}: the text is not {encoding} ({error.reason}); name its encoding or repair it."
                ) from None
            line += chunk.count(b"\n")
        out.write((held + decoder.decode(b"", True)).replace("\r", "\n").encode("utf-8", "surrogateescape"))


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP
        with cast(BinaryIO, gzip.open(path) if zipped else path.open("rb")) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataRefused(f"{path} is not a whole gzip file ({error}); copy or write it again.") from None
