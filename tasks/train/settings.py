"""The candidates of a site, and how they are compared."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

NAME = r"^[a-z0-9_]+$"  # of a model: it names folders and tasks


PRIMARY = "ndcg"  # the metric that decides


CPU_POOL, GPU_POOL, SIGNALS_POOL = "cpu", "gpu", "signals"


class Candidate(BaseModel):
    """One recommender in tonight's field."""

    model_config = ConfigDict(extra="forbid", validate_default=True)  # as a worker is told it: 28.0, not 28

    recommender: str = Field(
        default="",
        description="Name of a recommender, or your own class as module:Class; the candidate's own name by default.",
    )
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


WARM_NIGHTS, WARM_CHANGED = 6, 0.1
"""How many nights in a row trainings start from the night before, and how much may have changed, by default."""


class EvaluationSettings(BaseModel):
    """How candidates are compared."""

    model_config = ConfigDict(extra="forbid", validate_default=True)

    k: int = Field(default=10, ge=1, le=1000, description="Length of the lists that are measured.")
    backtests: int = Field(
        default=1,
        ge=1,
        le=26,
        description="How many holdouts are measured: tonight's, and earlier ones of its length (backtests); each "
        "trains every candidate once more.",
    )
    candidates: Literal["available", "all"] = Field(
        default="available", description="What measured lists are made of: available items, or all of the catalogue."
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Level of the bootstrap intervals.")
    slices: list[str] = Field(
        default=[], description='Columns of users or items whose values are measured separately, e.g. ["country"].'
    )
    new_days: float = Field(
        default=28, gt=0, description="A user is new for this many days after the first interaction."
    )
