"""A night on a cluster, simulated: how long the buckets of its stages take on so many nodes, some of which get lost.

Time passes from event to event: a core takes the next bucket as soon as the driver has handed it over, reads what the
bucket needs, works, and writes its part. Nodes are lost at random, and what they worked on is done again.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True)
class Cluster:
    """Machines, and what goes wrong with them.

    Attributes:
        nodes: how many.
        cores: of each.
        bandwidth: bytes a second that a node reads, and writes, from and to where parts lie.
        speed: how much work a core does in a second of a core of the machine of reference.
        handing_over: seconds that the driver is busy with each bucket.
        connecting: seconds until the first bucket of a map begins.
        spread: of the time of like buckets, the standard deviation of its logarithm.
        lost_an_hour: how often a node is lost in an hour.
        back_after: seconds until another one takes its place.
    """

    nodes: int
    cores: int
    bandwidth: float = 1e9
    speed: float = 1.0
    handing_over: float = 0.004
    connecting: float = 0.05
    spread: float = 0.2
    lost_an_hour: float = 0.0
    back_after: float = 120.0


@dataclass(frozen=True)
class Phase:
    """One map over buckets, and what the driver does after it.

    Attributes:
        stage: that it belongs to.
        buckets: how many.
        work: CPU seconds of all buckets together.
        read, written: bytes of all buckets together.
        once: bytes that each node reads before its first bucket.
        fetched: bytes that the driver reads afterwards.
        alone: seconds of the driver afterwards, while the nodes wait.
    """

    stage: str
    buckets: int = 0
    work: float = 0.0
    read: float = 0.0
    written: float = 0.0
    once: float = 0.0
    fetched: float = 0.0
    alone: float = 0.0


@dataclass
class Outcome:
    """What became of it.

    Attributes:
        seconds: from the beginning to the end.
        of_stage: the same of each stage.
        work: seconds of cores that were of use.
        repeated: buckets that were worked on again.
        lost: nodes that were.
    """

    seconds: float = 0.0
    of_stage: dict[str, float] = field(default_factory=dict)
    work: float = 0.0
    repeated: int = 0
    lost: int = 0

    def efficiency(self, cluster: Cluster) -> float:
        """Which share of what was paid for was of use."""
        return self.work / (self.seconds * cluster.nodes * cluster.cores)


def simulate(phases: Iterable[Phase], cluster: Cluster, seed: int = 0) -> Outcome:
    """Let a night run."""
    night = _Run(cluster, np.random.default_rng(seed))
    for phase in phases:
        began = night.now
        night.map(phase)
        night.now += phase.alone / cluster.speed + phase.fetched / cluster.bandwidth
        night.outcome.of_stage[phase.stage] = night.outcome.of_stage.get(phase.stage, 0.0) + night.now - began
    night.outcome.seconds = night.now
    return night.outcome


Event: TypeAlias = tuple[float, int, int, int]
"""When, a number of its own, the node, and the bucket that ends there; -1: the node is lost; -2: it is back."""


@dataclass
class _Node:
    """A machine: since when it is there, until when, and which of its cores are busy with which buckets."""

    there: float
    lost: float
    has: bool = False
    running: dict[int, int] = field(default_factory=dict)  # place of the end -> bucket


class _Run:
    def __init__(self, cluster: Cluster, rng: np.random.Generator) -> None:
        self.cluster, self.rng, self.now, self.outcome = cluster, rng, 0.0, Outcome()
        self.nodes = [_Node(0.0, self._life()) for _ in range(cluster.nodes)]

    def _life(self) -> float:
        """Seconds until a node is lost."""
        rate = self.cluster.lost_an_hour / 3600
        return float(self.rng.exponential(1 / rate)) if rate else float("inf")

    def map(self, phase: Phase) -> None:
        """Let the buckets of a phase be worked on, until all are done."""
        if not phase.buckets:
            return
        self.now += self.cluster.connecting
        times = self._times(phase)
        waiting, left, numbers = deque(range(phase.buckets)), phase.buckets, count()
        driver = self.now  # when it is free
        events: list[Event] = []
        for node in self.nodes:
            node.has, node.running = phase.once == 0, {}
        for at, node in enumerate(self.nodes):
            self._watch(events, at, node, next(numbers))
        while True:
            while waiting and (free := self._freest()) is not None:
                node, bucket = self.nodes[free], waiting.popleft()
                driver = max(driver, self.now) + self.cluster.handing_over
                fetch = 0.0 if node.has else phase.once / self.cluster.bandwidth
                node.has = True
                place = next(numbers)
                node.running[place] = bucket
                heapq.heappush(events, (driver + fetch + times[bucket], place, free, bucket))
            when, place, at, bucket = heapq.heappop(events)
            self.now, node = max(self.now, when), self.nodes[at]
            if bucket == -1:
                self.outcome.lost += 1
                self.outcome.repeated += len(node.running)
                waiting.extendleft(node.running.values())
                there = self.now + self.cluster.back_after
                self.nodes[at] = _Node(there, there + self._life(), phase.once == 0)
                heapq.heappush(events, (there, next(numbers), at, -2))
                self._watch(events, at, self.nodes[at], next(numbers))
            elif bucket >= 0 and node.running.pop(place, None) is not None:
                left -= 1
                if not left:
                    break
        self.outcome.work += phase.work / self.cluster.speed

    def _watch(self, events: list[Event], at: int, node: _Node, place: int) -> None:
        if node.lost < float("inf"):
            heapq.heappush(events, (max(node.lost, self.now), place, at, -1))

    def _freest(self) -> int | None:
        """The node with the most free cores, as buckets are spread; None where all are busy."""
        free = [
            (len(node.running), at)
            for at, node in enumerate(self.nodes)
            if node.there <= self.now and len(node.running) < self.cluster.cores
        ]
        return min(free)[1] if free else None

    def _times(self, phase: Phase) -> Sequence[float]:
        """Seconds of each bucket: its bytes by its share of the node's bandwidth, and its work."""
        sharing = min(self.cluster.cores, -(-phase.buckets // self.cluster.nodes))  # buckets of a node at a time
        moved = (phase.read + phase.written) / phase.buckets / (self.cluster.bandwidth / sharing)
        each = phase.work / phase.buckets / self.cluster.speed
        spread = self.cluster.spread
        factors = np.exp(self.rng.normal(-(spread**2) / 2, spread, phase.buckets))  # of mean 1
        times: list[float] = (moved + each * factors).tolist()
        return times
