"""The engine that is a Dask cluster; experimental.

Each worker counts as a node. Dask gives work to threads of workers: that a bucket needs several cores, or a node to
itself, it does not know; start workers with as many threads as there is room for.
"""

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from recmodels.compute import memory
from recmodels.compute.cores import threads
from recmodels.engine.cluster import Node, ProcessLost
from recmodels.engine.cluster_engine import ClusterEngine
from recmodels.engine.errand import perform
from recmodels.engine.knock import in_time, knock
from recmodels.engine.work import Machines, Needs
from recmodels.errors import ConfigError, EngineUnavailable

try:
    import distributed
except ImportError as error:
    raise ConfigError(f'The engine "dask" is not installed ({error}): pip install "nightrec[dask]".') from None

SECONDS = 30
"""In which a cluster must answer."""


class DaskEngine(ClusterEngine):
    """Works on buckets as tasks of a Dask cluster.

    Args:
        address: of its scheduler, `tcp://host:8786`; without it that of `DASK_SCHEDULER_ADDRESS`, else one of this
            machine's cores is started, and ends with the block.
        exchange: the address by which nodes without a common disk find each other's files; None where all see the
            folders that work is given.

    Raises:
        ConfigError: Dask is not installed, or there can be no exchange at that address.
        EngineUnavailable: there is no such cluster, or it does not answer.
    """

    kind = "dask"

    def __init__(self, address: str | None = None, exchange: str | None = None) -> None:
        super().__init__(exchange)
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is told by us
        address = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
        if address:
            knock(address, "Dask")
        self._own = None if address else distributed.LocalCluster(threads(), threads_per_worker=1, dashboard_address="")
        client = partial(distributed.Client, address or self._own, timeout=SECONDS, set_as_default=False)
        self._client = in_time(client, SECONDS, f"The Dask cluster {address}")

    def leave(self) -> None:
        self._client.close()
        if self._own:
            self._own.close()

    def machines(self) -> Machines:
        dashboard = self._client.dashboard_link if self._own is None else None
        return replace(super().machines(), address=self._client.scheduler.address, dashboard=dashboard)

    def listed(self) -> dict[str, Node]:
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return {
            address: Node(
                str(about["name"]),
                cores=float(about["nthreads"]),
                gpus=float(about["resources"].get("GPU", 0.0)),
                memory=int(about["memory_limit"] or memory.total()),
            )
            for address, about in workers.items()
        }

    def submit(self, errand: str, needs: Needs) -> Any:
        resources = {"GPU": needs.gpus} if needs.gpus else None
        return self._client.submit(perform, errand, pure=False, resources=resources)

    def wait(self, handles: Sequence[Any], seconds: float) -> Sequence[Any]:
        with suppress(TimeoutError), self._client.as_current():
            distributed.wait(list(handles), timeout=max(seconds, 0.01), return_when="FIRST_COMPLETED")
        return [handle for handle in handles if handle.done()]

    def answer(self, handle: Any) -> str:
        try:
            return str(handle.result())
        except distributed.scheduler.KilledWorker:
            raise ProcessLost from None
        except Exception as error:
            raise EngineUnavailable(
                f"A worker of the Dask cluster cannot do nightrec's work: {type(error).__name__}: {error}. Install the "
                "same nightrec, with the same Python and Dask, on all of them."
            ) from None

    def cancel(self, handles: Sequence[Any]) -> None:
        self._client.cancel(list(handles))
