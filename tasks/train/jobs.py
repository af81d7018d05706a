"""What is to be trained, and on what: a candidate as a site configures it, and an order that any worker can carry out.

An order names everything that a worker needs beside the store, so that a process on another machine does the same as
one beside the night.
"""

from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recmodels.data.layout import Split
from recmodels.errors import NightrecError
from recmodels.registry import kind_of
from tasks.lists.rules import ListSettings
from tasks.store.manifests import Manifest, finished
from tasks.store.paths import Night, Store
from tasks.store.versions import code_version

NAME = r"^[a-z0-9_]+$"  # of a model: it names folders and tasks
POOL = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
PRIMARY = "ndcg"  # the metric that decides
CPU_POOL, GPU_POOL, SIGNALS_POOL = "cpu", "gpu", "signals"


class Candidate(BaseModel):
    """One recommender in tonight's field."""

    model_config = ConfigDict(extra="forbid")

    recommender: str = Field(default="", description="Name in the registry; the candidate's own name by default.")
    parameters: dict[str, Any] = Field(default={}, description="Hyper-parameters; what is not given has its default.")
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="What it computes on; auto takes a GPU where there is one and the model can use it."
    )
    gpus: int = Field(
        default=1, ge=1, description="How many GPUs it trains on, if any; a machine with fewer gives all."
    )
    pool: str | None = Field(
        default=None,
        description="Work pool whose workers train it, in nights that have workers; by its device: gpu, else cpu.",
    )
    timeout_minutes: float = Field(default=120, gt=0, description="Training and listing are stopped after this long.")
    required: bool = Field(default=False, description="Without this candidate the night fails.")
    enabled: bool = Field(default=True, description="Whether it trains tonight.")

    @field_validator("pool")
    @classmethod
    def no_control_pool(cls, pool: str | None) -> str | None:
        if pool == SIGNALS_POOL:
            raise ValueError("the pool signals is kept for messages; name another one")
        return pool

    @property
    def workplace(self) -> str:
        """The work pool it trains on."""
        return self.pool or (GPU_POOL if self.device == "gpu" else CPU_POOL)


class EvaluationSettings(BaseModel):
    """How candidates are compared."""

    model_config = ConfigDict(extra="forbid")

    k: int = Field(default=10, ge=1, le=1000, description="Length of the lists that are measured.")
    windows: int = Field(
        default=1,
        ge=1,
        le=26,
        description="How many windows are measured: the holdout, and earlier ones of its length; each trains every "
        "candidate once more.",
    )
    candidates: Literal["available", "all"] = Field(
        default="available", description="What measured lists are made of: available items, or all of the catalogue."
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Level of the bootstrap intervals.")
    slices: list[str] = Field(
        default=[], description='Columns of users or items to measure each value of apart, e.g. ["country"].'
    )
    new_days: float = Field(default=28, gt=0, description="A user is new for so many days after the first interaction.")


class TrainingJob(BaseModel):
    """One candidate to be trained in one night."""

    model_config = ConfigDict(extra="forbid")

    store: Path
    run_date: date
    name: str = Field(pattern=NAME)
    candidate: Candidate
    rules: ListSettings
    evaluation: EvaluationSettings
    split: Split = Field(default="train", description="train: fit, list and measure; full: refit the winner.")
    seed: int = Field(default=0, ge=0)
    concurrency: int = Field(default=1, ge=1, description="How many candidates share the machine, this one included.")
    fresh: bool = False
    without: list[str] = Field(default=[], description="Members that an ensemble is to leave out, as they failed.")
    code: str = Field(default_factory=code_version, description="The night's own code; a worker's must be the same.")
    lease: str = Field(default="", description="Token of the night that asks; the work ends with it.")

    @property
    def night(self) -> Night:
        return Store(self.store).night(self.run_date)

    @property
    def recommender(self) -> str:
        return self.candidate.recommender or self.name

    @property
    def alive(self) -> Path:
        """Touched while somebody works on this order."""
        return self.night.folder / "logs" / f"{self.name}-{self.split}.alive"

    @property
    def label(self) -> str:
        return f"train-{self.name}" if self.split == "train" else f"refit-{self.name}"

    def result(self) -> Manifest | None:
        """What the order is for, if it is there: the candidate's metrics, or the refitted champion."""
        return finished(self.night.metrics(self.name) if self.split == "train" else self.night.champion)

    def same_code(self) -> None:
        """Raise NightrecError unless this process runs the night's own code."""
        if self.code != code_version():
            raise NightrecError(
                f"This worker runs nightrec {code_version()}, the night runs {self.code}: "
                "install the same version on all machines."
            )

    def memory_needed(self, prepared: Manifest) -> int:
        """Bytes that its process takes about, from the numbers of users, items and rows."""
        counts = prepared.get("summary", {})
        if not counts:
            return 0
        rows = counts[self.split]["rows"]
        model = kind_of(self.recommender)(**self.candidate.parameters)
        loaded: int = 24 * rows
        return loaded + model.memory_needed(counts["users"], counts["items"], rows)
