"""The forms in which timestamps are written, and which of them a file's values have."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tasks.ingest.reading.inputs import TimestampUnit

Unit = Literal["s", "ms", "us", "ns"]
Form = Literal["iso", "compact", "epoch"]
PER_SECOND: dict[Unit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
NAMES: dict[Unit, str] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%g"}  # digits → strptime's letters
# Epoch seconds stay under 1e11 until the year 5138, and milliseconds are above it since 1973; each unit has its
# thousandfold range. Smaller numbers (zero for "unknown", say) are too small to tell: they take the column's unit.
SECONDS_BELOW = 10**11
TOO_SMALL_TO_TELL = 10**8
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_ISO = re.compile(r"\s*\d{4}-\d{1,2}-\d{1,2}([Tt_ ].*)?|\s*\d{8}[Tt ]\d{4}.*")
_COMPACT_YEARS = range(1900, 2101)


@dataclass(frozen=True)
class Written:
    """What a single value looks like; `unit` is that of a number since 1970."""

    form: Form
    unit: Unit | None = None

    def __str__(self) -> str:
        if self.unit:
            return f"{NAMES[self.unit]} since 1970"
        return "an ISO date" if self.form == "iso" else "a date without separators"


@dataclass(frozen=True)
class Reading:
    """The form of a file's timestamps: numbers in `unit` if it is `epoch`; an example, if there was a value."""

    form: Form
    unit: Unit | None
    guessed: bool
    example: str = ""

    @property
    def written(self) -> Written:
        """What a value of this form looks like."""
        return Written(self.form, self.unit)


def reading(samples: list[str], unit: TimestampUnit) -> Reading:
    """The reading that most of some non-null values suggest; numbers by magnitude, unless the unit is given.

    Digits alone are dates if most are of the calendar; zero, which often stands for "unknown", does not count.
    """
    if unit != "auto":
        return Reading("epoch", unit, False, next((text for text in samples if NUMBER.fullmatch(text)), ""))
    numbers = [text for text in samples if NUMBER.fullmatch(text)]
    if not numbers or len(numbers) < len(samples) / 2:
        return Reading("iso", None, True, next((text for text in samples if _ISO.fullmatch(text)), ""))
    telling = [text for text in numbers if text.strip("0.")]
    if sum(map(is_compact, telling)) > len(telling) / 2:
        return Reading("compact", None, True, telling[0])
    units = Counter(found for text in numbers if (found := unit_of(text)))
    unit_found: Unit = units.most_common(1)[0][0] if units else "s"
    return Reading("epoch", unit_found, True, next((t for t in numbers if unit_of(t) == unit_found), numbers[0]))


def written(text: str) -> Written | None:
    """What a value looks like, None if it looks like no instant that is known."""
    if _ISO.fullmatch(text):
        return Written("iso")
    if not NUMBER.fullmatch(text):
        return None
    if is_compact(text):
        return Written("compact")
    unit = unit_of(text)
    return Written("epoch", unit) if unit else None


def is_compact(text: str) -> bool:
    """Whether digits are a calendar date of a year from 1900 to 2100, with or without a time."""
    if len(text) not in COMPACT or not (text.isascii() and text.isdigit()) or int(text[:4]) not in _COMPACT_YEARS:
        return False
    try:
        datetime.strptime(text[:14], COMPACT[min(len(text), 14)])
    except ValueError:
        return False
    return True


def unit_of(number: str) -> Unit | None:
    """The unit that a number of this size since 1970 has, None where it is too small or too large to tell."""
    size = abs(float(number))
    if not TOO_SMALL_TO_TELL <= size < 2**63:
        return None
    return next((unit for unit, per_second in PER_SECOND.items() if size < SECONDS_BELOW * per_second), None)
