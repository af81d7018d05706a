"""What a rule says, and what it checks."""

import pytest

from expectations.rules import Rule, first_of_its_id, has_rows, present, quarantined_share, statistic
from expectations.settings import ValidationSettings


def test_a_rule_checks_and_shows_its_own_column_unless_it_names_another() -> None:
    own = present("rating")
    assert (own.checked, own.shown) == ("rating", "rating")
    other = Rule("ExpectColumnValuesToBeNull", "rating", "could not be read", checks="text", shows="raw")
    assert (other.checked, other.shown) == ("text", "raw")
    assert other.reason == "ExpectColumnValuesToBeNull: rating could not be read"


def test_rules_of_rows_let_the_night_go_on_and_statistics_stop_it() -> None:
    assert present("user_id").severity == first_of_its_id("user_id", "").severity == "warning"
    assert statistic("n", "rows", "", "", at_least=1).severity == "critical"


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"at_least": 1}, {"min_value": 1}),
        ({"at_most": 0}, {"max_value": 0}),
        ({"at_least": 0, "at_most": 2}, {"min_value": 0, "max_value": 2}),
    ],
)
def test_a_statistic_has_the_bounds_that_are_given(bounds: dict[str, float], expected: dict[str, float]) -> None:
    assert statistic("n", "rows", "", "", **bounds).bounds == expected


def test_the_largest_share_in_quarantine_is_that_of_the_settings() -> None:
    rule = quarantined_share({"refusals": "too many rows"}, ValidationSettings(max_quarantined_share=0.2))
    assert (rule.says, rule.bounds) == ("too many rows", {"max_value": 0.2})


def test_an_empty_table_is_named() -> None:
    rule = has_rows({"table": "users"}, " at all", "give some")
    assert (rule.says, rule.bounds) == ("the table users has no rows at all", {"min_value": 1})
