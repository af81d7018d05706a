"""What a refusal says is to be done: the setting that helps, and the option that gives it; and how values are shown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from itertools import accumulate

from tasks.ingest.reading.delimiters import as_written

_PREFIXES = {"interactions": "--", "items": "--item-", "users": "--user-", "exposures": "--exposure-"}
_SHOWN, _ROOM = 12, 120  # columns, and characters of their names


def option(table: str, setting: str) -> str | None:
    """The option of the command line that gives a setting of a table; None where only the configuration does."""
    prefix = _PREFIXES.get(table)
    return None if prefix is None else prefix + setting.replace("_", "-")


def by_option(table: str, setting: str) -> str:
    """In brackets, the option that gives a setting; empty where there is none."""
    named = option(table, setting)
    return f" ({named})" if named else ""


def remedy(table: str, setting: str, value: str | Sequence[str] | None) -> str:
    """How to give a setting: as an option, and in the configuration."""
    if value is None:
        plain, configured = "none", '"none"'
    elif isinstance(value, str):
        plain = as_written(value)
        configured = f"'{plain}'" if "\\" in plain and "'" not in plain else json.dumps(plain, ensure_ascii=False)
    else:
        plain, configured = ",".join(value), json.dumps(list(value), ensure_ascii=False)
    setting_line = f"{setting} = {configured} under [inputs.{table}]"
    named = option(table, setting)
    return f"{named} {shlex.quote(plain)} (or {setting_line})" if named else setting_line


def shortened(text: str, limit: int = 40) -> str:
    """A text for a message: in characters that can be seen, and not too long."""
    visible = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return visible if len(visible) <= limit else f"{visible[: limit - 1]}…"


def listed(columns: Iterable[str]) -> str:
    """The names of columns for a message; the first dozen, or fewer where they are long, if there are more."""
    names = [shortened(name, 30) for name in columns]
    ends = accumulate(len(name) for name in names[:_SHOWN])
    shown = max(1, sum(end <= _ROOM for end in ends)) if names else 0
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
