"""Which rules the users have."""

from expectations.settings import ValidationSettings
from expectations.users import row_rules, table_rules


def test_a_user_has_an_id_of_its_own_and_the_table_has_rows() -> None:
    assert [rule.checked for rule in row_rules()] == ["user_id", "occurrence"]
    profile = {"table": "users", "rows": 3, "refusals": ""}
    assert [rule.checked for rule in table_rules(profile, ValidationSettings())] == ["quarantined_share", "rows"]
