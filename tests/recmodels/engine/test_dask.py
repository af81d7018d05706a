"""The engine that is a Dask cluster."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from recmodels.engine.choice import EngineChoice
from recmodels.engine.work import Bucket
from recmodels.errors import EngineUnavailable, NightrecError
from tests.recmodels.engine.contract import VERSION, Contract, mistaken, once_killed

pytest.importorskip("distributed", reason='Dask is not installed: pip install "nightrec[dask]"')

import dask

from recmodels.engine.dask import DaskEngine

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def dask_engine() -> Iterator[DaskEngine]:
    """An engine with a cluster of two processes of this machine."""
    forked = {"distributed.worker.multiprocessing-method": "forkserver"}  # from one that has imported what they need
    with pytest.MonkeyPatch.context() as patch, dask.config.set(forked):
        patch.setenv("OMP_NUM_THREADS", "2")
        with DaskEngine() as engine:
            yield engine


class TestDaskEngine(Contract):
    @pytest.fixture
    def engine(self, dask_engine: DaskEngine) -> DaskEngine:
        return dask_engine

    def test_a_mistake_is_named_and_shown(self, engine: DaskEngine, tmp_path: Path) -> None:
        with pytest.raises(NightrecError, match="mistaken failed with the bucket one") as info:
            engine.map(mistaken, [Bucket("one")], tmp_path, code=VERSION)
        assert 'raise ZeroDivisionError("by nothing")' in str(info.value.__cause__)

    def test_it_knows_its_machines(self, engine: DaskEngine) -> None:
        machines = engine.machines()
        assert (machines.kind, machines.nodes, machines.cores, engine.cores) == ("dask", 2, 2.0, 2)
        assert str(machines.address).startswith("tcp://127.0.0.1:")

    def test_a_worker_that_is_lost_costs_its_buckets(self, engine: DaskEngine, tmp_path: Path) -> None:
        buckets = [Bucket(f"b{n}", arguments={"mark": str(tmp_path / f"killed-{n}")}) for n in range(2)]
        parts = engine.map(once_killed, buckets, tmp_path / "out", code=VERSION)
        assert [(part / "done").read_text() for part in parts] == ["after a kill"] * 2


class TestWithoutACommonDisk(Contract):
    @pytest.fixture
    def engine(self, dask_engine: DaskEngine, tmp_path: Path) -> Iterator[DaskEngine]:
        with DaskEngine(dask_engine.machines().address, str(tmp_path / "exchange")) as engine:
            yield engine


def test_a_cluster_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recmodels.engine.dask.SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EngineUnavailable, match=f"^There is no Dask cluster at {address} "):
            DaskEngine(address)
        silent.listen()  # takes connections, and says nothing
        with pytest.raises(EngineUnavailable, match=f"^The Dask cluster {address} (has not answered|cannot be used)"):
            DaskEngine(address)


def test_settings_name_it(dask_engine: DaskEngine) -> None:
    with EngineChoice("dask", dask_engine.machines().address).connected() as engine:
        assert engine.machines().kind == "dask"
