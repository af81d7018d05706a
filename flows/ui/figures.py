"""Numbers, times and sizes as people read them."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from markupsafe import Markup, escape

from tasks.store.room import size_text

NOTHING = "\N{EN DASH}"


def number(value: float | None, digits: int = 4) -> str:
    """A figure in as many digits as are worth reading."""
    if value is None:
        return NOTHING
    return f"{value:.{digits}f}" if abs(value) < 1 else f"{value:,.2f}"


def count(value: int | None) -> str:
    """How many."""
    return NOTHING if value is None else f"{value:,}"


def share(value: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return NOTHING if value is None else f"{value:.{digits}%}"


def duration(seconds: float | None) -> str:
    """How long something took, or is ago."""
    if seconds is None:
        return NOTHING
    for unit, one in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * one:
            return f"{seconds / one:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def size(value: int | None) -> str:
    """Bytes."""
    return NOTHING if value is None else size_text(value)


def day(value: date) -> str:
    """A date in words."""
    return f"{value.day} {value:%B %Y}"


def instant(value: str | None) -> str:
    """A time that was written as ISO 8601."""
    try:
        found = datetime.fromisoformat(value or "")
    except ValueError:
        return value or NOTHING
    return f"{found:%Y-%m-%d %H:%M}" + (" UTC" if found.utcoffset() is not None and not found.utcoffset() else "")


def with_code(text: str) -> Markup:
    """A text of our own in which backticks stand around what is typed."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "count": count,
    "share": share,
    "duration": duration,
    "size": size,
    "day": day,
    "instant": instant,
    "with_code": with_code,
}
