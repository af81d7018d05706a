"""What an export must be before anybody reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from expectations.errors import ExportRefused
from expectations.rules import Rule, statistic
from expectations.runner import Suite, write_docs

ZERO = {  # counts that are zero in a sound export: the column they are about, and what one of them is
    "users_unknown": ("user_id", "rows for users that are not known"),
    "items_unknown": ("item_id", "rows with items that are not in the catalogue"),
    "items_unavailable": ("item_id", "rows with items that are not available"),
    "items_seen": ("item_id", "rows with items that the user has already"),
    "items_excluded": ("item_id", "rows with items that the rules of the lists leave out"),
    "over_caps": ("item_id", "lists with more items of a category than its cap"),
    "reasons_not_seen": ("reason_item_id", "reasons that are no item of the user's own history"),
    "origins_unnamed": ("policy", "rows without an arm or a policy"),
    "arms_mixed": ("arm", "rows of another arm than the row before, in one list"),
    "propensities_wrong": ("propensity", "rows whose propensity is not above 0 and at most 1"),
    "duplicate_items": ("item_id", "rows with an item that the user's list has twice"),
    "rank_gaps": ("rank", "rows whose rank does not follow the one before, from 1"),
    "scores_not_finite": ("score", "scores that are not finite"),
    "scores_increasing": ("score", "scores that increase with the rank"),
    "popular_unavailable": ("item_id", "rows of popular with items that are not available"),
    "similar_unknown": ("item_id", "rows of similar for items that are not in the catalogue"),
    "similar_unavailable": ("similar_item_id", "rows of similar with items that are not available"),
    "similar_repeats": ("similar_item_id", "rows of similar with an item twice, or with the item itself"),
    "similar_ranks": ("rank", "rows of similar whose rank or score does not follow the one before"),
}
SUITE = "exports-table"

LATER = {
    *("users_unknown", "items_excluded", "over_caps", "reasons_not_seen", "popular_unavailable"),
    *("origins_unnamed", "arms_mixed", "propensities_wrong"),
    *(name for name in ZERO if name.startswith("similar_")),
}  # counted where there is something to count
NEEDED = {"users_expected", "users_listed", "rows_expected", "rows", "k", *ZERO} - LATER
ADVICE = "the last export stays published: please report this, with the files, as a bug of the model that won"


def _table_rules(profile: Mapping[str, Any]) -> list[Rule]:
    """The rules of an export, given the counts of its files (see `check_export`)."""
    users, rows = profile["users_expected"], profile["rows_expected"]
    found = [
        statistic(
            "users_listed",
            "user_id",
            f"{profile.get('users_listed')} users have a list where {users} should",
            ADVICE,
            at_least=users,
            at_most=users,
        ),
        statistic(
            "rows",
            "rows",
            f"there are {profile.get('rows')} rows where {rows} are expected (top {profile.get('k')} of every user)",
            ADVICE,
            at_least=rows,
            at_most=rows,
        ),
        statistic("k", "rank", f"k is {profile.get('k')}", ADVICE, at_least=1),
    ]
    return found + [
        statistic(name, column, f"{says}: {profile[name]}", ADVICE, at_least=0, at_most=0)
        for name, (column, says) in ZERO.items()
        if name in profile
    ]


def check_export(profile: Mapping[str, Any], docs_out: Path | None = None, run_date: str = "") -> None:
    """Judge an export by the counts of its written files.

    `profile` has the counts named in `NEEDED`, perhaps those of `LATER`, and whatever else; a count of None
    is refused. With `docs_out` a page of Data Docs is added to that folder.

    Raises:
        ExportRefused: a rule is broken, or a count is missing.
    """
    if missing := sorted(NEEDED - profile.keys()):
        raise ExportRefused(f"The export cannot be judged: nobody counted {', '.join(missing)}; {ADVICE}.")
    rules = _table_rules(profile)
    if docs_out is None and all(_holds(rule, profile.get(rule.checked)) for rule in rules):
        return  # Great Expectations takes seconds to load; only a broken rule and the docs need it
    suite = Suite(SUITE, rules)
    suite.check(pd.DataFrame([dict(profile)]))
    if docs_out is not None:
        write_docs(docs_out, [suite], run_date)
    failed = suite.failed("critical")
    if failed:
        broken = "; ".join(
            f"{finding.error or finding.rule.says} ({finding.rule.expectation} on {finding.rule.checked})"
            for finding in failed
        )
        raise ExportRefused(f"The export breaks its contract: {broken}; {ADVICE}.")


def _holds(rule: Rule, count: Any) -> bool:
    """Whether a count is a number within the bounds of its rule."""
    if not isinstance(count, int | float):
        return False
    least, most = rule.bounds.get("min_value"), rule.bounds.get("max_value")
    return (least is None or count >= least) and (most is None or count <= most)
