"""Settings of the stage exposures."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FeedbackSettings(BaseModel):
    """What a night takes for shown, to learn what its lists did."""

    model_config = ConfigDict(extra="forbid")

    assume_exposures: bool = Field(
        default=False,
        description="Where no exposures are given: take the lists that were published since the last night for shown "
        "to the users who were active; what is made of it says so.",
    )
    seen_places: int = Field(
        default=10, ge=1, le=1000, description="How many places of a list are then taken to have been seen."
    )
    reward: Literal["auto", "clicked", "outcome", "interaction"] = Field(
        default="auto",
        description="What an exposure was worth: clicked or outcome, as logged, or whether the user interacted with "
        "the item (interaction); auto is the first of them that is logged.",
    )
    outcome_hours: float = Field(
        default=24, gt=0, le=720, description="How long after an exposure what came of it is known."
    )
    keep_days: int = Field(
        default=90,
        ge=1,
        description="For how many days is kept what is learned from the lists (feedback/<date>).",
    )
    ope_days: int = Field(
        default=28, ge=1, description="Of how many days the exposures are that candidates are judged by (nightrec ope)."
    )
