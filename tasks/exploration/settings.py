"""Settings of exploration."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ExplorationSettings(BaseModel):
    """Some users see, in one place, what another of tonight's models proposes, so that each can be judged by it."""

    model_config = ConfigDict(extra="forbid")

    epsilon: float = Field(
        default=0, ge=0, le=1, description="Share of the lists in which one place is drawn among proposals; 0: none."
    )
    slot: int | None = Field(
        default=None, ge=1, description="The place, from 1; the last one of a list by default, and of a shorter list."
    )
    users: float = Field(
        default=1, gt=0, le=1, description="Share of the users whose lists may be drawn on a night: less work on it."
    )
    way: Literal["candidates", "new_items", "thompson"] = Field(
        default="candidates",
        description="What is proposed: what the other models rank highest (candidates), or that among the items that "
        "were seldom shown (new_items), or what the winner would rank highest by a little other data (thompson).",
    )
    replicates: int = Field(
        default=5, ge=2, le=50, description="For way = thompson: how often the winner is fitted, on half of the users."
    )
    enough_exposures: int = Field(
        default=100, ge=1, description="For new_items: how often an item must have been shown to count as known."
    )
    choose: Literal["uniform", "linucb", "thompson"] = Field(
        default="uniform",
        description="How probable each proposal is where one is drawn: all alike, or by what came of those of the last "
        "28 days, by LinUCB or Thompson sampling.",
    )
    segment: str | None = Field(
        default=None, description="For linucb and thompson: a user column, for whose values they learn apart."
    )

    @model_validator(mode="after")
    def segment_is_of_use(self) -> Self:
        if self.segment is not None and self.choose == "uniform":
            raise ValueError("segment goes with choose = linucb or thompson; uniform treats all users alike")
        return self

    @model_validator(mode="after")
    def replicates_are_alike(self) -> Self:
        if self.way == "thompson" and self.choose != "uniform":
            raise ValueError(
                f"way = thompson goes without choose = {self.choose}: other replicates are drawn each night, and there "
                "is none to learn about; leave choose out"
            )
        return self


NO_EXPLORATION = ExplorationSettings()
