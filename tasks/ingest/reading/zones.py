"""Names of time zones: which say one thing only. Any other is refused, never guessed.

`BST` is in London, in Bangladesh and on Bougainville; `EST` is half of a year in New York and the whole of one in
Panama; the sign of `GMT+5` means one thing to POSIX and the other to everyone else.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

UTC_NAMES = ("UTC", "GMT")  # as written in settings; in values also in lower case, and `Z`


def is_zone(name: str, *, any_case: bool = False) -> bool:
    """Whether a name is UTC, GMT or one of the IANA database that has an area, such as `Europe/Berlin`.

    `any_case`: as in values, where capitals do not count, and where Z is one.
    """
    if any_case:
        return name.upper() in (*UTC_NAMES, "Z") or name.lower() in _known()
    if "/" not in name or name.startswith(("posix/", "right/")):
        return name in UTC_NAMES
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


@cache
def _known() -> Mapping[str, str]:
    """The zones of the IANA database that have an area, by their names in lower case."""
    return {zone.lower(): zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")}


@cache
def _places() -> Mapping[str, str]:
    """The same zones by the last part of their names, in lower case."""
    return {name.rsplit("/", 1)[1]: zone for name, zone in _known().items()}


@lru_cache(256)  # a zone stands in many rows, and names are compared with hundreds
def near(name: str) -> str:
    """A zone that a misspelt name may stand for, or an example of one."""
    known = _known()
    wanted = name.strip().lower().replace(" ", "_")
    if found := known.get(wanted) or _places().get(wanted):
        return found
    likely = get_close_matches(wanted, known, n=1, cutoff=0.8)
    return known[likely[0]] if likely else "Europe/London"
