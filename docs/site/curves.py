"""What nights of several sizes took, as `python -m tests.benchmarks.curves` measured it: `docs/curves.json`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "curves.json"


class Measured(BaseModel):
    """What was measured, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(Measured):
    """A stage of a night, named as in the night's record."""

    name: str
    seconds: float
    cpu_seconds: float | None
    """Of a training those of its own process, of another stage those of the night's process meanwhile."""
    peak_bytes: int
    """The most memory that this process held meanwhile."""
    disk_bytes: int
    """What the stage left in the store."""


class Model(Measured):
    """A candidate of a night: fitted on the training split, and listing the users who are measured."""

    name: str
    recommender: str
    parameters: dict[str, object]
    fit_seconds: float
    fit_cpu_seconds: float
    list_seconds: float
    list_cpu_seconds: float
    listed_users: int
    peak_bytes: int
    """Of its process."""
    minutes: float | None
    """After which its training ends with what it has; None: it is done when it is done."""
    bounded: bool
    """Whether that ended it."""


class Night(Measured):
    """A night of one size, that starts from nothing or follows another."""

    interactions: int
    """Rows that were read."""
    users: int
    items: int
    pairs: int
    """Of a user and an item that are left when repeats are merged."""
    seconds: float
    cpu_seconds: float
    """Of all its processes."""
    process_bytes: int
    """The most that one of its processes held at a time (resident)."""
    peak_bytes: int
    """The most that all of them held at a time, what they share counted once (proportional)."""
    disk_bytes: int
    """Its whole store."""
    memory_bytes: int
    """What it planned with."""
    commit: str
    date: str
    stages: list[Stage]
    models: list[Model]
    ranges: int = 0
    """Of users, in which its log was prepared; 1: in memory, 0: by changes of the night before."""
    after: "Night | None" = None
    """The night that followed it, whose log has a day more."""


class Machine(Measured):
    """Where it was measured last."""

    cores: int
    cpu: str
    memory: int
    commit: str
    date: str


class Curves(Measured):
    """The nights, from small to large."""

    machine: Machine
    nights: list[Night]


def read(path: Path = FILE) -> Curves:
    return Curves.model_validate_json(path.read_bytes())
