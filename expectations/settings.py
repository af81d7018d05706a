"""Settings of the stage validate."""

from __future__ import annotations

from datetime import date
from typing import Self

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
    rating_min: float | None = Field(
        None, allow_inf_nan=False, description="Lowest rating there is; lower ones are refused."
    )
    rating_max: float | None = Field(
        None, allow_inf_nan=False, description="Highest rating there is; higher ones are refused."
    )
    require_known_items: bool = Field(False, description="Refuse interactions whose item is not in the items table.")
    min_known_items_share: float = Field(
        0.5, ge=0, le=1, description="Least share of interactions whose item is in the items table, if there is one."
    )
    min_known_exposures_share: float = Field(
        0.5, ge=0, le=1, description="Least share of exposures whose user and item are known; below it there is a note."
    )
    max_unpublished_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Largest share of exposures with items that the export they name does not have; above it there is "
        "a note.",
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
