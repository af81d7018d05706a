"""Timestamps that must not be guessed: why a value that was not read, or not credibly, stops the night.

A value that is no time at all stops nothing: its row goes to the quarantine, with its text.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tasks.ingest.reading.remedies import by_option
from tasks.ingest.reading.time_forms import COMPACT, NAMES, NUMBER, PER_SECOND, Reading, is_compact, written
from tasks.ingest.reading.timestamps import Credible, Timestamps
from tasks.ingest.reading.zones import is_zone, near

_SHOWN = 40  # characters of a value in a message
_TIME = r"[T\s,_]*\d{1,2}(?::\d{2}){1,2}(?:[.,]\d+)?"
_ZONED = re.compile(
    rf"\s*(?:\d{{4}}[-/. ]\d{{1,2}}[-/. ]\d{{1,2}}{_TIME}|\d{{8}}[Tt ]\d{{4,6}})\s*(?P<zone>[A-Za-z][\w/+: ()-]*)"
)


class Foreign(NamedTuple):
    """A way to write a time that is not read unasked: what it is, an example, its pattern, the format to give."""

    what: str
    example: str
    pattern: str
    format: str


FOREIGN = (
    Foreign("on a 12-hour clock", "2026-07-20 10:00 PM", r"\d{4}-.*[AaPp]\.?[Mm]\.?", "%Y-%m-%d"),
    Foreign("with the month or the day first", "07/20/2026 10:00", r"\d{1,2}/\d{1,2}/\d{2,4}\b.*", "%m/%d/%Y"),
    Foreign("with the day first, it seems", "20.07.2026 10:00", r"\d{1,2}\.\d{1,2}\.\d{2,4}\b.*", "%d.%m.%Y"),
    Foreign("with the day first, it seems", "20-07-2026 10:00", r"\d{1,2}-\d{1,2}-\d{4}\b.*", "%d-%m-%Y"),
    Foreign("with a year of two digits", "26-07-20 10:00", r"\d{2}-\d{1,2}-\d{1,2}\b.*", "%y-%m-%d"),
    Foreign("with dots", "2026.07.20 10:00", r"\d{4}\.\d{1,2}\.\d{1,2}\b.*", "%Y.%m.%d"),
    Foreign("with the name of a month", "20 Jul 2026 10:00", r"\d{1,2} [A-Za-z]{3,} \d{4}\b.*", "%d %b %Y"),
    Foreign("with the name of a month", "20-Jul-2026 10:00", r"\d{1,2}-[A-Za-z]{3,}-\d{4}\b.*", "%d-%b-%Y"),
    Foreign("with the name of a month", "Jul 20, 2026 10:00", r"[A-Za-z]{3,} \d{1,2}, \d{4}\b.*", "%b %d, %Y"),
    Foreign(
        "as in the log of a web server",
        "20/Jul/2026:10:00:00 +0000",
        r"\d{1,2}/[A-Za-z]{3}/\d{4}.*",
        "%d/%b/%Y:%H:%M:%S %z",
    ),
    Foreign("as in e-mail", "Mon, 20 Jul 2026 10:00:00 +0000", r"[A-Za-z]{3}, \d.*", "%a, %d %b %Y %H:%M:%S %z"),
    Foreign(
        "as in JavaScript",
        "Mon Jul 20 2026 10:00:00 GMT+0200 (CEST)",
        r"[A-Za-z]{3} [A-Za-z]{3} +\d{1,2} \d{4}.*",
        "%a %b %d %Y %H:%M:%S GMT%z",
    ),
    Foreign("in words", "Mon Jul 20 10:00:00 2026", r"[A-Za-z]{3} [A-Za-z]{3} +\d.*", "%a %b %d %H:%M:%S %Y"),
)
_ANY_FOREIGN = re.compile("|".join(f"(?:{foreign.pattern})" for foreign in FOREIGN))
_DAYLESS = re.compile(r"\d{1,2}(:\d{2}){1,2}(\.\d+)?\s*([AaPp][Mm])?")


class Counted(NamedTuple):
    """A way to count time that is not from 1970 in seconds or their thousandths: `seconds` is one unit."""

    what: str
    since: datetime
    seconds: float


COUNTED = (
    Counted("a spreadsheet's day number", datetime(1899, 12, 30, tzinfo=UTC), 86_400),
    Counted("days since 1970", datetime(1970, 1, 1, tzinfo=UTC), 86_400),
    Counted("hours since 1970", datetime(1970, 1, 1, tzinfo=UTC), 3_600),
    Counted("minutes since 1970", datetime(1970, 1, 1, tzinfo=UTC), 60),
    Counted("microseconds since 1601, as in Chrome", datetime(1601, 1, 1, tzinfo=UTC), 1e-6),
    Counted("a Windows file time", datetime(1601, 1, 1, tzinfo=UTC), 1e-7),
    Counted("ticks of .NET", datetime(1, 1, 1, tzinfo=UTC), 1e-7),
)
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
# What .NET counts today would be nanoseconds since 1970 of the year 1990.
_EARLIEST_IN_NANOSECONDS = datetime(2000, 1, 1, tzinfo=UTC)


def refusal(table: str, text: str, how: Reading) -> str | None:
    """Why a value of a file that is read so must not be left at that; None where the quarantine is the place for it."""
    shown, plain = f"'{text[:_SHOWN]}'", text.strip()
    looks = None if how.form == "compact" and len(plain) in COMPACT else written(text)
    if looks and looks.form != how.form and (how.guessed or looks.form == "iso"):
        first = f"'{how.example}' looks like {how.written}" if how.example else f"{how.written} are expected"
        return f"the timestamps mix forms: {first}, and {shown} like {looks}; write all of a file in one form."
    if looks and looks.unit and how.unit and how.guessed and looks.unit != how.unit:
        return (
            f"the timestamps mix units: '{how.example}' looks like {NAMES[how.unit]} and {shown} like "
            f"{NAMES[looks.unit]} since 1970; write the column in one unit, or name it with "
            f"timestamp_unit{by_option(table, 'timestamp_unit')}."
        )
    if _DAYLESS.fullmatch(plain):
        return f"{shown} is a time without a day; give a column with both, such as 2026-07-20T10:00:00Z."
    for foreign in FOREIGN if _ANY_FOREIGN.fullmatch(plain) else ():
        if re.fullmatch(foreign.pattern, plain):
            return (
                f"{shown} is written {foreign.what}, and could be misread; write 2026-07-20T10:00:00Z, or say how to "
                f"read it: timestamp_format = {_formats(foreign.format, plain)}"
                f"{by_option(table, 'timestamp_format')}, if that is how."
            )
    if (zoned := _ZONED.fullmatch(plain)) and not is_zone(zoned["zone"], any_case=True):
        return f"{shown} {_zone_refusal(table, zoned['zone'].strip())}"
    return None


class Doubt(NamedTuple):
    """Why a file's timestamps seem misread, unless one of them is credible."""

    sentence: str
    credible: Credible


