"""Settings of the stage prepare."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class PrepareSettings(BaseModel):
    """How interactions become training data, and which of them are held out."""

    model_config = ConfigDict(extra="forbid")

    event_weights: dict[str, float] = Field(
        default={}, description="Weight of each event, e.g. view = 1, purchase = 5; others weigh 1."
    )
    min_rating: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Lower ratings are no sign of interest: seen, but excluded from training.",
    )
    duplicates: Literal["max", "sum", "last"] = Field(
        default="max", description="Weight of several events of one user with one item."
    )
    min_user_interactions: int = Field(
        default=2, ge=1, description="Users with fewer items are excluded from training and get the fallback lists."
    )
    min_item_interactions: int = Field(
        default=1, ge=1, description="Items with fewer users are excluded from training."
    )
    holdout: Literal["auto", "days", "last", "random", "user-fold"] = Field(
        default="auto",
        description="What is held out to compare models: the last days, each user's last items, a random share of "
        "all items, the last items of users who are held out of training (user-fold), or (auto) the last days if they "
        "give enough users to evaluate, else the last items.",
    )
    holdout_items: int = Field(default=1, ge=1, description="Items of each user that last and user-fold hold out.")
    holdout_share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the items (random) or of the users (user-fold) that is held out."
    )
    holdout_seed: int = Field(default=0, ge=0, description="Seed of the draws of random and user-fold.")
    holdout_days: int = Field(default=7, ge=1, description="Length of the holdout; auto may widen it to four times.")
    holdout_min_users: int = Field(
        default=200, ge=1, description="Fewest users with a history and a holdout for which auto takes the last days."
    )
    holdout_repeats: bool = Field(
        default=False,
        description="Whether what a user does again in the last days is held out too, for lists with export.repeats.",
    )
    holdout_max_users: int = Field(
        default=100_000,
        ge=1,
        description="Most users who are measured, drawn by holdout_seed where more have something held out.",
    )

    @field_validator("event_weights")
    @classmethod
    def no_negative_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if wrong := [event for event, weight in weights.items() if not 0 <= weight < float("inf")]:
            raise ValueError(f"the weight of {wrong[0]} is {weights[wrong[0]]}; give 0 or more")
        return weights
