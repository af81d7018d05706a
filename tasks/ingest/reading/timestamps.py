"""Timestamps as SQL: any of the ways to write an instant, as int64 microseconds since 1970 in UTC.

Text without a zone, naive timestamps and dates are in the session's time zone, which the caller sets; the machine's
own plays no part. A local time that occurs twice, when clocks are set back, is the later one; one that does not occur,
when they are set forward, is read with the offset before. Text goes by way of TIMESTAMPTZ: a cast to TIMESTAMP would
drop an offset without a word. That cast knows names of zones, too, and takes BST for Bangladesh: it is never given one
that is not UTC or of the kind `Europe/Berlin`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from recmodels.errors import DataRefused
from tasks.ingest.reading.sources import JSON, TEXT, Value, as_text
from tasks.ingest.reading.time_forms import COMPACT, PER_SECOND, SECONDS_BELOW, TOO_SMALL_TO_TELL, Reading, Unit
from tasks.ingest.reading.zones import UTC_NAMES
from tasks.store.duckdb import literal

_EARLIEST, _LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999  # 0001-01-01 to 9999-12-31, in microseconds
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT")
INSTANTS = (
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMPTZ_NS",
)


class Credible(NamedTuple):
    """The first and the last instant, in µs since 1970, that a timestamp of interactions can mean."""

    first: int
    last: int


CREDIBLE = Credible(631_152_000_000_000, _LATEST)  # since 1990


@dataclass(frozen=True)
class Timestamps:
    """How a file's timestamps are read: their form, strptime's letters if it is by those, and the table's zone.

    `plain`: all of them are `is_plain`, which need not be looked for anything else.
    """

    reading: Reading
    format: str | None
    zone: str
    plain: bool = False


def is_plain(text: str) -> bool:
    """Whether a text is an ISO date, with or without the time of day in whole seconds, that a cast reads as meant."""
    return _PLAIN.fullmatch(text) is not None


def micros(value: Value, how: Timestamps, where: str) -> str:
    """Microseconds since 1970 (BIGINT), NULL where the value is missing or cannot be read; not yet `bounded`.

    Raises:
        DataRefused: they are 32-bit floats, which hold today's epoch seconds only to the nearest 128.
    """
    x = value.sql
    if value.type in INSTANTS:
        exact = f"CAST({x} AS TIMESTAMP)" if value.type.startswith("TIMESTAMP_") else x
        return f"epoch_us(CAST({exact} AS TIMESTAMPTZ))"
    text = as_text(value)
    if how.format is not None:
        if "%z" in how.format:  # which is digits; JavaScript adds the zone's name in brackets
            text = rf"regexp_replace(regexp_replace({text}, '\s*\([^)]*\)$', ''), '(?i)(GMT|UTC|Z)$', '+0000')"
        return f"epoch_us(CAST(try_strptime({text}, {literal(how.format)}) AS TIMESTAMPTZ))"
    if value.type in ("FLOAT", "HALF_FLOAT"):
        raise DataRefused(
            f"{where}: the timestamps are 32-bit floats, which are only exact to some two minutes; store them as int64."
        )
    reading = how.reading
    if reading.form == "compact":
        return f"epoch_us(CAST({_compact(text)} AS TIMESTAMPTZ))"
    if reading.form == "iso" and value.type in (TEXT, JSON, "VARCHAR"):
        if how.plain:
            return f"epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))"
        rest = _iso(text, how.zone)
        if not _WHOLE_SECONDS_Z.fullmatch(reading.example):
            return rest
        # Strict, unlike a cast: nothing needs to be looked for in the texts that are like the example.
        return f"COALESCE(epoch_us(try_strptime({text}, '%Y-%m-%dT%H:%M:%SZ')), {rest})"
    return _epoch(value, text, reading)


def end_of_day(instant: str, value: Value, how: Timestamps) -> str:
    """SQL: `instant`, which was read from the value; of a day without a time the end of that day, in the local zone."""
    text = as_text(value)
    if value.type == "DATE" or (how.format is not None and not re.search("%[HIcfXs]", how.format)):
        whole_day = "true"
    elif value.type in (TEXT, JSON, "VARCHAR") and how.format is None and how.reading.form != "epoch":
        whole_day = rf"regexp_matches({text}, '^\s*(\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}}|\d{{8}})\s*$')"
    else:
        return instant
    next_day = f"LEAST(epoch_us(make_timestamptz({instant}) + INTERVAL 1 DAY), {_LATEST})"
    return f"CASE WHEN {whole_day} THEN {next_day} ELSE {instant} END"


def show(micros_since_1970: int) -> str:
    """An instant for a message, such as `2018-09-24 14:27:30 UTC`."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros_since_1970):%Y-%m-%d %H:%M:%S} UTC"


def _compact(text: str) -> str:
    cases = " ".join(f"WHEN {digits} THEN try_strptime({text}, '{letters}')" for digits, letters in COMPACT.items())
    return f"CASE strlen({text}) {cases} END"


