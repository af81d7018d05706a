"""What the exposures must be: what a site showed to whom, and where in the list."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time
from typing import Any

from expectations.interactions import AHEAD
from expectations.rules import RowKind, Rule, present, quarantined_share, row_rule, statistic
from expectations.settings import ValidationSettings

REQUIRED = {"user_id": "id", "item_id": "id", "rank": "number", "timestamp": "timestamp"}
OPTIONAL = {"export_id": "text", "clicked": "truth", "outcome": "number"}
AFTER_PUBLICATION = "after_publication"
"""The column of a checked frame that is false where an export was named before it was published."""
LAST_RANK = 32_767  # an int16, as in the export


def row_rules(columns: Collection[str], settings: ValidationSettings, now: datetime) -> list[Rule]:
    """The rules of a row. The frame has the raw `columns`, and `AFTER_PUBLICATION` if that is among them."""
    between: RowKind = "ExpectColumnValuesToBeBetween"
    earliest, latest = datetime.combine(settings.earliest, time(), UTC), now + AHEAD
    text = "timestamp_text" if "timestamp_text" in columns else ""
    rank = "rank_text" if "rank_text" in columns else ""
    found = [
        present("user_id", "is missing, or no id as the interactions have them"),
        present("item_id", "is missing, or no id as the interactions have them"),
        present("timestamp", "is missing or could not be read", shows=text),
        row_rule(between, "timestamp", f"is before {settings.earliest}", bounds={"min_value": earliest}, shows=text),
        row_rule(between, "timestamp", f"is in the future of {now:%Y-%m-%d}", bounds={"max_value": latest}, shows=text),
        present("rank", "is missing or no whole number", shows=rank),
        row_rule(between, "rank", f"is not from 1 to {LAST_RANK:,}", bounds={"min_value": 1, "max_value": LAST_RANK}),
    ]
    found += [
        row_rule("ExpectColumnValuesToBeNull", column, "could not be read", checks=unread, shows=unread)
        for column in ("clicked", "outcome")
        if (unread := f"{column}_text") in columns
    ]
    if AFTER_PUBLICATION in columns:
        found.append(
            row_rule(
                "ExpectColumnValuesToBeInSet",
                "timestamp",
                "is before the export that the row names was published",
                bounds={"value_set": [True]},
                checks=AFTER_PUBLICATION,
            )
        )
    return found


def table_rules(profile: Mapping[str, Any], settings: ValidationSettings) -> list[Rule]:
    """The rules of the table, given its profile: there may be no exposures yet, and no list depends on them."""
    found = [quarantined_share(profile, settings)]
    if profile.get("known_exposures_share") is not None:
        found.append(
            statistic(
                "known_exposures_share",
                "user_id",
                f"exposures: {profile['unknown_exposures']:,} of {profile['rows']:,} rows are of users or items that "
                f"no other table has, and a share of {settings.min_known_exposures_share:.0%} should be known",
                "check that both mean the same ids, or lower validation.min_known_exposures_share",
                at_least=settings.min_known_exposures_share,
                severity="warning",
            )
        )
    if profile.get("unpublished_share") is not None:
        found.append(
            statistic(
                "unpublished_share",
                "item_id",
                f"exposures: {profile['unpublished']:,} of {profile['of_exports']:,} rows have an item that is in no "
                f"list of the export they name, where a share of {settings.max_unpublished_share:.0%} may be so",
                "log only what came from the lists, or raise validation.max_unpublished_share",
                at_most=settings.max_unpublished_share,
                severity="warning",
            )
        )
    return found
