"""The rules of each table of a site: those of its rows, and those of the table as a whole."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from expectations import exposures, interactions, items, users
from expectations.rules import Rule
from expectations.settings import ValidationSettings

DISPENSABLE = ("exposures",)
"""Tables that no list is made of: where one is not fit, the night goes on without it, with a note."""


def row_rules(name: str, columns: Collection[str], settings: ValidationSettings, now: datetime) -> list[Rule]:
    """The rules of the rows of a table (`interactions`, `items`, `users`, …) that has these columns."""
    if name == "interactions":
        return interactions.row_rules(columns, settings, now)
    if name == "exposures":
        return exposures.row_rules(columns, settings, now)
    if name == "tags":
        return items.tag_row_rules(columns)
    return items.row_rules() if name == "items" else users.row_rules()


def table_rules(name: str, profile: Mapping[str, Any], settings: ValidationSettings, cutoff: datetime) -> list[Rule]:
    """The rules of a table as a whole, by its profile: one row of numbers."""
    if name == "interactions":
        return interactions.table_rules(profile, settings, cutoff)
    if name == "exposures":
        return exposures.table_rules(profile, settings)
    if name == "tags":
        return items.tag_table_rules(profile, settings)
    return items.table_rules(profile, settings) if name == "items" else users.table_rules(profile, settings)
