"""The first line of a CSV file: whether it names the columns or is a row already, and what its names are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain, count

_KINDS = {
    "number": re.compile(r"[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?"),
    "date": re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d\d(:\d\d.*)?"),
    "flag": re.compile(r"true|false", re.IGNORECASE),
    "code": re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9a-f]{16,}", re.IGNORECASE),
    "address": re.compile(r"https?://.*|[^@\s]+@[^@\s]+\.[a-z]+", re.IGNORECASE),
}
"""Values that name nothing."""
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"


def kind(text: str) -> str | None:
    """What a value plainly is; None for words, ids and the like."""
    return next((name for name, pattern in _KINDS.items() if pattern.fullmatch(text)), None)


def looks_like_row(fields: Sequence[str], rows: Sequence[Sequence[str]], wanted: Collection[str]) -> bool:
    """Whether the fields of a first line are values, by the rows below it; `wanted`: names that are looked for."""
    found = _evidence(fields, rows)
    if _numbers_that_name(fields) or any(name in wanted and for_row <= 0 for name, for_row in found):
        return False
    return sum(for_row for _, for_row in found) > 0


def looks_like_header(fields: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the fields of a first line name columns: none is a value, and those below one are values."""
    found = [for_row for _, for_row in _evidence(fields, rows)]
    return max(found, default=0) <= 0 and min(found, default=0) < 0


def named_by(fields: Sequence[str], given: Sequence[str]) -> bool:
    """Whether a first line is a header of names that are given, in their order, in other letters or marks at most."""
    theirs, ours = [_letters(field) for field in fields], [_letters(name) for name in given]
    if len(theirs) == len(ours):
        return any(theirs) and all(name in ("", ours[place]) for place, name in enumerate(theirs))
    rest = iter(ours)
    return any(theirs) and all(name in rest for name in theirs if name)


def among(fields: Sequence[str], given: Sequence[str]) -> bool:
    """Whether all fields of a first line are names that are given, in any order."""
    names = {letters for field in fields if (letters := _letters(field))}
    return bool(names) and names <= {_letters(name) for name in given}


def clean(name: str) -> str:
    """The name of a column without blanks and marks around it that nobody sees."""
    return name.strip().strip(_INVISIBLE).strip()


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Column names to tell columns apart by: nameless ones by their place, repeated ones by a number.

    A name that stands for itself is never given to another column.
    """
    found: dict[str, None] = {}
    for place, name in enumerate(names, 1):
        if name and name not in found:
            found[name] = None
            continue
        stem = name or f"column_{place}"
        options = chain([] if name else [stem], (f"{stem}_{n}" for n in count(2)))
        found[next(option for option in options if option not in found and option not in names)] = None
    return tuple(found)


def repeated(names: Sequence[str]) -> dict[str, list[int]]:
    """The names that stand in several places, counted from 1."""
    counts = Counter(name for name in names if name)
    return {name: [p for p, n in enumerate(names, 1) if n == name] for name, times in counts.items() if times > 1}


def _evidence(fields: Sequence[str], rows: Sequence[Sequence[str]]) -> list[tuple[str, int]]:
    """Each field, and whether it speaks for a row (1), for a header (-1) or for neither."""
    others = [row for row in rows if list(row) != list(fields)]  # files may be joined, headers and all
    columns = [
        [row[place] for row in others if len(row) > place and row[place].strip()] for place in range(len(fields))
    ]
    return [(clean(name), _for_row(name.strip(), below)) for name, below in zip(fields, columns, strict=True)]


def _for_row(name: str, below: Sequence[str]) -> int:
    if not name:
        return 0
    kinds = Counter(kind(value.strip()) for value in below)
    usual = kinds.most_common(1)[0][0] if kinds and kinds.most_common(1)[0][1] >= 0.7 * len(below) else None
    if of_name := kind(name):
        return int(not below or usual == of_name)
    if usual:
        return -1
    if name in below:
        return 1
    alike = sum(_shape(value) == _shape(name) for value in below)
    return int(any(c.isdigit() for c in name) and len(below) > 0 and alike >= 0.5 * len(below))


def _shape(text: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())


def _numbers_that_name(fields: Sequence[str]) -> bool:
    """Whether all fields are numbers in turn, as programs name columns that have no names; or years."""
    names = [int(name) for field in fields if (name := field.strip()).isdecimal()]
    if len(names) < max(2, len(fields) - 1) or names != list(range(names[0], names[0] + len(names))):
        return False
    return names[0] in (0, 1) or 1900 <= names[0] <= 2100
