"""Settings of the stage panel."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Share = Annotated[float, Field(ge=0)]


class PanelSettings(BaseModel):
    """What each night notes of what its lists do over weeks and months (docs/feedback.md)."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=True, description="Whether nights note it.")
    users: int = Field(
        default=2000,
        ge=100,
        le=100_000,
        description="How many users are followed from night to night: those whose ids have the smallest hashes.",
    )
    provider: str | None = Field(
        default=None,
        description="Column of the items with who provides them, e.g. brand, to measure their exposure.",
    )
    target: Literal["catalogue", "equal"] | dict[str, Share] = Field(
        default="catalogue",
        description="What share of exposure providers should have: that of the items (catalogue), the same (equal), or "
        "weights by name, such as {Acme = 2, Other = 1}.",
    )
    keep_days: int = Field(
        default=120,
        ge=90,
        description="How long the figures of the users who are followed are kept; those of nights stay in the history.",
    )

    @field_validator("target")
    @classmethod
    def not_nothing(cls, target: str | dict[str, float]) -> str | dict[str, float]:
        if isinstance(target, dict) and not sum(target.values()) > 0:
            raise ValueError("give at least one provider a weight above 0")
        return target
