"""Settings of nights that run by themselves: when they run, and how they deal with workers."""

import re
from datetime import time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tasks.store.lease import STALE

LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))  # of minute, hour, day, month and weekday


class ScheduleSettings(BaseModel):
    """When the night runs by itself, once it is deployed."""

    model_config = ConfigDict(extra="forbid")

    cron: str = Field(default="30 3 * * *", description="Minute, hour, day, month, weekday, in the site's time zone.")
    active: bool = Field(default=True, description="Whether it runs by itself at all.")
    due: time = Field(default=time(6), description="The export is to be out by then, in the site's time zone.")
    patience_minutes: float = Field(
        default=60, ge=0, description="How long a night waits for another one in the same store."
    )

    stage_hours: float = Field(
        default=24,
        gt=0,
        description="A stage that takes longer hangs: it is given up, and the night fails. Trainings have limits of "
        "their own.",
    )

    @field_validator("cron")
    @classmethod
    def known_cron(cls, cron: str) -> str:
        if not (_is_plain(cron) or _is_known_to_prefect(cron)):
            raise ValueError("no cron expression; write five fields, for instance 30 3 * * *")
        return cron


class RefilterSettings(BaseModel):
    """Between nights: the current export without what has gone since (`nightrec refilter`)."""

    model_config = ConfigDict(extra="forbid")

    cron: str | None = Field(
        default=None, description="When a deployed site does so by itself, such as 15 * * * *; not at all without it."
    )
    max_gone_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Where more of the items that may be listed are gone, the table is taken to be incomplete.",
    )

    @field_validator("cron")
    @classmethod
    def known_cron(cls, cron: str | None) -> str | None:
        return cron if cron is None else ScheduleSettings.known_cron(cron)


class WorkerSettings(BaseModel):
    """How a night deals with the workers that train its candidates."""

    model_config = ConfigDict(extra="forbid")

    without_worker: Literal["wait", "run elsewhere", "skip"] = Field(
        default="run elsewhere",
        description="When the pool of a model has no live worker: wait for one, train it elsewhere, or skip the model.",
    )
    start_minutes: float = Field(default=60, gt=0, description="A model that no worker takes up by then is left out.")
    begin_minutes: float = Field(
        default=3,
        gt=0,
        description="A model that a worker has taken up and not begun by then is started again; containers have five "
        "times as long.",
    )
    lost_seconds: float = Field(default=STALE, ge=20, description="A worker silent for this long has died.")
    outage_minutes: float = Field(default=10, gt=0, description="How long a night survives without Prefect's server.")
    poll_seconds: float = Field(default=2, gt=0, description="How often the runs on workers are looked at.")


def _is_plain(cron: str) -> bool:
    """Whether each of the five fields is made of numbers, ranges and steps: nearly all are, and need no Prefect."""
    fields = cron.split()
    return len(fields) == len(LIMITS) and all(
        _is_part(part, low, high)
        for field, (low, high) in zip(fields, LIMITS, strict=True)
        for part in field.split(",")
    )


def _is_part(part: str, low: int, high: int) -> bool:
    found = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/0*[1-9]\d?)?", part)
    if found is None:
        return False
    first, last = (low if found[1] is None else int(found[1])), (high if found[2] is None else int(found[2]))
    return low <= first <= last <= high


def _is_known_to_prefect(cron: str) -> bool:
    """Whether Prefect takes an expression with names, or with signs such as `#` and `L`; asking it takes a second."""
    if not re.fullmatch(r"@\w+|([\w*?,#/-]+ +){4}[\w*?,#/-]+", cron.strip()):
        return False
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
    except ValueError:
        return False
    return True
