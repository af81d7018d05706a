"""Settings of exploration."""

from pydantic import BaseModel, ConfigDict, Field


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


NO_EXPLORATION = ExplorationSettings()
