"""The settings of the built-in demo site."""

from pydantic import BaseModel, ConfigDict, Field


class DemoSettings(BaseModel):
    """The built-in demo site, used when no inputs are given."""

    model_config = ConfigDict(extra="forbid")

    users: int = Field(default=8_000, ge=2, description="How many users it has.")
    items: int = Field(default=2_000, ge=2, description="How many items.")
    interactions: int = Field(default=250_000, ge=10, description="How many interactions, over 90 days.")
    seed: int = Field(default=0, ge=0, description="The same seed makes the same site.")
