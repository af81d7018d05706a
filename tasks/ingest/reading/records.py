"""The first lines of a text file, and the values of a line."""

from __future__ import annotations

import codecs
import csv
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tasks.ingest.reading.packing import head

_SAMPLE = 1 << 18
_LINES = 150
_PRIVATE = "\ue000"


class Line(NamedTuple):
    """A line of a file, the first of which is 1."""

    number: int
    text: str


def start_of(path: Path) -> str:
    """The beginning of a UTF-8 file, in whole lines that end in `\\n`."""
    start = head(path, _SAMPLE)
    text = start.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.rpartition("\n")[0] or text if len(start) == _SAMPLE else text  # the last line may be cut


def first_lines(text: str) -> list[Line]:
    """The first lines that are not blank; only `\\n` ends a line, and not the marks that `splitlines` knows."""
    numbered = enumerate(text.split("\n"), 1)
    return list(islice((Line(number, line) for number, line in numbered if line.strip()), _LINES))


def split(line: str, delimiter: str, quote: str, escape: str = "") -> list[str]:
    """The values of a line."""
    if not quote or quote not in line or len(line) > csv.field_size_limit():
        return line.split(delimiter)
    if len(delimiter) > 1:
        line, delimiter = line.replace(delimiter, _PRIVATE), _PRIVATE
    doubled = escape in ("", quote)
    reader = csv.reader(
        [line],
        delimiter=delimiter,
        quotechar=quote,
        doublequote=doubled,
        escapechar=None if doubled else escape,
        skipinitialspace=delimiter != " ",
    )
    return next(reader, [])


def stands_in(text: str, quote: str) -> bool:
    """Whether a value begins and ends with a quote."""
    return len(text) > 1 and text.startswith(quote) and text.endswith(quote)
