"""Clusters of this machine alone, with which engines of clusters are tried."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

STORE = 100 * 2**20  # bytes of each node for objects, of which we have none

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "not-shown", "AWS_REGION": "us-east-1"}
"""Of each node, for the S3 servers of the tests."""


PORTS = ("runtime_env_agent", "metrics_agent", "metrics_export", "dashboard_agent_listen")
"""Of what runs beside a node, which waits until each has a port; -1 says that it has none."""
LEAN = {
    "RAY_enable_metrics_collection": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_pipe_based_agent_to_parent_health_check": "1",
    "RAY_worker_niceness": "0",
}
"""Nobody collects how nodes are; what runs beside a node ends with it, by a pipe; and what does the work is not put off
for the sake of the tests that run beside it, which would all end before."""


class RayNodes:
    """A Ray cluster of nodes with a core each, and a head that takes no work. Each node has a cache of its own."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        self.cluster = Cluster()
        lean = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        self.cluster.add_node(num_cpus=0, object_store_memory=STORE, **lean)
        self.address = str(self.cluster.address)
        self.nodes: list[Any] = []
        self.begun = 0

    def add(self) -> Any:
        """Another node joins."""
        self.begun += 1
        own = {"NIGHTREC_ENGINE_CACHE": str(self.folder / f"cache-{self.begun}"), **CREDENTIALS}
        node = self.cluster.add_node(num_cpus=1, object_store_memory=STORE, env_vars=own)
        self.nodes.append(node)
        return node

    def kill(self, node: Any) -> None:
        """A node is gone, as if it had lost its power."""
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


def _lean_nodes(patch: pytest.MonkeyPatch) -> None:
    """Have nodes of nothing but what gives out and does work: the rest is half their time.

    The head has a server for pages even where no more than `ray` is installed, without `ray[default]`; and each node
    has two agents, for environments of tasks and for pages, for which something stands here that waits.
    """
    from ray._private import node, services, utils

    patch.setattr(utils, "get_dashboard_dependency_error", lambda: ImportError("none is wanted"))
    patch.setattr(node.Node, "start_api_server", lambda *_, **__: None)
    start = services.start_ray_process
    lean = lambda command, *more, **told: start(_lean(command), *more, **told)  # noqa: E731
    patch.setattr(services, "start_ray_process", lean)
    for name, value in LEAN.items():
        patch.setenv(name, value)


def _lean(command: list[str]) -> list[str]:
    """The command of one of Ray's processes, without agents if it is a node's."""
    from ray._raylet import persist_port

    told = {name: value for name, given, value in (word.partition("=") for word in command) if given}
    if "--raylet_socket_name" not in told:
        return command
    for port in PORTS:
        persist_port(told["--session_dir"], told["--node_id"], f"{port}_port", -1)
    told["--dashboard_agent_command"] = told["--runtime_env_agent_command"] = "sh -c cat"  # it is told more
    given = (word.partition("=")[0] for word in command)
    return [f"{name}={told[name]}" if name in told else name for name in given]


@contextmanager
def ray_nodes(count: int = 2) -> Iterator[RayNodes]:
    """A Ray cluster with so many nodes that work."""
    pytest.importorskip("ray", reason='Ray is not installed: pip install "nightrec[ray]"')
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: the names of sockets have a limit
    (folder / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        _lean_nodes(patch)
        patch.setenv("RAY_TMPDIR", str(folder))
        nodes = RayNodes(folder)
        try:
            for _ in range(count):
                nodes.add()
            yield nodes
        finally:
            nodes.cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
