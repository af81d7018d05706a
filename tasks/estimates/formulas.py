"""What stages and models take, by the counts of a site: the formulas that speeds are fitted to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recmodels.base import Recommender
from recmodels.registry import name_of
from tasks.estimates.counts import Counts
from tasks.estimates.speeds import Linear, ModelSpeed, Pace, StageSpeed
from tasks.prepare.reading import ranges_for
from tasks.train.parts import SHARED_FROM

DRIVERS: Mapping[str, tuple[str, ...]] = {
    "ingest": ("interactions", "items"),
    "validate": ("interactions", "items"),
    "prepare": ("interactions", "items"),
    "features train": ("pairs", "items"),
    "features full": ("pairs", "items"),
    "evaluate": ("measured", "items"),
    "compare": ("measured",),
    "export": ("users", "items"),
    "panel": ("pairs",),
    "report": ("users",),
}
"""What the time, the memory and the disk of each stage grow with.

Users and interactions grow together in what was measured, so that one of them stands for both.
"""

CPU_DRIVERS: Mapping[str, tuple[str, ...]] = {"prepare": ("in_memory", "by_ranges", "items")}
"""What the time grows with, where nights were measured that had rows by ranges."""

MEMORY_DRIVERS: Mapping[str, tuple[str, ...]] = {
    "prepare": ("in_memory", "in_range", "items"),
    "evaluate": ("pairs",),
    "compare": ("pairs",),
    "export": ("pairs", "items"),
}
"""What memory grows with, where that is something else."""

BOUNDED = ("ingest", "validate", "prepare")
"""Stages that keep to the memory that there is, and spill to the disk beyond it."""

TEXTS = 2
"""Ids that are taken to be texts, of a user and of an item: numbers take less."""

SPILLED_EVENT, SPILLED_PAIR = 20, 56
"""Bytes that preparation writes to files of its own: of an event, and of a pair in both splits."""

PARALLEL = 0.95
"""Share of a training that is spread over its cores."""

LIKE = {
    "embedding": "hybrid",
    "ncf": "hybrid",
    "mf": "bpr",
    "transitions": "item_knn",
    "user_knn": "item_knn",
    "apart": "item_knn",
    "personal_frequency": "popularity",
    "tifu_knn": "item_knn",
}
"""Models that were not measured, and which one works like them."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds, the share of them that is spread over cores, bytes of memory at the peak, and of disk.

    `spill` are bytes that are gone when it ends.
    """

    cpu: float
    parallel: float
    memory: int
    disk: int = 0
    spill: int = 0

    def seconds(self, cores: int) -> float:
        return self.cpu * (1 - self.parallel + self.parallel / cores)


def counted(counts: Counts) -> dict[str, float]:
    """The drivers by name; rows are prepared in memory, or by ranges, of which one is in memory at a time."""
    ranges, n = ranges_of(counts), counts.interactions
    of_counts = {name: float(value) for name, value in vars(counts).items() if name not in ("planned", "ranges")}
    if ranges == 1:
        return of_counts | {"in_memory": n, "by_ranges": 0, "in_range": 0}
    return of_counts | {"in_memory": 0, "by_ranges": n, "in_range": n / ranges}


def ranges_of(counts: Counts) -> int:
    """In how many ranges of users the log is prepared; in one it stays in memory."""
    return counts.ranges or ranges_for(counts.interactions, TEXTS, counts.planned)


def stage_cost(stage: str, speed: StageSpeed, counts: Counts) -> Cost:
    given = counted(counts)
    memory = speed.memory.at(given)
    if stage in BOUNDED:
        memory = min(memory, max(counts.planned, speed.memory.fixed))
    spill = spilled_by(counts) if stage == "prepare" else 0
    return Cost(speed.waiting * speed.cpu.at(given), speed.parallel, round(memory), round(speed.disk.at(given)), spill)


def spilled_by(counts: Counts) -> int:
    """Bytes of the files that preparation works with, where the log does not fit into its share of the memory."""
    if ranges_of(counts) == 1:
        return 0
    return SPILLED_EVENT * counts.interactions + SPILLED_PAIR * counts.pairs


UNMEASURED = ModelSpeed(fit=Linear(each={"work": 1e-8}), lists=Linear(each={"work": 1e-8}))
"""Of other models, until a night has measured them: of use only beside what that took."""


@dataclass(frozen=True)
class ModelCost:
    """What a model takes on everything before the cutoff.

    `load`, `fit` and `lists` are CPU seconds: of a process that starts and reads the features, of the training, and of
    the measured lists; those of the models that are not `known` are made up. A training in `rounds` may end after any
    of them, and has `share` of its minutes. `memory` is
    that of a process that reads the data, `sharing` that of one that finds them read by another training of its
    machine; both are bytes.
    """

    load: float
    fit: float
    lists: float
    memory: int
    disk: int
    rounds: int
    known: bool
    sharing: int
    share: float = 1.0

    def training(self, threads: int, minutes: float = math.inf) -> float:
        """Seconds of reading and fitting, within so many minutes if it has rounds."""
        fit = on_threads(self.fit, threads)
        return self.load + (min(fit, 60 * self.share * minutes) if self.rounds > 1 else fit)

    def first_round(self, threads: int) -> float:
        """Seconds until the training may end."""
        return self.load + on_threads(self.fit / self.rounds, threads)

    def candidate(self, threads: int, minutes: float = math.inf) -> float:
        """Seconds of training and listing."""
        return self.training(threads, minutes) + on_threads(self.lists, threads)


def on_threads(cpu: float, threads: int) -> float:
    """Seconds of what takes so many CPU seconds."""
    return cpu * (1 - PARALLEL + PARALLEL / threads)


def model_cost(model: Recommender, pace: Pace, counts: Counts) -> ModelCost:
    """What a model takes; one that is made of others takes what they do."""
    sizes, drivers = (counts.users, counts.items, counts.pairs), counted(counts)
    if parts := [model_cost(part, pace, counts) for part in model.made_of()]:
        return _of_parts(parts, _memory(model, counts))
    name = name_of(type(model))
    speed = pace.models.get(name) or pace.models.get(LIKE.get(name, ""))
    given = speed or UNMEASURED
    return ModelCost(
        load=pace.start + pace.load.at(drivers),
        fit=given.fit.at({"work": model.work(*sizes)}),
        lists=given.lists.at({"work": model.list_work(counts.measured, *sizes), "listed": float(counts.measured)}),
        **_memory(model, counts),
        disk=round(given.disk.at(drivers)),
        rounds=model.rounds(),
        known=speed is not None,
    )


def _memory(model: Recommender, counts: Counts) -> dict[str, int]:
    sizes = counts.users, counts.items, counts.pairs
    mapped = counts.pairs >= SHARED_FROM
    return {"memory": model.process_memory(*sizes), "sharing": model.process_memory(*sizes, mapped=mapped)}


def _of_parts(parts: Sequence[ModelCost], memory: Mapping[str, int]) -> ModelCost:
    return ModelCost(
        load=max(part.load for part in parts),
        fit=sum(part.fit for part in parts),
        lists=sum(part.lists for part in parts),
        **memory,
        disk=sum(part.disk for part in parts),
        rounds=1,
        known=all(part.known for part in parts),
    )
