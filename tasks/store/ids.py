"""The names that nightrec gives to nights and exports; everything else in a store's folders is somebody else's."""

import re
from datetime import date

_NUMBER = re.compile(r"[1-9]\d{0,8}")


def night_of(name: str) -> date | None:
    """The date that a night's folder or file is named after; None for any other name."""
    try:
        found = date.fromisoformat(name)
    except ValueError:
        return None
    return found if str(found) == name else None


def is_export_id(name: str) -> bool:
    """Whether a name is that of a night's first export (its date), or of its n-th (`<date>.n`)."""
    day, dot, number = name.partition(".")
    return night_of(day) is not None and (not dot or _NUMBER.fullmatch(number) is not None)


def export_number(export_id: str) -> int:
    """1 for a night's first export, 2 for `<run_date>.2`, and so on."""
    return int(export_id.partition(".")[2] or 1)


def age_order(export_id: str) -> tuple[str, int]:
    """Sorts exports by night, then by when they were published."""
    return export_id.partition(".")[0], export_number(export_id)