def doubt(table: str, sample: list[str], how: Timestamps) -> Doubt | None:
    """Whether some timestamps of a file seem not to be what they are read as, all of them."""
    reading = how.reading
    if how.format is not None:
        return _format_doubt(table, sample, how.format)
    numbers = [text for text in sample if NUMBER.fullmatch(text)]
    earliest = _EARLIEST_IN_NANOSECONDS if reading.unit == "ns" else _EARLIEST
    instants = [_since_1970(number, reading) for number in numbers]
    if reading.form != "epoch" or not reading.guessed or any(i and earliest <= i < _LATEST for i in instants):
        return None
    then = f"{instants[0]:%Y-%m-%d}" if instants[0] else "in no year that there is"
    unit = reading.unit or "s"
    sentence = (
        f"'{numbers[0][:_SHOWN]}' would be {then} as {NAMES[unit]} since 1970, and none in the file is from 1990 to "
        f"2099{_seems(numbers[0])}. Write times as 2026-07-20T10:00:00Z; or, if that is right, set "
        f'timestamp_unit = "{unit}"{by_option(table, "timestamp_unit")} and validation.earliest.'
    )
    return Doubt(sentence, Credible(_in_micros(earliest), _in_micros(_LATEST)))


def _format_doubt(table: str, sample: list[str], letters: str) -> Doubt | None:
    if not sample:
        return None
    sentence = (
        f"no value is written as timestamp_format = '{letters}' says, such as '{sample[0][:_SHOWN]}'; change it"
        f"{by_option(table, 'timestamp_format')}."
    )
    return Doubt(sentence, Credible(-(2**63) + 1, 2**63 - 1))


def _formats(pattern: str, text: str) -> str:
    """The format to give; both where month and day could be each other."""
    slashed = re.match(r"(\d+)/(\d+)/", text)
    patterns = [pattern]
    if slashed:
        other = pattern.replace("%m/%d", "%d/%m")
        first, second = map(int, slashed.groups())
        patterns = [other] if first > 12 else [pattern] if second > 12 else [pattern, other]
    return " or ".join(f'"{_with_time(one, text)}"' for one in patterns)


def _with_time(pattern: str, text: str) -> str:
    """The format with the time of day that a value has, where it has none yet; and with its digits of the year."""
    if re.match(r"\d{1,2}[/.]\d{1,2}[/.]\d{2}(?!\d)", text):
        pattern = pattern.replace("%Y", "%y")
    if "%H" in pattern or "%I" in pattern:
        return pattern
    times = re.search(r"\d{1,2}:\d{2}(?P<s>:\d{2}(?P<f>\.\d+)?)?(?P<p>\s*[AaPp][Mm])?", text)
    if not times:
        return pattern
    seconds, decimals = (":%S" if times["s"] else ""), (".%f" if times["f"] else "")
    hour, half = ("%I", " %p") if times["p"] else ("%H", "")
    return f"{pattern} {hour}:%M{seconds}{decimals}{half}"


def _zone_refusal(table: str, zone: str) -> str:
    fix = (
        f'write offsets such as +01:00, or leave the zone out and set timezone = "{near(zone)}", or what it is, for '
        f"the table{by_option(table, 'timezone')}"
    )
    if "/" in zone:
        return f"names the unknown time zone '{zone}'; {fix}."
    return f"names the time zone '{zone}', which has more than one meaning or none; {fix}."


def _in_micros(instant: datetime) -> int:
    return int(instant.timestamp()) * 10**6


def _since_1970(number: str, how: Reading) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(number) / PER_SECOND[how.unit or "s"])
    except OverflowError:
        return None


def _seems(number: str) -> str:
    if is_compact(number.removesuffix(".0")):
        return "; it looks like a date that is stored as a decimal number"
    for counted in COUNTED:
        try:
            when = counted.since + timedelta(seconds=float(number) * counted.seconds)
        except OverflowError:
            continue
        if _EARLIEST <= when < _LATEST:
            return f"; it looks like {counted.what} ({when:%Y-%m-%d %H:%M})"
    return ""
