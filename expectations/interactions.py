"""What the interactions must be."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from expectations.rules import RowKind, Rule, has_rows, present, quarantined_share, row_rule, statistic
from expectations.settings import ValidationSettings

REQUIRED = {"user_id": "id", "item_id": "id", "timestamp": "timestamp"}
OPTIONAL = {"rating": "number", "event": "text", "context": "text"}
AHEAD = timedelta(days=1)  # clocks go wrong and zones get mixed up; a day later than now is no clock's fault


def row_rules(columns: Collection[str], settings: ValidationSettings, now: datetime) -> list[Rule]:
    """The rules of a row. The frame has the raw `columns` and, if items must be known, `item_in_catalogue`."""
    between: RowKind = "ExpectColumnValuesToBeBetween"
    earliest, latest = datetime.combine(settings.earliest, time(), UTC), now + AHEAD
    low = -sys.float_info.max if settings.rating_min is None else settings.rating_min
    high = sys.float_info.max if settings.rating_max is None else settings.rating_max
    text = "timestamp_text" if "timestamp_text" in columns else ""
    found = [
        present("user_id"),
        present("item_id"),
        present("timestamp", "is missing or could not be read", shows=text),
        row_rule(between, "timestamp", f"is before {settings.earliest}", bounds={"min_value": earliest}, shows=text),
        row_rule(between, "timestamp", f"is in the future of {now:%Y-%m-%d}", bounds={"max_value": latest}, shows=text),
    ]
    if "rating_text" in columns:
        found.append(
            row_rule(
                "ExpectColumnValuesToBeNull",
                "rating",
                "could not be read",
                checks="rating_text",
                shows="rating_text",
            )
        )
    if "rating" in columns:
        says = f"is not a number{_range(settings.rating_min, settings.rating_max)}"
        found.append(row_rule(between, "rating", says, bounds={"min_value": low, "max_value": high}))
    if settings.require_known_items:
        found.append(
            row_rule(
                "ExpectColumnValuesToBeInSet",
                "item_id",
                "is not in the items table",
                bounds={"value_set": [True]},
                checks="item_in_catalogue",
            )
        )
    return found


def table_rules(profile: Mapping[str, Any], settings: ValidationSettings, cutoff: datetime) -> list[Rule]:
    """The rules of the table, given its profile (see `tasks.validate.profiles`)."""
    after = int(profile.get("after_cutoff") or 0)
    found = [
        quarantined_share(profile, settings),
        has_rows(
            profile,
            f" before the cutoff {cutoff:%Y-%m-%d}" + (f" ({after:,} are at or after it)" if after else ""),
            "pass a later --date" if after else "check that the input is the right one and not empty",
        ),
    ]
    if not profile["rows"]:
        return found
    for name, least in (("users", settings.min_users), ("items", settings.min_items)):
        column = f"{name[:-1]}_id"
        says = f"the interactions have {profile[name]:,} different {column} where at least {least:,} are needed"
        found.append(statistic(name, column, says, f"check the mapping of {column}", at_least=least))
    newest: datetime | None = profile.get("newest")
    if settings.max_staleness_days is not None and newest is not None:
        day = newest.astimezone(cutoff.tzinfo).date()
        found.append(
            statistic(
                "newest_age_days",
                "timestamp",
                f"the newest interaction is of {day}, {profile['newest_age_days']:,.0f} days before the cutoff "
                f"{cutoff:%Y-%m-%d}, where at most {settings.max_staleness_days:g} are allowed",
                f"pass --date {day + timedelta(days=1)}, or raise validation.max_staleness_days",
                at_most=settings.max_staleness_days,
            )
        )
    if profile.get("known_items_share") is not None:
        found.append(
            statistic(
                "known_items_share",
                "item_id",
                f"{profile['unknown_rows']:,} of {profile['rows']:,} interactions are with items that the items "
                f"table does not have ({profile['unknown_examples']}), and a share of "
                f"{settings.min_known_items_share:.0%} must be known",
                "check that both tables mean the same ids, or lower validation.min_known_items_share",
                at_least=settings.min_known_items_share,
            )
        )
    median = profile.get("recent_median")
    if settings.volume_tolerance is not None and median:
        found.append(
            statistic(
                "rows_to_recent",
                "rows",
                f"there are {profile['rows']:,} interactions where recent nights had {median:,.0f} (median), a "
                f"difference of more than {settings.volume_tolerance:.0%}",
                "check that the input is complete, or raise validation.volume_tolerance",
                at_least=1 - settings.volume_tolerance,
                at_most=1 + settings.volume_tolerance,
            )
        )
    if "ratings" in profile:
        says = "no interaction has a rating, so the column rating is of no use"
        found.append(statistic("ratings", "rating", says, "check its mapping", at_least=1, severity="warning"))
    return found


def _range(low: float | None, high: float | None) -> str:
    """The allowed ratings in words."""
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return f" of at most {high:g}" if high is not None else ""
