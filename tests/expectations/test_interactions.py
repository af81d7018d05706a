"""Which rules the interactions have, by their columns, their profile and the settings."""

from datetime import UTC, datetime
from typing import Any

from expectations.interactions import row_rules, table_rules
from expectations.settings import ValidationSettings

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROFILE: dict[str, Any] = {
    "table": "interactions",
    "rows": 8,
    "users": 4,
    "items": 4,
    "refusals": "",
    "newest": datetime(2026, 2, 27, 12, tzinfo=UTC),
    "newest_age_days": 1.5,
}


def test_columns_that_are_not_there_have_no_rules() -> None:
    required = [rule.column for rule in row_rules([], ValidationSettings(), NOW)]
    assert required == ["user_id", "item_id", "timestamp", "timestamp", "timestamp"]
    more = [rule.column for rule in row_rules(["rating", "rating_text", "event"], ValidationSettings(), NOW)]
    assert more[len(required) :] == ["rating", "rating"]


def test_items_must_be_known_where_that_is_required() -> None:
    settings = ValidationSettings(require_known_items=True)
    assert row_rules([], settings, NOW)[-1].says == "is not in the items table"


def test_the_allowed_ratings_are_named() -> None:
    def says(**settings: float) -> str:
        return row_rules(["rating"], ValidationSettings(**settings), NOW)[-1].says

    assert says() == "is not a number"
    assert says(rating_min=1, rating_max=5) == "is not a number from 1 to 5"
    assert says(rating_min=1) == "is not a number of at least 1"
    assert says(rating_max=5) == "is not a number of at most 5"


def test_an_empty_table_has_no_rules_of_what_is_in_it() -> None:
    rules = table_rules(
        {"table": "interactions", "rows": 0, "refusals": "", "after_cutoff": 3}, ValidationSettings(), NOW
    )
    assert [rule.checked for rule in rules] == ["quarantined_share", "rows"]
    assert "(3 are at or after it)" in rules[-1].says


def test_rules_that_are_turned_off_are_not_there() -> None:
    def checked(**settings: Any) -> list[str]:
        profile = PROFILE | {"recent_median": 10}
        return [rule.checked for rule in table_rules(profile, ValidationSettings(**settings), NOW)]

    assert checked() == ["quarantined_share", "rows", "users", "items", "newest_age_days", "rows_to_recent"]
    assert checked(max_staleness_days=None, volume_tolerance=None) == ["quarantined_share", "rows", "users", "items"]
