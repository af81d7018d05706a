"""The buckets of some work on a cluster: which are in flight, and what becomes of those that come back without a part.

A node that is lost costs the buckets that were in flight on it. One for which there was too little memory is tried
again with half of it, on a node that does nothing else meanwhile. What a function refuses is refused at once.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from typing import Any

from recmodels.engine.cluster import Cluster, Handle, NodeLost, OutOfMemory, ProcessLost
from recmodels.engine.errand import Answer, Errand, error_of, sources
from recmodels.engine.too_large import out_of_memory
from recmodels.engine.transport import Transport
from recmodels.engine.watching import Progress, unwanted, watcher
from recmodels.engine.work import Bucket, Needs
from recmodels.errors import NightrecError

LOOK = 2.0
"""Seconds between two looks at the nodes."""
SOON = 0.05
"""Seconds in which the files of another bucket may have arrived where nodes see them."""
PATIENCE = 600.0
"""Seconds in which a node with room may join, as those that are started on demand do."""
TRIES = 3
"""How often a bucket is tried that fails by itself; lost nodes do not count."""
MOVING = 4
"""Buckets whose files are sent or fetched at the same time."""


@dataclass(frozen=True)
class _Flight:
    """A bucket that a node works on, or will.

    Attributes:
        failed: how often it came back without a part, and no node was lost.
        alone: whether it has a node to itself, and half of the memory to plan with.
    """

    bucket: Bucket
    errand: Errand
    failed: int = 0
    alone: bool = False


class Flights:
    """Those of one call of `map`.

    Args:
        cluster: that works on the buckets.
        transport: of their files.
        function: by name.
        code: the version of its code.
        needs: of each bucket.
    """

    def __init__(self, cluster: Cluster, transport: Transport, function: str, code: str, needs: Needs) -> None:
        self.cluster, self.transport, self.function, self.code, self.needs = cluster, transport, function, code, needs
        self.tell = watcher()
        self.flying: dict[Handle, _Flight] = {}
        self.again: deque[_Flight] = deque()
        self.found = 0  # buckets that had their part
        self.lost: Counter[str] = Counter()  # buckets by node, of nodes that nothing was said of yet
        self.waited_since: float | None = None  # when there was no node with room any more

    def run(self, buckets: Sequence[Bucket]) -> None:
        """Return when each bucket has its part.

        Raises:
            NightrecError: one cannot be made, or nobody waits for them any more.
        """
        self._look()
        moving = ThreadPoolExecutor(MOVING, thread_name_prefix="files")
        try:
            coming = deque((bucket, moving.submit(self.transport.prepare, bucket)) for bucket in buckets)
            landing: set[Future[None]] = set()
            done, told = 0, -1
            while done < len(buckets):
                if unwanted():
                    raise NightrecError(f"{self.function} was stopped: nobody waits for it any more.")
                if done != told:
                    self.tell.progressed(Progress(self.function, done, len(buckets), self.found))
                told = done
                done += self._launch(coming)
                patience = SOON if coming and len(self.flying) < self.window else 1.0
                for bucket, about in self._landed(patience):
                    landing.add(moving.submit(self.transport.arrived, bucket, about))
                ended, landing = wait(landing, 0.0 if self.flying or not landing else patience)
                for one in ended:
                    one.result()
                done += len(ended)
                if time.monotonic() - self.looked > LOOK:
                    self._look()
            self.tell.progressed(Progress(self.function, done, len(buckets), self.found))
        finally:
            self.cluster.cancel(list(self.flying))
            moving.shutdown(cancel_futures=True)
            self._say_what_was_lost()

    def _launch(self, coming: "deque[tuple[Bucket, Future[Mapping[str, Any] | None]]]") -> int:
        """Launch as many as keep the nodes busy; how many had their parts."""
        had = 0
        while len(self.flying) < self.window and (self.again or coming):
            if self.again:
                flight = self.again.popleft()
            elif coming[0][1].done() or not self.flying:
                bucket, prepared = coming.popleft()
                if (files := prepared.result()) is None:
                    had += 1
                    continue
                flight = _Flight(bucket, self._errand(bucket, files))
            else:
                break
            needs = replace(self.needs, cores=max(self.most_cores, self.needs.cores)) if flight.alone else self.needs
            self.flying[self.cluster.submit(json.dumps(asdict(flight.errand)), needs)] = flight
        self.found += had
        return had

    def _errand(self, bucket: Bucket, files: Mapping[str, Any]) -> Errand:
        return Errand(
            function=self.function,
            bucket=bucket.name,
            arguments=dict(bucket.arguments),
            code=self.code,
            sources=sources(),
            cores=self.needs.cores,
            memory=self.needs.memory or int(self.memory_a_core * self.needs.cores),
            **files,
        )

    def _landed(self, seconds: float) -> list[tuple[Bucket, str]]:
        """The buckets that come back with a part, and what that says of itself."""
        arrived = []
        for handle in self.cluster.wait(list(self.flying), seconds) if self.flying else ():
            flight = self.flying.pop(handle)
            try:
                answer = Answer(**json.loads(self.cluster.answer(handle)))
            except NodeLost as lost:
                self.lost[lost.args[0]] += 1
                self.again.append(flight)
            except OutOfMemory:
                self._smaller(flight)
            except ProcessLost:
                self._smaller(flight) if flight.failed else self._once_more(flight)
            else:
                if answer.about:
                    self.found += answer.found
                    arrived.append((flight.bucket, answer.about))
                elif answer.failed == "memory":
                    self._smaller(flight)
                elif answer.failed == "io" and flight.failed + 1 < TRIES:
                    self._once_more(flight)
                else:
                    raise error_of(answer, self.function, flight.bucket.name)
        return arrived

    def _once_more(self, flight: _Flight) -> None:
        self.again.append(replace(flight, failed=flight.failed + 1))

    def _smaller(self, flight: _Flight) -> None:
        name, memory = flight.bucket.name, flight.errand.memory
        if flight.alone:
            raise out_of_memory(self.function, name, memory)
        self.tell.noted(f"{self.function}: too little memory for the bucket {name}, which is made on a node of its own")
        self.again.append(replace(flight, errand=replace(flight.errand, memory=memory // 2), alone=True))

    def _look(self) -> None:
        """See which nodes there are, and say what became of others.

        Raises:
            NightrecError: there is none with room for a bucket, and none has come for a long time.
        """
        self._say_what_was_lost()
        for sentence in self.cluster.changes():
            self.tell.noted(sentence)
        nodes = self.cluster.nodes().values()
        fitting = [node for node in nodes if node.fits(self.needs)]
        self.window = max(2, int(2 * sum(node.cores for node in fitting) / max(self.needs.cores, 0.1)))
        self.most_cores = max((node.cores for node in fitting), default=0.0)
        self.memory_a_core = min((node.memory / node.cores for node in fitting), default=0.0)
        self.looked = time.monotonic()
        if fitting:
            self.waited_since = None
            return
        wanted = f"{self.needs.cores:g} cores, {self.needs.gpus:g} GPUs and {self.needs.memory / 2**30:.1f} GiB"
        if self.waited_since is None:
            self.waited_since = self.looked
            self.tell.noted(f"{self.function} waits for a node with {wanted}; the cluster has {len(nodes)} others")
        if self.looked - self.waited_since > PATIENCE:
            raise NightrecError(
                f"{self.function} needs a node with {wanted}, and none has come in {PATIENCE / 60:.0f} minutes: see "
                "which nodes the cluster has, and run it again."
            )

    def _say_what_was_lost(self) -> None:
        for node, n_buckets in self.lost.items():
            what = f"{n_buckets} buckets of {self.function}" if n_buckets > 1 else f"a bucket of {self.function}"
            self.tell.noted(f"The node {self.cluster.lose(node)} was lost with {what} in flight: made again elsewhere.")
        self.lost.clear()
