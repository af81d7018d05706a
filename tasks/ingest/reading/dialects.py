"""How a CSV file is written: the delimiter, the quote, the header."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.packing import head

_SAMPLE = 1 << 16
_DELIMITERS = (",", "\t", ";", "|", "::")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written. `skip`: the lines up to and including the header."""

    delimiter: str
    quote: str
    columns: tuple[str, ...]
    skip: int


def dialect(path: Path, table: TableInput, wanted: Collection[str]) -> Dialect | None:
    """The dialect of a UTF-8 file, None for an empty one.

    The delimiter, where it is not given, is the one that finds most of the `wanted` names in the header, then the
    one that makes most columns; in files without a header, the one that makes as many columns as were named.
    """
    text = head(path, _SAMPLE).removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # splitlines ends a line at \x1e, too
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return None
    quote = table.quote or ""

    def fields(delimiter: str) -> list[str]:
        return _split(lines[first], delimiter, quote)

    def fitness(delimiter: str) -> tuple[int, int]:
        names = fields(delimiter)
        if table.header:
            return int(len(names) == len(table.header)), len(names)
        return len(set(names) & set(wanted)), len(names)

    delimiter = table.delimiter or max(_DELIMITERS, key=fitness)
    if table.header:
        return Dialect(delimiter, quote, tuple(table.header), 0)
    return Dialect(delimiter, quote, distinct([name.strip() for name in fields(delimiter)]), first + 1)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Column names to tell columns apart by: nameless ones by their place, repeated ones by a number."""
    found: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        stem = name or f"column_{place}"
        found[next(n for i in range(1, place + 1) if (n := stem if i == 1 else f"{stem}_{i}") not in found)] = None
    return tuple(found)


def _split(line: str, delimiter: str, quote: str) -> list[str]:
    if len(delimiter) > 1 or not quote:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter, quotechar=quote), [])
