"""How a night trains its candidates."""

from pydantic import BaseModel, ConfigDict, Field

from tasks.train.settings import WARM_CHANGED, WARM_NIGHTS

MANY_PAIRS = 2_000_000
"""From so many pairs of user and item on, what a training holds is far more than a process takes by itself, and its
time is that of kernels that use all cores."""

CORES = 4
"""Of each training of many pairs: where there are more, two trainings beside each other end sooner than in turn."""


class TrainingSettings(BaseModel):
    """How the candidates share this machine."""

    model_config = ConfigDict(extra="forbid")

    parallel: int | None = Field(
        default=None,
        ge=1,
        description="Candidates trained at a time. By default one a core; from two million pairs of user and item on, "
        "one for each four cores, so that less memory is held.",
    )
    seed: int = Field(default=0, ge=0, description="Every random draw of a night follows from it.")
    warm_nights: int = Field(
        default=WARM_NIGHTS,
        ge=0,
        description="How many nights in a row a training may start from the model of the night before; the next one "
        "starts from nothing. 0: all do.",
    )
    warm_changed: float = Field(
        default=WARM_CHANGED,
        ge=0,
        le=1,
        description="A training starts from nothing where more than this share of the rows, of the users or of the "
        "items is new since that model.",
    )

    def concurrency(self, candidates: int, cores: int, pairs: int) -> int:
        """How many candidates are trained at a time on so many pairs, so that they fill the cores and no more."""
        by_size = cores if pairs < MANY_PAIRS else cores // CORES
        return max(1, min(self.parallel or by_size, candidates, cores))
