"""Which engine is asked for: by the settings of a site, or by the night that a candidate's process belongs to."""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

from recmodels.compute.cores import sharing, threads
from recmodels.engine.current import using
from recmodels.engine.knock import knock
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import ONE_CORE, Bucket, Engine, Function, Machines, Needs

Kind: TypeAlias = Literal["local", "ray", "dask"]
CLUSTERS = ("ray", "dask")
ADDRESSES = {"ray": "RAY_ADDRESS", "dask": "DASK_SCHEDULER_ADDRESS"}
"""Environment variables that name a cluster where the settings do not."""


@dataclass(frozen=True)
class EngineChoice:
    """An engine, as JSON can say it.

    Attributes:
        kind: this machine, or a cluster of Ray or of Dask.
        address: of the cluster; without it the one that the environment names, else one of this machine's cores that is
            started.
        exchange: where machines without a common disk find each other's files.
        cores: of this machine, where it is the one that works; all, if not given.
        served: the socket of a process of this machine that is connected to it, and works with it for this one.
    """

    kind: Kind
    address: str | None = None
    exchange: str | None = None
    cores: int | None = None
    served: str | None = None

    @property
    def place(self) -> str:
        """The address of the cluster, by the settings or by the environment; empty where one has to be started."""
        return self.address or os.environ.get(ADDRESSES.get(self.kind, ""), "")

    def knock(self) -> None:
        """See whether anybody is at the address of the cluster, where there is one that can be asked: in a moment.

        Raises:
            EngineUnavailable: nobody takes connections there.
        """
        if self.place not in ("", "auto", "local"):
            knock(self.place, self.kind.capitalize())

    @contextmanager
    def connected(self) -> Iterator[Engine]:
        """The engine, for the block.

        Raises:
            ConfigError: what it needs is not installed.
            EngineUnavailable: there is no such cluster, or it cannot be worked with.
        """
        if self.served is not None:
            from recmodels.engine.remote import RemoteEngine

            yield RemoteEngine(self.served)
            return
        match self.kind:
            case "local":
                yield LocalEngine(self.cores)
            case "ray":
                from recmodels.engine.ray import RayEngine

                with self._of_these_cores():
                    ray = RayEngine(self.address, self.exchange)
                with ray:
                    yield ray
            case "dask":
                from recmodels.engine.dask import DaskEngine

                with self._of_these_cores():
                    dask = DaskEngine(self.address, self.exchange)
                with dask:
                    yield dask

    def _of_these_cores(self) -> AbstractContextManager[None]:
        """A cluster that is started in the block has the cores that are to be worked with."""
        return sharing(self.cores or threads())


@contextmanager
def working_on(choice: EngineChoice | None) -> Iterator[None]:
    """Give the work of the block to an engine, if one is asked for.

    A cluster is connected to with the first work that there is: many candidates have none.
    """
    if choice is None:
        yield
        return
    with ExitStack() as stack, using(_WhenNeeded(choice, stack)):
        yield


class _WhenNeeded:
    """An engine that is connected to when it is first asked for something, until the end of a block."""

    def __init__(self, choice: EngineChoice, block: ExitStack) -> None:
        self.choice, self.block = choice, block
        self.lock = Lock()
        self.engine: Engine | None = None

    def connected(self) -> Engine:
        with self.lock:
            if self.engine is None:
                self.engine = self.block.enter_context(self.choice.connected())
            return self.engine

    def machines(self) -> Machines:
        return self.connected().machines()

    @property
    def cores(self) -> int:
        return self.connected().cores

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
        return self.connected().map(function, buckets, to, code=code, needs=needs, fetch=fetch)
