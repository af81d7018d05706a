"""Settings of arms: which share of the users gets which other lists."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from recmodels.experiments.assignment import MAIN
from tasks.train.settings import NAME

WITH_A_MODEL = ("challenger", "interleave")
MOST = 16


class ArmSettings(BaseModel):
    """One arm: how many users are in it, and what their lists are made by."""

    model_config = ConfigDict(extra="forbid")

    share: float = Field(gt=0, lt=1, description="Share of the users who are in it, such as 0.05.")
    policy: Literal["popularity", "last_champion", "challenger", "no_exploration", "interleave"] = Field(
        description="What their lists are made by: popularity; the model that was published before the one of tonight, "
        "trained again (last_champion); another candidate of the night (challenger); the winner, without exploration; "
        "the winner and another candidate in turns (interleave)."
    )
    model: str | None = Field(
        default=None,
        description="Which candidate challenger and interleave mean; the best of the night that is not the winner, if "
        "not given.",
    )

    @model_validator(mode="after")
    def model_is_of_use(self) -> "ArmSettings":
        if self.model is not None and self.policy not in WITH_A_MODEL:
            raise ValueError(f"model goes with {' and '.join(WITH_A_MODEL)}; leave it out with {self.policy}")
        return self


class ArmsSettings(BaseModel):
    """Arms beside `main`, whose users get other lists, so that nights can tell what the lists do."""

    model_config = ConfigDict(extra="forbid")

    salt: str = Field(default="1", description="What users are assigned by; another salt assigns everybody anew.")
    groups: dict[str, ArmSettings] = Field(
        default={}, description="The arms by name, [arms.groups.NAME]; all other users are in main."
    )

    @field_validator("groups")
    @classmethod
    def names_and_shares_fit(cls, groups: dict[str, ArmSettings]) -> dict[str, ArmSettings]:
        for name in groups:
            if name == MAIN:
                raise ValueError(f"{MAIN} is the arm of all other users; give this one another name")
            if not re.match(NAME, name):
                raise ValueError(f"{name[:40]!r} is no name of an arm: use lower-case letters, digits and _")
        if len(groups) > MOST:
            raise ValueError(f"there are {len(groups)} arms; at most {MOST} are possible")
        if (total := sum(arm.share for arm in groups.values())) >= 1:
            raise ValueError(f"the shares of the arms add up to {total:g}; leave some users to {MAIN}: below 1")
        return groups

    @property
    def models(self) -> list[str]:
        """The candidates that arms name."""
        return [arm.model for arm in self.groups.values() if arm.model is not None]

    @property
    def shares(self) -> dict[str, float]:
        """The share of each arm, in the order of the settings."""
        return {name: arm.share for name, arm in self.groups.items()}
