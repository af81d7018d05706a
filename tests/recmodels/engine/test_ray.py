"""The engine that is a Ray cluster: what any engine is held to, and what becomes of nodes, processes and drivers."""

from pathlib import Path

import pytest

from recmodels.engine.work import Bucket, Needs
from recmodels.errors import NightrecError
from tests.clusters import RayNodes
from tests.recmodels.engine.contract import VERSION, Contract, counting, mistaken

ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "nightrec[ray]"')

from recmodels.engine.ray import RayEngine  # noqa: E402


class TestRayEngine(Contract):
    @pytest.fixture
    def engine(self, ray_engine: RayEngine) -> RayEngine:
        return ray_engine

    def test_a_mistake_is_named_and_shown(self, engine: RayEngine, tmp_path: Path) -> None:
        with pytest.raises(
            NightrecError, match=r"mistaken failed with the bucket one on .*: ZeroDivisionError: by nothing"
        ) as info:
            engine.map(mistaken, [Bucket("one")], tmp_path, code=VERSION)
        assert 'raise ZeroDivisionError("by nothing")' in str(info.value.__cause__)

    def test_it_knows_its_machines(self, engine: RayEngine, ray_cluster: RayNodes) -> None:
        machines = engine.machines()
        assert (machines.kind, machines.nodes, machines.cores, engine.cores) == ("ray", 2, 2.0, 2)
        assert machines.address == ray_cluster.address

    def test_a_bucket_uses_the_cores_that_it_needs(self, engine: RayEngine, tmp_path: Path) -> None:
        (part,) = engine.map(counting, [Bucket("one")], tmp_path, code=VERSION, needs=Needs(cores=0.5))
        assert (part / "cores").read_text() == "1"


class TestWithoutACommonDisk(Contract):
    @pytest.fixture
    def engine(self, ray_cluster: RayNodes, ray_engine: RayEngine, tmp_path: Path) -> RayEngine:
        """On the same cluster; its nodes have caches of their own."""
        return RayEngine(ray_cluster.address, str(tmp_path / "exchange"))
