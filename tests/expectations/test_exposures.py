"""Which rules the exposures have."""

from datetime import UTC, datetime

import pytest

from expectations.exposures import AFTER_PUBLICATION, row_rules, table_rules
from expectations.settings import ValidationSettings

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PROFILE = {"table": "exposures", "rows": 10, "refusals": ""}


def test_an_exposure_says_who_saw_what_where_and_when() -> None:
    needed = ["user_id", "item_id", "timestamp", "timestamp", "timestamp", "rank", "rank"]
    assert [rule.checked for rule in row_rules([], ValidationSettings(), NOW)] == needed
    more = ["clicked_text", "outcome_text", AFTER_PUBLICATION]
    assert [rule.checked for rule in row_rules(more, ValidationSettings(), NOW)] == needed + more


@pytest.mark.parametrize(
    ("found", "checked"),
    [
        ({}, []),
        ({"known_exposures_share": 0.1, "unknown_exposures": 9}, ["known_exposures_share"]),
        ({"unpublished_share": 0.1, "unpublished": 1, "of_exports": 10}, ["unpublished_share"]),
    ],
)
def test_unknown_and_unpublished_exposures_are_noted_and_stop_nothing(
    found: dict[str, float], checked: list[str]
) -> None:
    rules = table_rules({**PROFILE, **found}, ValidationSettings())
    assert [rule.checked for rule in rules] == ["quarantined_share", *checked]
    assert {rule.severity for rule in rules[1:]} <= {"warning"}
