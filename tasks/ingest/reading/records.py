"""The first lines of a text file, and the values of a line."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path
from typing import NamedTuple

from tasks.ingest.reading.packing import head

_SAMPLE = 1 << 18
_PRIVATE = "\ue000"


class Line(NamedTuple):
    """A line of a file, the first of which is 1."""

    number: int
    text: str


def first_lines(path: Path) -> list[Line]:
    """The first lines that are not blank."""
    start = head(path, _SAMPLE)
    text = start.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    texts = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # splitlines ends a line at \x1e, too
    if len(start) == _SAMPLE and len(texts) > 1:
        texts.pop()  # it may be cut
    return [Line(number, text) for number, text in enumerate(texts, 1) if text.strip()]


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
