"""An engine that is a cluster."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from recmodels.engine import parts
from recmodels.engine.cluster import Cluster
from recmodels.engine.exchange import exchange_at
from recmodels.engine.flights import Flights
from recmodels.engine.transport import ByExchange, CommonDisk
from recmodels.engine.work import ONE_CORE, Bucket, Function, Machines, Needs


class ClusterEngine(Cluster):
    """Works on buckets on the nodes of a cluster, until the end of its block.

    Args:
        exchange: the address by which nodes without a common disk find each other's files; None where all see the
            folders that work is given.

    Raises:
        ConfigError: there can be no exchange at that address.
    """

    def __init__(self, exchange: str | None = None) -> None:
        super().__init__()
        self.exchange = exchange_at(exchange) if exchange else None

    @abstractmethod
    def leave(self) -> None:
        """End the connection to the cluster."""

    def close(self) -> None:
        """Leave the cluster; what was in the exchange for days goes."""
        if self.exchange:
            with suppress(OSError):  # the next night tries again
                self.exchange.sweep_daily()
        self.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def cores(self) -> int:
        return max(1, int(sum(node.cores for node in self.nodes().values())))

    def machines(self) -> Machines:
        nodes = self.nodes().values()
        cores, gpus = sum(node.cores for node in nodes), sum(node.gpus for node in nodes)
        return Machines(self.kind, len(nodes), cores, gpus, common_disk=self.exchange is None)

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
        to.mkdir(parents=True, exist_ok=True)
        readers = Counter(path for bucket in buckets for path in bucket.inputs.values())
        shared = {path for path, times in readers.items() if times > 1}
        transport = ByExchange(self.exchange, function, to, code, fetch, shared) if self.exchange else CommonDisk(to)
        Flights(self, transport, parts.name_of(function), code, needs).run(buckets)
        return [to / bucket.name for bucket in buckets]
