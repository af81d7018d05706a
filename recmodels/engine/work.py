"""What an engine does: it calls a function for each bucket of some work, wherever there is room, and returns paths.

A function reads files, and writes files into a folder of its own, the bucket's part; it is known by its name, and told
nothing but paths and what JSON can say. So any process that has the same code can do the work of any bucket, twice if
need be, and leaves the same bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True)
class Bucket:
    """A part of some work.

    Attributes:
        name: of its part, a folder within that of the work.
        inputs: the files and folders (or parts of other work) that it reads, by what the function calls them. They keep
            their own names wherever they are read, on which a part may depend, too; not those of the folders above.
            Of a part that has something for each of many buckets, each takes its own file, `part / name`.
        arguments: what else the function is told, as JSON can say it.
    """

    name: str
    inputs: Mapping[str, Path] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Needs:
    """What a bucket takes of the machine that works on it.

    Attributes:
        cores: that it keeps busy.
        gpus: that it has to itself.
        memory: bytes; 0 where it takes little.
    """

    cores: float = 1.0
    gpus: float = 0.0
    memory: int = 0


ONE_CORE = Needs()


@dataclass(frozen=True)
class Work:
    """A bucket as the function has it, on the machine that works on it.

    Attributes:
        inputs: the files, by name, as paths of this machine; they are not to be changed.
        arguments: the bucket's.
        out: an empty folder for what the function writes.
        memory: bytes to plan with.
    """

    inputs: Mapping[str, Path]
    arguments: Mapping[str, Any]
    out: Path
    memory: int


Function: TypeAlias = Callable[[Work], None]
"""A function of a module, for one bucket; what it writes depends on the inputs and the arguments alone."""


@dataclass(frozen=True)
class Machines:
    """What an engine works on, now.

    Attributes:
        kind: of the engine, as settings call it.
        nodes: that take work.
        cores, gpus: of all of them together.
        address: by which other processes get to the same engine; None for this machine's own.
        dashboard: where a browser sees what it does, if it has such pages.
        common_disk: whether all see the files of the process that gives them work.
    """

    kind: str
    nodes: int
    cores: float
    gpus: float = 0.0
    address: str | None = None
    dashboard: str | None = None
    common_disk: bool = True


class Engine(Protocol):
    """Where buckets are worked on."""

    def machines(self) -> Machines:
        """What it works on; a cluster may have fewer nodes later, or more."""

    @property
    def cores(self) -> int:
        """Of all machines together: there should be some buckets for each."""

    def map(
        self,
        function: Function,
        buckets: Sequence[Bucket],
        to: Path,
        *,
        code: str,
        needs: Needs = ONE_CORE,
        fetch: bool = True,
    ) -> list[Path]:
        """Work on all buckets.

        Those whose parts are there, made from the same by the same code, are left as they are: work that was cut short
        goes on where it was.

        Args:
            function: writes a bucket's part.
            buckets: with different names.
            to: the folder of the parts; what else is in it stays.
            code: the version of the code that the function runs.
            needs: of each bucket.
            fetch: whether the caller reads the parts. Those that only other buckets read need not be brought here:
                their paths are the inputs of further work all the same.

        Returns:
            The folder of each bucket's part, in their order.

        Raises:
            NightrecError: what a function raised, or a bucket could not be worked on wherever it was tried. Buckets
                that nobody has begun are left then.
        """
