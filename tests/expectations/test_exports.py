"""An export is published only if the counts of its files say that it keeps its contract."""

from pathlib import Path

import pandas as pd
import pytest

from expectations import exports
from expectations.errors import ExportRefused
from expectations.exports import NEEDED, check_export
from expectations.runner import Suite

SOUND = dict.fromkeys(NEEDED, 0) | {
    "users_expected": 100,
    "users_listed": 100,
    "rows_expected": 1000,
    "rows": 1000,
    "k": 10,
    "users_unknown": 0,
    "cold_users": 7,
}


def test_a_sound_export_passes() -> None:
    check_export(SOUND)


def test_an_export_with_no_expected_rows_and_none_written_passes() -> None:
    check_export(SOUND | {"rows": 0, "rows_expected": 0})


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"users_listed": 99}, "99 users have a list where 100 should (ExpectColumnMaxToBeBetween on users_listed)"),
        ({"users_listed": 101}, "101 users have a list where 100 should"),
        ({"rows": 999}, "there are 999 rows where 1000 are expected (top 10 of every user)"),
        ({"rows": 1001}, "there are 1001 rows where 1000 are expected"),
        ({"k": 0}, "k is 0"),
        ({"users_unknown": 1}, "rows for users that are not known: 1"),
        ({"items_unknown": 2}, "rows with items that are not in the catalogue: 2"),
        ({"items_unavailable": 3}, "rows with items that are not available: 3"),
        ({"items_seen": 4}, "rows with items that the user has already: 4"),
        ({"duplicate_items": 5}, "rows with an item that the user's list has twice: 5"),
        ({"rank_gaps": 6}, "rows whose rank does not follow the one before, from 1: 6"),
        ({"scores_not_finite": 7}, "scores that are not finite: 7"),
        (
            {"scores_increasing": 8},
            "scores that increase with the rank: 8 (ExpectColumnMaxToBeBetween on scores_increasing)",
        ),
    ],
)
def test_an_export_that_breaks_a_rule_is_refused_with_the_count(changed: dict[str, int], says: str) -> None:
    with pytest.raises(ExportRefused) as refused:
        check_export(SOUND | changed)
    message = str(refused.value)
    assert message.startswith(f"The export breaks its contract: {says}")
    assert message.count("ExpectColumn") == 1
    assert "the last export stays published" in message


def test_all_broken_rules_are_named() -> None:
    with pytest.raises(ExportRefused, match=r"not available: 3 .*; rows whose rank .*: 1 "):
        check_export(SOUND | {"rank_gaps": 1, "items_unavailable": 3})


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_count_that_is_missing_is_refused(name: str) -> None:
    with pytest.raises(ExportRefused, match=f"nobody counted {name}"):
        check_export({key: count for key, count in SOUND.items() if key != name})


def test_a_count_that_is_none_is_refused() -> None:
    with pytest.raises(ExportRefused, match="scores that are not finite: None"):
        check_export(SOUND | {"scores_not_finite": None})


def test_the_export_suite_joins_the_data_docs_of_the_night(tmp_path: Path) -> None:
    check_export(SOUND, tmp_path, "2026-11-25")
    assert "2026-11-25: exports-table passed" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(("count", "holds"), [(0, True), (1, False), (-1, False), (float("nan"), False), (None, False)])
def test_the_bounds_alone_say_what_great_expectations_says(count: float | None, holds: bool) -> None:
    profile = SOUND | {"rank_gaps": count}
    (rule,) = [rule for rule in exports._table_rules(profile) if rule.checked == "rank_gaps"]
    suite = Suite("exports-table", [rule])
    suite.check(pd.DataFrame([profile]))
    assert exports._holds(rule, count) == holds == (not suite.failed("critical"))
