"""What the user table must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from expectations.rules import Rule, first_of_its_id, has_rows, present, quarantined_share
from expectations.settings import ValidationSettings

REQUIRED = {"user_id": "id"}
OPTIONAL = {"opted_out": "truth"}


def row_rules() -> list[Rule]:
    """The rules of a user. The frame has `user_id` and `occurrence`."""
    return [present("user_id"), first_of_its_id("user_id", "an opt-out of any row holds")]


def table_rules(profile: Mapping[str, Any], settings: ValidationSettings) -> list[Rule]:
    """The rules of the table, given its profile."""
    return [
        quarantined_share(profile, settings),
        has_rows(profile, "", "check that it is the right input, or leave it out"),
    ]
