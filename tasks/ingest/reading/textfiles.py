"""Text files before DuckDB reads them: their lines, and a copy in plain UTF-8 where that is needed."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recmodels.errors import DataRefused
from tasks.ingest.reading.packing import chunks

NAME_IT = 'if it is of another encoding, name it (encoding = "latin-1" or --encoding latin-1, for example)'
OTHERWISE = f"{NAME_IT}, or repair it"


@dataclass(frozen=True)
class Lines:
    """The lines of a text file: how many, which (from 1) are blank, and how they end.

    `mixed`: in different ways; `cut`: the last line is not ended, as where a file is cut short.
    """

    total: int
    blank: NDArray[np.int64]
    mixed: bool
    cut: bool


def count_lines(path: Path) -> Lines:
    """Counts as fast as the file is read; exact, whatever a parser makes of the contents."""
    total = returns = all_returns = 0
    blanks: list[NDArray[np.int64]] = []
    before, last = 0, b"\n"  # bytes of the unfinished line so far, and the file's last byte so far
    carried_return = False  # whether the unfinished line consists of a single \r
    for chunk in chunks(path):
        data = np.frombuffer(chunk, np.uint8)
        is_end = data == 10
        has_returns = b"\r" in chunk or last == b"\r"
        if not (has_returns or (is_end[0] and not before) or (is_end[1:] & is_end[:-1]).any()):  # no line is blank
            total += int(np.count_nonzero(is_end))
            begun = len(chunk) - 1 - chunk.rfind(b"\n")
            before = begun if begun < len(chunk) else before + begun
            last, carried_return = bytes(chunk[-1:]), False
            continue
        all_returns += chunk.count(b"\r") if has_returns else 0
        ends = np.flatnonzero(is_end)
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
    return Lines(total, blank, 0 < returns < ended or returns < all_returns, before > 0)


def contained(path: Path, texts: Collection[bytes]) -> set[bytes]:
    """Which of some short texts a file holds anywhere; faster than to take its lines apart."""
    found: set[bytes] = set()
    longest = max(map(len, texts), default=0)
    end = b""  # of the chunk before: a text may lie across
    for chunk in chunks(path):
        found |= {text for text in texts if text not in found and (text in chunk or text in end + chunk[:longest])}
        if len(found) == len(texts):
            break
        end = (end + chunk[-longest:])[-longest:]
    return found


def needs_copy(start: bytes, encoding: str) -> bool:
    """Whether DuckDB could not read a file that starts so: another encoding, or lines that end in `\\r` alone."""
    if not _is_utf8(encoding):
        return True
    lone = start.count(b"\r") - start.count(b"\r\n") - start.endswith(b"\r")
    return lone > 0 and start.count(b"\n") == 0


def write_copy(path: Path, encoding: str, copy: Path) -> None:
    """Write the same text in UTF-8, without a mark, with lines that end in `\\n`.

    Invalid UTF-8 is copied as it is: it is found, and refused line by line, where the copy is read.

    Raises:
        DataRefused: bytes are not in the encoding.
    """
    plain = _is_utf8(encoding)
    decoder = codecs.getincrementaldecoder("utf-8-sig" if plain else encoding)("surrogateescape" if plain else "strict")
    line = 1
    held = ""  # a \r that may be the first half of a \r\n
    with copy.open("wb") as out:
        for chunk in _and_end(chunks(path)):
            try:
                text = held + decoder.decode(chunk, not chunk)
            except UnicodeError as error:
                known = error.object[: error.start].count(b"\n") if isinstance(error, UnicodeDecodeError) else 0
                raise DataRefused(
                    f"{path}, line {line + known}: the text is not {encoding} ({_reason(error)}); {OTHERWISE}."
                ) from None
            text, held = (text[:-1], "\r") if chunk and text.endswith("\r") else (text, "")
            text = text.replace("\r\n", "\n").replace("\r", "\n")
            line += text.count("\n")
            out.write(text.encode("utf-8", "surrogateescape"))


def raw_lines(path: Path, numbers: Collection[int]) -> dict[int, str]:
    """Some lines of a file (from 1) as they are, with bytes that are not UTF-8 as `\\xe9`."""
    found: dict[int, str] = {}
    number, begun = 1, b""
    for chunk in _and_end(chunks(path)):
        *whole, begun = (begun + chunk).split(b"\n") if chunk else (begun, b"")
        for line in whole:
            if number in numbers:
                found[number] = line.removesuffix(b"\r").decode("utf-8", "backslashreplace")
            number += 1
    return found


def refuse_garbled(path: Path, start: bytes, encoding: str) -> None:
    """Raise DataRefused where the first line of a file is not in UTF-8: the names of columns would be garbled."""
    first = start.lstrip(b"\r\n").split(b"\n", 1)[0].split(b"\r", 1)[0]
    if _is_utf8(encoding) and not _decodes(first):
        raise DataRefused(f"{path}, line 1: the text is not UTF-8; {OTHERWISE}.")


def _decodes(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"  # a long line of which this is the beginning
    return True


def _and_end(parts: Iterator[bytes]) -> Iterator[bytes]:
    yield from parts
    yield b""


def _reason(error: UnicodeError) -> str:
    return error.reason if isinstance(error, UnicodeDecodeError) else str(error)


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig", "ascii")
