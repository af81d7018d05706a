"""Settings of the stage exposures."""

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
