"""What a challenger must show before its lists replace the champion's."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks.panel.measures import BY_NAME


class SlopeGuard(BaseModel):
    """How much a figure of the long run may change a day."""

    model_config = ConfigDict(extra="forbid")

    days: Literal[7, 28, 90] = Field(default=28, description="The days that its slope is over.")
    max: float | None = Field(default=None, description="The largest change a day.")
    min: float | None = Field(default=None, description="The smallest change a day, such as -0.01.")

    @model_validator(mode="after")
    def guards_something(self) -> Self:
        if self.max is None and self.min is None:
            raise ValueError("give max, min, or both")
        return self


class GateSettings(BaseModel):
    """What a challenger must show before its lists replace the champion's."""

    model_config = ConfigDict(extra="forbid")

    pinned_model: str | None = Field(
        default=None, description="Always publish this model, whatever the figures say (pinned)."
    )
    min_gain: float = Field(
        default=0.01, ge=0, description="Gain of NDCG over the champion's that promotes a challenger, as a share of it."
    )
    significance: float = Field(
        default=0.05, gt=0, le=1, description="The gain's p-value, corrected for all challengers, must be below this."
    )
    min_ope_gain: float | None = Field(
        default=None,
        gt=-1,
        description="Least off-policy gain over the champion, as a share of it: the lower end of an interval to be "
        "trusted (docs/evaluation.md); below 0, what a challenger may lose.",
    )
    max_coverage_loss: float | None = Field(
        default=0.5, ge=0, le=1, description="Share of the champion's coverage that a challenger may lose."
    )
    max_tail_loss: float | None = Field(
        default=None, ge=0, le=1, description="Share of the champion's recall of tail items that it may lose."
    )
    min_cold_share: float | None = Field(
        default=None, ge=0, le=1, description="Least share of its lists for items without any history."
    )
    max_cold_share: float | None = Field(
        default=None, ge=0, le=1, description="Largest share of its lists for items without any history."
    )
    max_churn: float | None = Field(
        default=None, ge=0, le=1, description="Share of its lists that may differ from those of the last export."
    )
    max_identical_lists: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest share of the lists of what is published that may be, place by place, another user's too.",
    )
    max_gini: float | None = Field(
        default=None, ge=0, le=1, description="Largest Gini coefficient of how often what is published shows each item."
    )
    max_popularity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Largest average popularity of what is published: the share of users that know an item of a list.",
    )
    max_slice_loss: float | None = Field(
        default=0.2, ge=0, le=1, description="Share of the champion's NDCG that it may lose in any slice of users."
    )
    max_domain_loss: float | None = Field(
        default=0.1,
        ge=0,
        le=1,
        description="The same in any domain of a site with several, by the lists of the domain alone: what a model "
        "learns in one may hurt the other.",
    )
    slice_users: int = Field(default=200, ge=1, description="Slices of fewer users are not guarded.")
    max_training_minutes: float | None = Field(default=None, gt=0, description="How long its training may take.")
    slopes: dict[str, SlopeGuard] = Field(
        default={},
        description="How much figures of the long run may change a day, by name: [gate.slopes.exposure_gini] with max.",
    )
    min_quality: float | None = Field(
        default=0.7,
        ge=0,
        description="The night stops if the champion's NDCG falls below this share of its median of recent nights.",
    )
    min_lift: float | None = Field(
        default=0.7,
        ge=0,
        description="The same for the champion's NDCG divided by that of popularity over 7 days.",
    )
    recent_nights: int = Field(default=7, ge=1, description="How many nights are recent.")
    min_nights: int = Field(default=2, ge=1, description="Recent nights without which its quality is not judged.")
    on_missing_champion: Literal["refit_last", "best", "stop"] = Field(
        default="refit_last",
        description="What is published if the champion cannot be measured: its lists, by its recipe fitted again, and "
        "where that fails, as best (refit_last); the best model that loses no more than max_drop (best); nothing "
        "(stop).",
    )
    max_drop: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of the champion's NDCG that a model may lose that is published as the champion is missing.",
    )
    max_failed: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A night of which more than this share of the candidates failed is degraded: exit code 5, a "
        "message.",
    )

    @field_validator("slopes")
    @classmethod
    def known_figures(cls, slopes: dict[str, SlopeGuard]) -> dict[str, SlopeGuard]:
        if unknown := next((name for name in slopes if name not in BY_NAME), None):
            raise ValueError(f"{unknown[:40]!r} is no figure of the long run; there are {', '.join(BY_NAME)}")
        return slopes