_PARTS = (
    r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
    r"(?:[Tt_ ]\s*(\d{1,2})(?::(\d{1,2})?(?::(\d{1,2})?(?:[.,](\d+))?)?)?)?"
    r"\s*((?i:z|utc|gmt)|[+-]\d{2}(?::?\d{2})?|[A-Za-z]+(?:/[A-Za-z0-9_+-]+)+)?"
    r"(?:\[[A-Za-z0-9_/+-]+\])?$"  # Java writes the zone after the offset, which is all that is needed
)
_OFFSET_FROM = 14  # a date and two digits of an hour come before an offset
_NO_OFFSET = r"[+-](1[6-9]|[2-9]\d|\d\d:?[6-9]\d)(:?\d\d)?\s*(\[|$)"
"""What would be sixteen hours or more, or has sixty minutes: no place is so far from UTC, but DuckDB takes it."""
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ?)?", re.ASCII)
_WHOLE_SECONDS_Z = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_COMPACT_PARTS = r"^(\d{4})(\d{2})(\d{2})[Tt ](\d{2})(\d{2})(\d{2})?"


def _iso(text: str, zone: str) -> str:
    """Text that may have the name of a zone is taken apart; one can only stand after a second blank."""
    naive = "TIMESTAMP" if zone in UTC_NAMES else "TIMESTAMPTZ"  # the former is read in half of the time
    end = f"substr({text}, {_OFFSET_FROM})"
    nowhere = f"(contains({end}, '+') OR contains({end}, '-')) AND regexp_matches({end}, '{_NO_OFFSET}')"
    cast = f"epoch_us(TRY_CAST({text} AS TIMESTAMPTZ))"
    return f"""COALESCE(CASE
        WHEN ends_with({text}, 'Z') AND NOT contains({text}, ' ') THEN {cast}
        WHEN {nowhere} THEN NULL
        WHEN NOT contains({text}, ' ') THEN {cast}
        WHEN {text} LIKE '____-__-__ __:__:__' THEN epoch_us(TRY_CAST({text} AS {naive}))
        WHEN NOT contains(substr({text}, 12), ' ') OR ends_with({text}, ' UTC') THEN {cast} END,
        CASE WHEN NOT ({nowhere}) THEN {_parts(text)} END)"""


def _parts(text: str) -> str:
    """An ISO text by its parts: slower than a cast, and for what that cannot read or must not see.

    A second 60 is the first of the next minute.
    """
    split = f"regexp_replace(trim({text}), '{_COMPACT_PARTS}', '\\1-\\2-\\3T\\4:\\5:\\6')"
    names = "['y', 'month', 'd', 'h', 'm', 's', 'fraction', 'zone']"
    zone = """CASE WHEN p.zone = '' THEN '' WHEN upper(p.zone) IN ('Z', 'UTC', 'GMT') THEN 'Z'
        WHEN starts_with(lower(p.zone), 'systemv') THEN NULL WHEN contains(p.zone, '/') THEN ' ' || p.zone
        WHEN p.m = '' AND NOT (p.h = '' AND contains(p.zone, ':')) THEN NULL ELSE p.zone END"""
    clock = """CASE WHEN p.h = '' THEN '00' ELSE p.h END || ':' || CASE WHEN p.m = '' THEN '00' ELSE p.m END || ':'
        || CASE p.s WHEN '' THEN '00' WHEN '60' THEN '59' ELSE p.s END
        || CASE WHEN p.fraction = '' THEN '' ELSE '.' || p.fraction END"""
    instant = f"TRY_CAST(p.y || '-' || p.month || '-' || p.d || ' ' || {clock} || {zone} AS TIMESTAMPTZ)"
    leap = "CASE WHEN p.s = '60' THEN 1000000 ELSE 0 END"
    return f"list_transform([regexp_extract({split}, '{_PARTS}', {names})], lambda p: epoch_us({instant}) + {leap})[1]"


def _epoch(value: Value, text: str, how: Reading) -> str:
    x, unit = value.sql, how.unit or "s"
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


def _from_integer(x: str, unit: Unit, guessed: bool) -> str:
    scaled = f"{x} * {10**6 // PER_SECOND[unit]}" if unit != "ns" else f"{x} // 1000"
    return f"CASE WHEN {_in_range(x, unit, guessed)} THEN {scaled} END"


def _in_range(x: str, unit: Unit, guessed: bool) -> str:
    per_second = PER_SECOND[unit]
    low, high = (bound * per_second // 10**6 for bound in (_EARLIEST, _LATEST))
    low, high = max(low, 1 - 2**63), min(high, 2**63 - 1)
    if not guessed:
        return f"{x} BETWEEN {low} AND {high}"
    high = min(SECONDS_BELOW * per_second - 1, high)
    inside = f"{x} BETWEEN {max(low, -high)} AND {high}"
    if unit == "s":
        return inside
    least = SECONDS_BELOW * per_second // 1000
    small = TOO_SMALL_TO_TELL - 1
    return f"{inside} AND ({x} NOT BETWEEN {1 - least} AND {least - 1} OR {x} BETWEEN {-small} AND {small})"


def bounded(sql: str) -> str:
    """`sql`, which should be short as it is repeated, where it is an instant of the years 1 to 9999, else NULL."""
    return f"CASE WHEN {sql} BETWEEN {_EARLIEST} AND {_LATEST} THEN {sql} END"
