"""The engine of a night, as its record has it: what it was, and what became of its machines."""

from pydantic import Field

from recmodels.engine.work import Machines
from recmodels.messages import counted
from tasks.evaluate.summary import Stored

NAMES = {"local": "this machine, bucket by bucket", "ray": "Ray", "dask": "Dask"}


class EngineNote(Stored):
    """What somebody should know of the machines, and the stage that it happened in."""

    stage: str
    message: str


class EngineSummary(Stored):
    """The engine that a night ran on, as it was at the beginning, and what happened since."""

    kind: str
    nodes: int = 1
    cores: float = 0
    gpus: float = 0
    dashboard: str | None = None
    unavailable: str | None = None
    """Why it ran on this machine, although a cluster was asked for."""
    notes: list[EngineNote] = Field(default=[])

    @classmethod
    def of_machines(cls, found: Machines, unavailable: str | None = None) -> "EngineSummary":
        return cls(
            kind=found.kind,
            nodes=found.nodes,
            cores=found.cores,
            gpus=found.gpus,
            dashboard=found.dashboard,
            unavailable=unavailable,
        )

    def with_note(self, note: EngineNote) -> "EngineSummary":
        return self.model_copy(update={"notes": [*self.notes, note]})

    @property
    def sentence(self) -> str:
        """`It ran on Ray, 2 nodes, 4 cores. prepare: a node was lost …`."""
        if self.unavailable is not None:
            return f"It ran on this machine alone. {self.unavailable}"
        gpus = [counted(round(self.gpus), "GPU")] if self.gpus else []
        nodes = [] if self.kind == "local" else [counted(self.nodes, "node")]
        size = [*nodes, f"{self.cores:g} {'core' if self.cores == 1 else 'cores'}", *gpus]
        notes = [f"{note.stage}: {note.message}" if note.stage else note.message for note in self.notes]
        return " ".join([f"It ran on {NAMES.get(self.kind, self.kind)}, {', '.join(size)}.", *notes])
