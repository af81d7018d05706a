"""Settings of simulations: how long, how many, how users behave, and which policies are compared."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks.train.settings import NAME

CHAMPION, RANDOM, ORACLE = "champion", "random", "oracle"
"""Models of a policy that are no recommenders: what is published, items at random, and what users truly like best."""
MOST = 32  # policies


class BehaviorSettings(BaseModel):
    """How simulated users behave; docs/simulate.md has the parameters of nightrec's own model, and its limits."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(
        default="nightrec", description="Name of a behavior model: nightrec, or your own class as module:Class."
    )
    parameters: dict[str, Any] = Field(
        default={}, description="What it assumes, e.g. { adoption = 0.7 }; what is not given has its default."
    )


class PolicySettings(BaseModel):
    """One policy: the model that makes the lists, and what is done to them; what is not given is as nights do it."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(
        default="",
        description="A candidate of [models], a recommender, or champion, random or oracle; the policy's own name by "
        "default.",
    )
    parameters: dict[str, Any] = Field(default={}, description="Hyper-parameters beside those of the candidate.")
    retrain_every: int | None = Field(
        default=None, ge=0, description="Nights between two trainings, 0: only once; simulate.retrain_every by default."
    )
    relevance_weight: float | None = Field(
        default=None, ge=0, le=1, description="Relevance against diversity, in place of export.relevance_weight."
    )
    calibration: float | None = Field(
        default=None, ge=0, le=1, description="Weight of the user's own mix, in place of export.calibration."
    )
    popularity_damping: float | None = Field(
        default=None, ge=0, le=10, description="In place of export.popularity_damping."
    )
    max_per_category: int | None = Field(default=None, ge=1, description="In place of export.max_per_category.")
    new_share: float | None = Field(
        default=None, ge=0, le=1, description="Share of the places for new items, in place of export.new_share."
    )
    epsilon: float | None = Field(
        default=None, ge=0, le=1, description="Share of the lists that explore, in place of exploration.epsilon."
    )
    choose: Literal["uniform", "linucb", "thompson"] | None = Field(
        default=None, description="How a proposal is drawn, in place of exploration.choose."
    )


class SimulateSettings(BaseModel):
    """What a switch would do over many nights, by users who are simulated (`nightrec simulate`)."""

    model_config = ConfigDict(extra="forbid")

    nights: int = Field(default=100, ge=1, le=10_000, description="How many nights go by.")
    users: int = Field(
        default=5_000, ge=20, le=1_000_000, description="How many users take part; with --from-store at most so many."
    )
    items: int = Field(
        default=2_000, ge=20, le=1_000_000, description="How many items; with --from-store at most so many."
    )
    k: int | None = Field(default=None, ge=1, le=1000, description="Items in a list; export.k by default.")
    retrain_every: int = Field(
        default=1, ge=0, description="Nights between two trainings; 0: models are trained once and never again."
    )
    repetitions: int = Field(
        default=1, ge=1, le=100, description="How often each policy is tried, with other chances each time."
    )
    seed: int = Field(default=0, ge=0, description="All chances follow from it; policies meet the same.")
    checkpoint_nights: int = Field(
        default=10, ge=1, description="After so many nights a policy's state is saved: a killed one goes on from there."
    )
    limit_hours: float = Field(default=24, gt=0, description="A policy that takes longer is stopped.")
    keep: int | None = Field(default=20, ge=1, description="How many of the newest simulations are kept.")
    behavior: BehaviorSettings = BehaviorSettings()
    policies: dict[str, PolicySettings] = Field(
        default={},
        description="What is compared, by name; by default every candidate, and with --from-store the champion with "
        "exploration and with re-ranked lists as well.",
    )

    @field_validator("policies")
    @classmethod
    def named(cls, policies: dict[str, PolicySettings]) -> dict[str, PolicySettings]:
        for name in policies:
            if not re.match(NAME, name):
                raise ValueError(f"{name[:40]!r} is no name of a policy: use lower-case letters, digits and _")
        if len(policies) > MOST:
            raise ValueError(f"there are {len(policies)} policies; at most {MOST} are possible")
        return policies

    @model_validator(mode="after")
    def room_in_lists(self) -> "SimulateSettings":
        if self.k is not None and self.k > self.items:
            raise ValueError(f"lists have {self.k} items (k), and there are {self.items}: raise items, or lower k")
        return self
