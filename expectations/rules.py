"""What a rule is, and the kinds of rules that several tables share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from expectations.settings import ValidationSettings

RowKind = Literal[
    "ExpectColumnValuesToNotBeNull",
    "ExpectColumnValuesToBeNull",
    "ExpectColumnValuesToBeInSet",
    "ExpectColumnValuesToBeBetween",
]
"""The expectations that judge each row; all that judge rows in another way must learn them too."""
OCCURRENCE = "occurrence"
"""The column of a checked frame that is 2 in all rows of an id but the one that is kept."""


@dataclass(frozen=True)
class Rule:
    """One Great Expectations expectation, and the words that people read about it.

    A row rule is checked on every row; rows that break it are refused, and `says` ends the sentence
    "<column> …". A table rule is checked on a frame of one row, the profile of the table; it stops the night
    when it is critical, and `says` is the sentence.
    """

    expectation: RowKind | Literal["ExpectColumnMaxToBeBetween"]  # a class of great_expectations.expectations
    column: str  # the column as people know it
    says: str
    bounds: Mapping[str, Any] = field(default_factory=dict)  # the expectation's other arguments
    checks: str = ""  # the column of the checked frame, if it has another name
    shows: str = ""  # the raw column that examples are taken from, if it has another name
    advice: str = ""  # what to do about it
    severity: Literal["critical", "warning"] = "critical"

    @property
    def checked(self) -> str:
        """The column of the frame that is checked."""
        return self.checks or self.column

    @property
    def shown(self) -> str:
        """The raw column whose values serve as examples."""
        return self.shows or self.column

    @property
    def reason(self) -> str:
        """Why a row is in quarantine."""
        return f"{self.expectation}: {self.column} {self.says}"


def row_rule(expectation: RowKind, column: str, says: str, **more: Any) -> Rule:
    """A rule that refuses rows and lets the night go on."""
    return Rule(expectation, column, says, severity="warning", **more)


def present(column: str, says: str = "is missing", **more: Any) -> Rule:
    """Every row has a value; an empty or blank text is none."""
    return row_rule("ExpectColumnValuesToNotBeNull", column, says, **more)


def first_of_its_id(column: str, prevails: str) -> Rule:
    """Every id stands in one row; the first is kept. `occurrence` is 2 in the later ones.

    `prevails`: what holds of the kept row if any of the others says it.
    """
    return row_rule(
        "ExpectColumnValuesToBeBetween",
        column,
        f"stands in an earlier row already, which is kept ({prevails})",
        bounds={"max_value": 1},
        checks=OCCURRENCE,
    )


def statistic(
    name: str,
    column: str,
    says: str,
    advice: str,
    at_least: float | None = None,
    at_most: float | None = None,
    severity: Literal["critical", "warning"] = "critical",
) -> Rule:
    """A number of the profile lies within bounds; a number that could not be computed does not."""
    bounds = {"min_value": at_least, "max_value": at_most}
    return Rule(
        "ExpectColumnMaxToBeBetween",
        column,
        says,
        {name: bound for name, bound in bounds.items() if bound is not None},
        checks=name,
        advice=advice,
        severity=severity,
    )


def quarantined_share(profile: Mapping[str, Any], settings: ValidationSettings) -> Rule:
    """Few enough rows were refused. `profile` has `refusals`, the sentence that says which and why."""
    return statistic(
        "quarantined_share",
        "reason",
        str(profile["refusals"]),
        "fix the input, or raise validation.max_quarantined_share",
        at_most=settings.max_quarantined_share,
    )


def has_rows(profile: Mapping[str, Any], why: str, advice: str) -> Rule:
    """The table is not empty (an empty one passes every check of its values)."""
    return statistic("rows", "rows", f"the table {profile['table']} has no rows{why}", advice, at_least=1)
