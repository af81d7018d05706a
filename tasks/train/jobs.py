"""A candidate to be trained in a night, as a job that any worker can run.

A job names everything that a worker needs besides the store, so that a process on another machine does the same as one
on the night's own.
"""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from recmodels.data.layout import Split
from recmodels.engine.choice import CLUSTERS, EngineChoice
from recmodels.errors import NightrecError
from recmodels.registry import create, kind_of
from tasks.lists.settings import ListSettings
from tasks.store.manifests import Manifest, whole
from tasks.store.paths import Night, Store
from tasks.store.versions import code_version
from tasks.train.settings import NAME, WARM_CHANGED, WARM_NIGHTS, Candidate, EvaluationSettings


class TrainingJob(BaseModel):
    """One candidate to be trained in one night."""

    model_config = ConfigDict(extra="forbid")

    store: Path
    run_date: date
    name: str = Field(pattern=NAME)
    candidate: Candidate
    rules: ListSettings
    evaluation: EvaluationSettings
    split: Split = Field(default="train", description="train: fit, list and measure; full: refit.")
    for_arm: bool = Field(
        default=False, description="Whether it is refitted beside the winner, for an arm or its vectors."
    )
    replicate: int | None = Field(
        default=None, ge=1, description="The number of a replicate: the refitted winner's recipe on half of the users."
    )
    seed: int = Field(default=0, ge=0)
    concurrency: int = Field(default=1, ge=1, description="How many candidates share the machine, this one included.")
    memory: int | None = Field(default=None, description="Bytes that its machine may plan with, if it has more.")
    fresh: bool = False
    warm_nights: int = Field(default=WARM_NIGHTS, ge=0, description="See `TrainingSettings`; so the next one.")
    warm_changed: float = Field(default=WARM_CHANGED, ge=0, le=1)
    attempt: int = Field(default=1, ge=1, description="How often the night has asked for it, this time included.")
    without: list[str] = Field(default=[], description="Members that an ensemble is to leave out, as they failed.")
    code: str = Field(default_factory=code_version, description="The night's own code; a worker's must be the same.")
    lease: str = Field(default="", description="Token of the night that asks; the work ends with it.")
    engine: EngineChoice | None = Field(default=None, description="What the night gives its work to, if not a machine.")

    @property
    def night(self) -> Night:
        return Store(self.store).night(self.run_date)

    @property
    def recommender(self) -> str:
        return self.candidate.recommender or self.name

    @property
    def for_a_node(self) -> bool:
        """Whether a node of the night's cluster trains it as a whole, where the night itself runs its process."""
        on_a_cluster = self.engine is not None and self.engine.kind in CLUSTERS
        return on_a_cluster and not kind_of(self.recommender).delegates

    @property
    def alive(self) -> Path:
        """Touched while somebody works on this job."""
        name = f"{self.name}-arm" if self.for_arm else self.stem
        return self.night.folder / "logs" / f"{name}.alive"

    @property
    def stem(self) -> str:
        """What its files in `logs/` are called."""
        return f"{self.name}-{self.split}" if self.replicate is None else f"{self.name}-replicate-{self.replicate}"

    @property
    def label(self) -> str:
        if self.split == "train":
            return f"train-{self.name}"
        if self.replicate is not None:
            return f"replicate-{self.name}-{self.replicate}"
        return f"arm-{self.name}" if self.for_arm else f"refit-{self.name}"

    def fitted(self, night: Night) -> Path:
        """Where such a job leaves its model in a night."""
        if self.split == "train":
            return night.model(self.name)
        if self.replicate is not None:
            return night.replicate(self.replicate)
        return night.arm_model(self.name) if self.for_arm else night.champion

    def result(self) -> Manifest | None:
        """What the job is for, if it is there: the candidate's metrics, or the refitted model."""
        return whole(self.night.metrics(self.name) if self.split == "train" else self.fitted(self.night))

    def same_code(self) -> None:
        """Raise NightrecError unless this process runs the night's own code."""
        if self.code != code_version():
            raise NightrecError(
                f"This worker runs nightrec {code_version()}, the night runs {self.code}: "
                "install the same version on all machines."
            )

    def memory_needed(self, prepared: Manifest, *, mapped: bool = False) -> int:
        """Bytes that its process takes about, from the numbers of users, items and rows.

        `mapped`: whether another training of its machine has left the data.
        """
        counts = prepared.get("summary", {})
        if not counts:
            return 0
        model = create(self.recommender, self.candidate.parameters)
        return model.process_memory(counts["users"], counts["items"], self.rows(prepared), mapped=mapped)

    def rows(self, prepared: Manifest) -> int:
        """How many pairs of user and item it is trained on; 0 where nothing says it."""
        counts = prepared.get("summary", {})
        return counts[self.split]["rows"] if counts else 0
