"""What a rule is, and the settings a site may turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ValidationSettings(BaseModel):
    """What the data must be for a night to go on."""

    model_config = ConfigDict(extra="forbid")

    max_quarantined_share: float = Field(
        0.05, ge=0, le=1, description="Largest share of a table's rows that may be refused before the night stops."
    )
    max_staleness_days: float | None = Field(
        7.0, gt=0, description="Oldest that the newest interaction may be at the cutoff, in days; none: any age."
    )
    earliest: date = Field(
        date(1990, 1, 1), description="Interactions before this day (UTC) are refused as misread timestamps."
    )
    rating_min: float | None = Field(None, description="Lowest rating there is; lower ones are refused.")
    rating_max: float | None = Field(None, description="Highest rating there is; higher ones are refused.")
    require_known_items: bool = Field(False, description="Refuse interactions whose item is not in the items table.")
    min_known_items_share: float = Field(
        0.5, ge=0, le=1, description="Least share of interactions whose item is in the items table, if there is one."
    )
    min_users: int = Field(2, ge=1, description="Fewest users the interactions may have.")
    min_items: int = Field(2, ge=1, description="Fewest items the interactions may have.")
    volume_tolerance: float | None = Field(
        0.5,
        gt=0,
        description="How far the number of interactions may be from the median of recent nights, as a share of it; "
        "none: any number.",
    )

    @model_validator(mode="after")
    def _ratings_in_order(self) -> Self:
        if self.rating_min is not None and self.rating_max is not None and self.rating_min > self.rating_max:
            raise ValueError(f"rating_min {self.rating_min:g} is above rating_max {self.rating_max:g}")
        return self


@dataclass(frozen=True)
class Rule:
    """One Great Expectations expectation, and how people are told about it.

    A row rule is checked on every row; rows that break it are refused, and ``says`` ends the sentence
    "<column> …". A table rule is checked on a frame of one row, the profile of the table; it stops the night
    when it is critical, and ``says`` is the sentence.
    """

    expectation: str  # a class of great_expectations.expectations
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


def row_rule(expectation: str, column: str, says: str, **more: Any) -> Rule:
    """A rule that refuses rows and lets the night go on."""
    return Rule(expectation, column, says, severity="warning", **more)


def present(column: str, says: str = "is missing", **more: Any) -> Rule:
    """Every row has a value; an empty or blank text is none."""
    return row_rule("ExpectColumnValuesToNotBeNull", column, says, **more)


def first_of_its_id(column: str) -> Rule:
    """Every id stands in one row; the first is kept. ``occurrence`` is 2 in the later ones."""
    return row_rule(
        "ExpectColumnValuesToBeBetween",
        column,
        "stands in an earlier row already",
        bounds={"max_value": 1},
        checks="occurrence",
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


def quarantined_share(profile: Mapping[str, Any], rules: ValidationSettings) -> Rule:
    """Few enough rows were refused. ``profile`` has ``refusals``, the sentence that tells which and why."""
    return statistic(
        "quarantined_share",
        "reason",
        str(profile["refusals"]),
        "mend the input, or raise validation.max_quarantined_share",
        at_most=rules.max_quarantined_share,
    )


def has_rows(profile: Mapping[str, Any], why: str, advice: str) -> Rule:
    """The table is not empty (an empty one passes every check of its values)."""
    return statistic("rows", "rows", f"the table {profile['table']} has no rows{why}", advice, at_least=1)
