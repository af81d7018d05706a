"""What is wanted of a cluster: it calls a function of ours with texts, and says what became of its nodes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeAlias

from recmodels.engine.work import Needs

Handle: TypeAlias = Any
"""By which a cluster knows a bucket that it works on; it can be the key of a dict."""


@dataclass(frozen=True)
class Node:
    """A machine of a cluster.

    Attributes:
        name: that people know it by.
        cores, gpus: that take work.
        memory: bytes that work may take.
    """

    name: str
    cores: float
    gpus: float
    memory: int

    def fits(self, needs: Needs) -> bool:
        """Whether it has room for such a bucket when it has nothing else to do."""
        return self.cores >= needs.cores and self.gpus >= needs.gpus and self.memory >= needs.memory


class NodeLost(Exception):
    """A node went while it worked on a bucket; its argument is the node's id."""


class OutOfMemory(Exception):
    """A process was ended because its node had no memory left."""


class ProcessLost(Exception):
    """A process ended by itself, or was killed: by a system without memory, say."""


class Cluster(ABC):
    """A cluster that calls `perform` with errands."""

    kind: str
    """As settings call it."""

    def __init__(self) -> None:
        self._seen: dict[str, Node] = {}
        self._gone: dict[str, str] = {}  # with their names
        self._looking = Lock()

    @abstractmethod
    def listed(self) -> dict[str, Node]:
        """The nodes that the cluster knows, by id."""

    @abstractmethod
    def submit(self, errand: str, needs: Needs) -> Handle:
        """Have an errand done wherever there is room."""

    @abstractmethod
    def wait(self, handles: Sequence[Handle], seconds: float) -> Sequence[Handle]:
        """Those that have ended, once one has, or the time is over."""

    @abstractmethod
    def answer(self, handle: Handle) -> str:
        """What `perform` returned.

        Raises:
            NodeLost, OutOfMemory, ProcessLost: it did not.
            EngineUnavailable: the cluster cannot be worked with.
        """

    @abstractmethod
    def cancel(self, handles: Sequence[Handle]) -> None:
        """Nobody waits for these any more."""

    def nodes(self) -> dict[str, Node]:
        """Those that take work now, by id."""
        return {one: node for one, node in self.listed().items() if node.cores and one not in self._gone}

    def changes(self) -> list[str]:
        """What has become of the nodes since the last look, in sentences."""
        with self._looking:
            now = self.nodes()
            lost = [f"The node {node.name} was lost." for one, node in self._seen.items() if one not in now]
            new = [f"The node {node.name} has joined." for one, node in now.items() if one not in self._seen]
            first, self._seen = not self._seen, now
            return [] if first else [*lost, *new]

    def lose(self, node: str) -> str:
        """Note that a node is lost, which the cluster may only see later; its name."""
        with self._looking:
            known = self._seen.pop(node, None)
            return self._gone.setdefault(node, known.name if known else node)
