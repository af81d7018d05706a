"""CSV files without a header line: whether one is, and a header of made-up names for it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.ingest.inspection import names
from tasks.ingest.reading.contents import Contents

_LINES = 100
_DELIMITERS = (",", "\t", ";", "|", "::", "||", "^", "~", "\x01", "\x1f", ":", " ")
_COMMON = 6  # of these, which are taken before the others
_VALUES = (
    re.compile(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?"),
    re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?"),
    re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"),
)


def missing_header(looked: Contents, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of a file whose first line is a row: made-up names, and the delimiter; None if it is a header."""
    lines = [line for line in re.split(r"\r\n|\r|\n", looked.text)[: _LINES + 1] if line.strip()]
    lines = lines[:-1] if len(lines) > _LINES else lines
    if not lines or lines[0].startswith(("#", "sep=")):
        return None
    quote = settings.get("quote", '"') or ""
    delimiter = settings.get("delimiter") or _delimiter(lines, quote)
    first, *rows = [_split(line, delimiter, quote) for line in lines]
    if len(first) < 2 or not _is_row(first, rows):
        return None
    columns = Counter(len(row) for row in (first, *rows)).most_common(1)[0][0]
    own: dict[str, Any] = {"header": [f"column_{place}" for place in range(1, columns + 1)]}
    return own if delimiter == "," or "delimiter" in settings else own | {"delimiter": delimiter}


def _is_row(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether no field of a first line is a known name, and one is a number or a date as those below it are."""
    if any(names.fitness(field, ours) >= 1 for field in first for ours in names.HEADS):
        return False
    for place, field in enumerate(first):
        below = [row[place].strip() for row in rows if len(row) > place and row[place].strip()]
        for value in _VALUES:
            if value.fullmatch(field.strip()) and sum(map(bool, map(value.fullmatch, below))) >= 0.7 * len(below):
                return True
    return False


def _delimiter(lines: Sequence[str], quote: str) -> str:
    """The delimiter that parts most lines into as many columns; of several the one that makes most."""

    def fitness(delimiter: str) -> tuple[bool, bool, int]:
        columns, times = Counter(len(_split(line, delimiter, quote)) for line in lines).most_common(1)[0]
        return columns > 1 and times >= 0.9 * len(lines), delimiter in _DELIMITERS[:_COMMON], columns

    return max(_DELIMITERS, key=fitness)


def _split(line: str, delimiter: str, quote: str) -> list[str]:
    if len(delimiter) > 1 or not quote or len(line) > csv.field_size_limit():
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter, quotechar=quote), [])
