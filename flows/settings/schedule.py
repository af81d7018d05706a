"""Settings of nights that run by themselves: when, and how they deal with workers."""

from datetime import time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tasks.store.lease import STALE


class ScheduleSettings(BaseModel):
    """When the night runs by itself, once it is deployed."""

    model_config = ConfigDict(extra="forbid")

    cron: str = Field(default="30 3 * * *", description="Minute, hour, day, month, weekday, in the site's time zone.")
    active: bool = Field(default=True, description="Whether it runs by itself at all.")
    due: time = Field(default=time(6), description="The export is to be out by then, in the site's time zone.")
    patience_minutes: float = Field(
        default=60, ge=0, description="How long a night waits for another one in the same store."
    )

    @field_validator("cron")
    @classmethod
    def known_cron(cls, cron: str) -> str:
        from prefect.client.schemas.schedules import CronSchedule

        try:
            CronSchedule(cron=cron)
        except ValueError:
            raise ValueError("no cron expression; write five fields, for instance 30 3 * * *") from None
        return cron


class WorkerSettings(BaseModel):
    """How a night deals with the workers that train its candidates."""

    model_config = ConfigDict(extra="forbid")

    without_worker: Literal["wait", "run elsewhere", "skip"] = Field(
        default="run elsewhere",
        description="When the pool of a model has no live worker: wait for one, train it elsewhere, or skip the model.",
    )
    start_minutes: float = Field(default=60, gt=0, description="A model that no worker takes up by then is skipped.")
    lost_seconds: float = Field(default=STALE, ge=20, description="A worker silent for this long has died.")
    outage_minutes: float = Field(default=10, gt=0, description="How long a night survives without Prefect's server.")
    poll_seconds: float = Field(default=2, gt=0, description="Between two looks at the runs.")
