"""CSV files without a header line: whether one is, and a header of made-up names for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.ingest.inspection import names
from tasks.ingest.reading import headers
from tasks.ingest.reading.contents import Contents
from tasks.ingest.reading.delimiters import DELIMITERS
from tasks.ingest.reading.records import split

_LINES = 100
_COMMON = {each.text for each in DELIMITERS if each.common}


def missing_header(looked: Contents, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of a file whose first line is a row: made-up names, and the delimiter; None if it is a header."""
    lines = [line for line in re.split(r"\r\n|\r|\n", looked.text)[: _LINES + 1] if line.strip()]
    lines = lines[:-1] if len(lines) > _LINES else lines
    if not lines or lines[0].startswith(("#", "sep=")):
        return None
    quote = settings.get("quote", '"') or ""
    delimiter = settings.get("delimiter") or _delimiter(lines, quote)
    first, *rows = [split(line, delimiter, quote) for line in lines]
    known = {field for field in first if any(names.fitness(field, ours) >= 1 for ours in names.HEADS)}
    if len(first) < 2 or not headers.looks_like_row(first, rows, known):
        return None
    columns = Counter(len(row) for row in (first, *rows)).most_common(1)[0][0]
    own: dict[str, Any] = {"header": [f"column_{place}" for place in range(1, columns + 1)]}
    return own if delimiter == "," or "delimiter" in settings else own | {"delimiter": delimiter}


def _delimiter(lines: Sequence[str], quote: str) -> str:
    """The delimiter that parts most lines into as many columns; of several the one that makes most."""

    def fitness(delimiter: str) -> tuple[bool, bool, int]:
        columns, times = Counter(len(split(line, delimiter, quote)) for line in lines).most_common(1)[0]
        return columns > 1 and times >= 0.9 * len(lines), delimiter in _COMMON, columns

    return max((each.text for each in DELIMITERS), key=fitness)
