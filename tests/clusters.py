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


def _without_pages(patch: pytest.MonkeyPatch) -> None:
    """Have nodes as where no more than `ray` is installed, without `ray[default]`: what shows them is half their time.

    The head has a server for pages even then, which is not started; nor does anybody collect how nodes are.
    """
    from ray._private import node, utils

    patch.setattr(utils, "get_dashboard_dependency_error", lambda: ImportError("none is wanted"))
    patch.setattr(node.Node, "start_api_server", lambda *_, **__: None)
    patch.setenv("RAY_enable_metrics_collection", "0")
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")


@contextmanager
def ray_nodes(count: int = 2) -> Iterator[RayNodes]:
    """A Ray cluster with so many nodes that work."""
    pytest.importorskip("ray", reason='Ray is not installed: pip install "nightrec[ray]"')
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # short: the names of sockets have a limit
    (folder / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        _without_pages(patch)
        patch.setenv("RAY_TMPDIR", str(folder))
        nodes = RayNodes(folder)
        try:
            for _ in range(count):
                nodes.add()
            yield nodes
        finally:
            nodes.cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
