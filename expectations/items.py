"""What the catalogue must be, and the tags of its items."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from expectations.rules import Rule, first_of_its_id, has_rows, present, quarantined_share, statistic
from expectations.settings import ValidationSettings

REQUIRED = {"item_id": "id"}
OPTIONAL = {
    "title": "text",
    "available": "truth",
    "available_from": "timestamp",
    "available_until": "timestamp",
}
TAG_REQUIRED = {"item_id": "id", "tag": "text"}
TAG_OPTIONAL = {"timestamp": "timestamp"}


def row_rules() -> list[Rule]:
    """The rules of an item. The frame has `item_id` and `occurrence`."""
    return [present("item_id"), first_of_its_id("item_id", "not available in any row is not available")]


def table_rules(profile: Mapping[str, Any], settings: ValidationSettings) -> list[Rule]:
    """The rules of the catalogue, given its profile."""
    found = [
        quarantined_share(profile, settings),
        has_rows(profile, "", "check that it is the right input, or leave it out"),
    ]
    if "titles" in profile:
        says = "no item has a title"
        found.append(statistic("titles", "title", says, "check its mapping", at_least=1, severity="warning"))
    return found


def tag_row_rules(columns: Collection[str]) -> list[Rule]:
    """The rules of a tag. Its time may be missing, but not be unreadable."""
    found = [present("item_id"), present("tag")]
    if "timestamp_text" in columns:
        text = "timestamp_text"
        says = "could not be read"
        found.append(Rule("ExpectColumnValuesToBeNull", "timestamp", says, checks=text, shows=text, severity="warning"))
    return found


def tag_table_rules(profile: Mapping[str, Any], settings: ValidationSettings) -> list[Rule]:
    """The rules of the tags: there may be none."""
    return [quarantined_share(profile, settings)]
