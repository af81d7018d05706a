"""The engine that is a Ray cluster."""

import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from recmodels.compute.cores import threads
from recmodels.engine.cluster import Node, NodeLost, OutOfMemory, ProcessLost
from recmodels.engine.cluster_engine import ClusterEngine
from recmodels.engine.errand import found, perform
from recmodels.engine.knock import in_time, knock, last_line
from recmodels.engine.parts import name_of
from recmodels.engine.work import Machines, Needs
from recmodels.errors import ConfigError, EngineUnavailable

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told what runs here

try:
    import ray
    from ray import exceptions as errors
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise ConfigError(f'The engine "ray" is not installed ({error}): pip install "nightrec[ray]".') from None

SECONDS = 30.0
"""In which a cluster must answer."""
LOST = 20.0
"""In which the head of one that we work with must answer; what is told then, and ended, takes as long again."""
RECONNECTING = {"RAY_gcs_rpc_server_reconnect_timeout_s": "86400"}
"""Of a process that works with a cluster: Ray ends it without a word within a minute after its head was lost, which we
say before that."""


class RayEngine(ClusterEngine):
    """Works on buckets as tasks of a Ray cluster: one each, spread over its nodes.

    Args:
        address: `host:port` of a cluster that this machine is a node of, `ray://host:10001` of any other, `auto` for
            the one that this machine is a node of; without it that of `RAY_ADDRESS`, else one of this machine's cores
            is started, and ends with the block.
        exchange: the address by which nodes without a common disk find each other's files; None where all see the
            folders that work is given.

    Raises:
        ConfigError: Ray is not installed, or there can be no exchange at that address.
        EngineUnavailable: there is no such cluster, or it does not answer.
    """

    kind = "ray"

    def __init__(self, address: str | None = None, exchange: str | None = None) -> None:
        super().__init__(exchange)
        self._lost: str | None = None
        """What was said when the head did not answer: what asks later is told at once."""
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._ours = not ray.is_initialized()  # and not of somebody who uses Ray in this process
        if self._ours:
            _connect(address)
        self._perform = ray.remote(perform)
        self.address = address if address.startswith("ray://") else ray.get_runtime_context().gcs_address

    def leave(self) -> None:
        if self._ours:
            ray.shutdown()

    def machines(self) -> Machines:
        return replace(super().machines(), address=self.address, dashboard=_dashboard())

    def listed(self) -> dict[str, Node]:
        if self._lost is not None:
            raise EngineUnavailable(self._lost)
        try:
            nodes = in_time(ray.nodes, LOST, f"The head of the Ray cluster {self.address}")
        except EngineUnavailable as error:
            self._lost = str(error)
            raise
        return {
            one["NodeID"]: Node(
                one["NodeName"] if one["NodeName"] != one["NodeManagerAddress"] else one["NodeManagerHostname"],
                cores=one["Resources"].get("CPU", 0.0),
                gpus=one["Resources"].get("GPU", 0.0),
                memory=int(one["Resources"].get("memory", 0)),
            )
            for one in nodes
            if one["Alive"]
        }

    def submit(self, errand: str, needs: Needs) -> Any:
        task = self._perform.options(
            name=json.loads(errand)["function"].rpartition(":")[2],
            num_cpus=needs.cores if needs.cores < 1 else math.ceil(needs.cores),  # Ray has parts of one core alone
            num_gpus=needs.gpus,
            memory=needs.memory or None,
            max_retries=0,  # what is lost is told, counted, and tried again by us
            scheduling_strategy="SPREAD",
        )
        return task.remote(errand)

    def wait(self, handles: Sequence[Any], seconds: float) -> Sequence[Any]:
        ended, _ = ray.wait(list(handles), timeout=seconds)
        return list(ended)

    def answer(self, handle: Any) -> str:
        try:
            return str(ray.get(handle))
        except errors.NodeDiedError as error:
            raise NodeLost(_node_in(str(error))) from None
        except errors.OutOfMemoryError:
            raise OutOfMemory from None
        except (errors.WorkerCrashedError, errors.LocalRayletDiedError):
            raise ProcessLost from None
        except errors.RayError as error:
            raise EngineUnavailable(
                f"A node of the Ray cluster cannot do nightrec's work: {last_line(error)}. Install the same nightrec, "
                "with the same Python and Ray, on all nodes."
            ) from None

    def cancel(self, handles: Sequence[Any]) -> None:
        with suppress(errors.RayError):
            for handle in handles:
                ray.cancel(handle)
            if handles:  # what they have begun goes first
                ray.wait(list(handles), num_returns=len(handles), timeout=5.0)

    def on_each_node(
        self, function: Callable[[Mapping[str, Any]], Mapping[str, Any]], told: Mapping[str, Any], seconds: float = 60.0
    ) -> dict[str, Mapping[str, Any] | str]:
        """Call a function of a module on each node, to see how it is there.

        Args:
            function: is told, and returns, what JSON can say.
            told: to it.
            seconds: to wait for all answers.

        Returns:
            By the node's name what it answered, or what went wrong there in words.
        """
        ask = ray.remote(_asked)
        asked = {
            node.name if one_name else f"{node.name} ({one[:6]})": ask.options(
                num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(one, soft=False)
            ).remote(name_of(function), json.dumps(told))
            for nodes in [self.nodes()]
            for one, node in nodes.items()
            for one_name in [[other.name for other in nodes.values()].count(node.name) == 1]
        }
        ready, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=seconds)
        return {name: _answer_of(task) if task in ready else "it does not answer" for name, task in asked.items()}


def _asked(function: str, told: str) -> str:
    return json.dumps(found(function)(json.loads(told)))


def _answer_of(task: Any) -> Mapping[str, Any] | str:
    try:
        answer: Mapping[str, Any] = json.loads(ray.get(task))
        return answer
    except errors.RayError as error:
        return last_line(error)


def _connect(address: str) -> None:
    """Connect this process to a cluster.

    Raises:
        EngineUnavailable: there is none, or it does not answer in time.
    """
    _quiet()
    told: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if address == "local":  # its processes end with the thread that has started them
        ray.init(address, namespace="nightrec", num_cpus=threads(), include_dashboard=False, **told)
        return
    if address != "auto":
        knock(address, "Ray")
    with _environment(RECONNECTING):
        in_time(lambda: ray.init(address, namespace="nightrec", **told), SECONDS, f"The Ray cluster {address}")


@contextmanager
def _environment(names: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the block, unless somebody else has."""
    ours = {name: value for name, value in names.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def _quiet() -> None:
    """Keep what Ray says of its processes, hundreds of lines where one is lost, out of the output of the night."""
    from ray._private import worker

    logging.getLogger("ray").setLevel(logging.ERROR)
    if hasattr(worker, "_worker_logs_enabled"):
        worker._worker_logs_enabled = False


def _dashboard() -> str | None:
    from ray._private import worker
    from ray.util.client import ray as client

    url = client._get_dashboard_url() if client.is_connected() else worker.get_dashboard_url()
    return f"http://{url}" if url else None


def _node_in(message: str) -> str:
    named = re.search(r"node ID: (\w+)", message)
    return named[1] if named else "of that bucket"
