"""The setting `timestamp_format`: the letters that it may have, and whether they name a whole day."""

from __future__ import annotations

import re

DIRECTIVES = {
    "%Y": "year, four digits",
    "%y": "year, two digits: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068",
    "%m": "month, 1 to 12",
    "%b": "month, Jan to Dec",
    "%B": "month, January to December",
    "%d": "day of the month",
    "%j": "day of the year",
    "%a": "weekday, Mon to Sun",
    "%A": "weekday, Monday to Sunday",
    "%H": "hour, 0 to 23",
    "%I": "hour, 1 to 12, with %p",
    "%p": "AM or PM",
    "%M": "minute",
    "%S": "second",
    "%f": "decimals of the second, up to six",
    "%z": "offset from UTC, such as +0200 or -03:30; also UTC, GMT and Z",
    "%%": "a percent sign",
}


def complaint(pattern: str) -> str:
    """Why a format cannot be used; empty if it can."""
    used = re.findall(r"%.?", pattern)
    if "%Z" in used:
        return "%Z would have to guess what 'BST' or 'CST' means; give %z for offsets, or set timezone"
    if unknown := [one for one in used if one not in DIRECTIVES]:
        return f"'{unknown[0]}' is no letter of a timestamp_format; there are {', '.join(DIRECTIVES)}"
    year = {"%Y", "%y"} & set(used)
    day = "%j" in used or ("%d" in used and {"%m", "%b", "%B"} & set(used))
    if not year or not day:
        return f"'{pattern}' names no whole day; give year, month and day, such as '%d.%m.%Y %H:%M'"
    if ("%I" in used) != ("%p" in used):
        return "%I, the hour from 1 to 12, and %p, AM or PM, go together"
    return ""
