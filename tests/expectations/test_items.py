"""Which rules the catalogue and the tags have."""

from expectations.items import row_rules, table_rules, tag_row_rules, tag_table_rules
from expectations.settings import ValidationSettings

PROFILE = {"table": "items", "rows": 3, "refusals": ""}


def test_an_item_has_an_id_of_its_own() -> None:
    assert [rule.checked for rule in row_rules()] == ["item_id", "occurrence"]


def test_titles_are_asked_for_where_the_catalogue_has_the_column() -> None:
    settings = ValidationSettings()
    assert [rule.checked for rule in table_rules(PROFILE, settings)] == ["quarantined_share", "rows"]
    titles = table_rules(PROFILE | {"titles": 0}, settings)[-1]
    assert (titles.checked, titles.severity) == ("titles", "warning")


def test_the_time_of_a_tag_may_be_missing_but_not_unreadable() -> None:
    assert [rule.checked for rule in tag_row_rules(["item_id", "tag"])] == ["item_id", "tag"]
    assert tag_row_rules(["timestamp_text"])[-1].expectation == "ExpectColumnValuesToBeNull"


def test_there_may_be_no_tags() -> None:
    assert [rule.checked for rule in tag_table_rules(PROFILE, ValidationSettings())] == ["quarantined_share"]
