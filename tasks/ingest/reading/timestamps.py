"""Timestamps as SQL: any of the ways to write an instant, as int64 microseconds since 1970 in UTC.

Text without a zone, naive timestamps and dates are in the session's time zone, which the caller sets; the machine's
own plays no part. Text goes by way of TIMESTAMPTZ: a cast to TIMESTAMP would drop an offset without a word.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import TimestampUnit
from tasks.ingest.reading.sources import JSON, TEXT, Value, as_text

Unit = Literal["s", "ms", "us", "ns"]
PER_SECOND: dict[Unit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Epoch seconds stay under 1e11 until the year 5138, and milliseconds are above it since 1973; each unit has its
# thousandfold range. Smaller numbers (zero for "unknown", say) are too small to tell: they take the column's unit.
_SECONDS_BELOW = 10**11
_TOO_SMALL_TO_TELL = 10**8
_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999  # 0001-01-01 to 9999-12-31, in microseconds
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
_INSTANTS = (
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMPTZ_NS",
)


@dataclass(frozen=True)
class Reading:
    """How a timestamp column is read: as numbers in `unit`, or as written dates and times (None)."""

    unit: Unit | None
    guessed: bool
    example: str = ""


def reading(samples: list[str], unit: TimestampUnit) -> Reading:
    """The reading that most of some non-null values suggest; numbers by magnitude, unless the unit is given."""
    if unit != "auto":
        return Reading(unit, False, next((text for text in samples if _NUMBER.fullmatch(text)), ""))
    numbers = [text for text in samples if _NUMBER.fullmatch(text)]
    if not numbers or len(numbers) < len(samples) / 2:
        return Reading(None, guessed=True)
    units = Counter(found for text in numbers if (found := _unit_of(text)))
    unit_found: Unit = units.most_common(1)[0][0] if units else "s"
    return Reading(unit_found, True, next((t for t in numbers if _unit_of(t) == unit_found), numbers[0]))


def micros(value: Value, how: Reading, where: str) -> str:
    """Microseconds since 1970 (BIGINT), NULL where the value is missing or cannot be read.

    Raises:
        DataRefused: they are 32-bit floats, which hold today's epoch seconds only to the nearest 128.
    """
    x = value.sql
    if value.type in _INSTANTS:
        exact = f"CAST({x} AS TIMESTAMP)" if value.type.startswith("TIMESTAMP_") else x
        return _bounded(f"epoch_us(CAST({exact} AS TIMESTAMPTZ))")
    if value.type in ("FLOAT", "HALF_FLOAT"):
        raise DataRefused(
            f"{where}: the timestamps are 32-bit floats, which are only exact to some two minutes; store them as int64."
        )
    text = as_text(value)
    if how.unit is None and value.type in (TEXT, JSON, "VARCHAR"):
        spaced = rf"TRY_CAST(regexp_replace(trim({text}), '\s+([+-]\d)', '\1') AS TIMESTAMPTZ)"
        return _bounded(f"epoch_us(COALESCE(TRY_CAST({text} AS TIMESTAMPTZ), {spaced}))")
    unit = how.unit or "s"
    if value.type in _INTEGERS:
        return _from_integer(f"TRY_CAST({x} AS BIGINT)", unit, how.guessed)
    if value.type == "DOUBLE":
        scaled = f"round({x} * {10**6 // PER_SECOND[unit]})" if unit != "ns" else f"floor({x} / 1000)"
        return f"CASE WHEN {_in_range(x, unit, how.guessed)} THEN TRY_CAST({scaled} AS BIGINT) END"
    decimal = f"TRY_CAST({text} AS DECIMAL(28, 9))"
    scaled = f"{decimal} * {10**6 // PER_SECOND[unit]}" if unit != "ns" else f"CAST({decimal} AS BIGINT) // 1000"
    fraction = f"CASE WHEN {_in_range(decimal, unit, how.guessed)} THEN CAST({scaled} AS BIGINT) END"
    integer = f"TRY_CAST({text} AS BIGINT)"  # rounds decimals, so not for those
    whole = _from_integer(integer, unit, how.guessed)
    either = f"CASE WHEN contains({text}, '.') THEN {fraction} ELSE {whole} END"
    if not how.example.isdigit():
        return either
    # A search in each text is dear: one as long as the example whose value has as many digits has no decimal point.
    digits = len(how.example)
    plain = f"strlen({text}) = {digits} AND {integer} >= {10 ** (digits - 1)}"
    return f"CASE WHEN {plain} THEN {whole} ELSE {either} END"


def refuse_mixed_units(unread: list[str], how: Reading, where: str) -> None:
    """Raise DataRefused if one of some unreadable values is a timestamp in another unit than its column's."""
    if how.unit is None or not how.guessed:
        return
    for text in unread:
        if _NUMBER.fullmatch(text) and (other := _unit_of(text)) not in (None, how.unit):
            raise DataRefused(
                f"{where}: the timestamps mix units: '{how.example}' looks like {_NAMES[how.unit]} and '{text}' like "
                f"{_NAMES[other]} since 1970; write the column in one unit, or name it with timestamp_unit."
            )


_NAMES: dict[Unit | None, str] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def show(micros_since_1970: int) -> str:
    """An instant for a message, such as `2018-09-24 14:27:30 UTC`."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros_since_1970):%Y-%m-%d %H:%M:%S} UTC"


def _unit_of(number: str) -> Unit | None:
    size = abs(float(number))
    if not _TOO_SMALL_TO_TELL <= size < 2**63:
        return None
    return next((unit for unit, per_second in PER_SECOND.items() if size < _SECONDS_BELOW * per_second), None)


def _from_integer(x: str, unit: Unit, guessed: bool) -> str:
    scaled = f"{x} * {10**6 // PER_SECOND[unit]}" if unit != "ns" else f"{x} // 1000"
    return f"CASE WHEN {_in_range(x, unit, guessed)} THEN {scaled} END"


def _in_range(x: str, unit: Unit, guessed: bool) -> str:
    per_second = PER_SECOND[unit]
    low, high = (bound * per_second // 10**6 for bound in (_EARLIEST, _LATEST))
    low, high = max(low, 1 - 2**63), min(high, 2**63 - 1)
    if not guessed:
        return f"{x} BETWEEN {low} AND {high}"
    high = min(_SECONDS_BELOW * per_second - 1, high)
    inside = f"{x} BETWEEN {max(low, -high)} AND {high}"
    if unit == "s":
        return inside
    least = _SECONDS_BELOW * per_second // 1000
    small = _TOO_SMALL_TO_TELL - 1
    return f"{inside} AND ({x} NOT BETWEEN {1 - least} AND {least - 1} OR {x} BETWEEN {-small} AND {small})"


def _bounded(sql: str) -> str:
    return f"CASE WHEN {sql} BETWEEN {_EARLIEST} AND {_LATEST} THEN {sql} END"
