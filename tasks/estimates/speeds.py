"""How fast a machine of reference did what, and how much memory and disk it took: fitted to measured nights.

`speeds.json` comes with the package.
"""

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

FILE = Path(__file__).with_name("speeds.json")


class Linear(BaseModel):
    """A figure that grows with some of the counts: a fixed part, and so much for each of what is counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fixed: float = 0.0
    each: dict[str, float] = {}

    def at(self, counted: dict[str, float]) -> float:
        return self.fixed + sum(factor * counted[name] for name, factor in self.each.items())


class StageSpeed(BaseModel):
    """What a stage takes: CPU seconds, of which a share is spread over the cores, and bytes of memory and of disk.

    `waiting`: seconds of a CPU second, where it waits for files and spreads nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: Linear
    parallel: float
    waiting: float = 1.0
    memory: Linear
    disk: Linear


class ModelSpeed(BaseModel):
    """CPU seconds of fitting and of listing, by the work that the model says of them; bytes of what both leave."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fit: Linear
    lists: Linear
    disk: Linear = Linear()


class Machine(BaseModel):
    """That which was measured; `probe`: the seconds of `tasks.estimates.probe` there."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cores: int
    cpu: str
    memory: int
    probe: float
    commit: str = ""
    date: str = ""


class Pace(BaseModel):
    """What the work of one kind of night takes.

    Attributes:
        load: CPU seconds of a process that reads a night's features.
        start: seconds before that, until a process has begun.
        stages, models: by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    load: Linear
    start: float = 0.0
    stages: dict[str, StageSpeed]
    models: dict[str, ModelSpeed]


class Speeds(Pace):
    """Everything that was fitted: how fast a night is that starts from nothing, and one that follows another.

    Attributes:
        machine: where.
        largest: interactions of the largest night that was measured: beyond it the figures are extrapolated.
        pairs: share of the interactions that are left when repeats of a user and an item are merged.
        measured: share of the users whose lists are measured, as far as the sample is not full.
        following: of a night whose log has a day more than that of the night before; None where none was measured.
    """

    machine: Machine
    largest: int
    pairs: float
    measured: float
    following: Pace | None = None


@cache
def fitted() -> Speeds:
    """The speeds that come with the package."""
    return Speeds.model_validate_json(FILE.read_text(encoding="utf-8"))
