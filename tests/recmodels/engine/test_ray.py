"""The engine that is a Ray cluster: what any engine is held to, and what becomes of nodes, processes and drivers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import pyarrow.fs as pafs
import pytest

from recmodels.engine.watching import watched_by
from recmodels.engine.work import Bucket, Needs
from recmodels.errors import EngineUnavailable, NightrecError
from tests.clusters import CREDENTIALS, RayNodes
from tests.recmodels.engine.contract import (
    VERSION,
    Calls,
    Contract,
    Recording,
    counting,
    doubled,
    held,
    hold_four,
    killed,
    mistaken,
    numbers,
)
from tests.tasks.servers import s3
from tests.waiting import until

pytest.importorskip("ray", reason='Ray is not installed: pip install "nightrec[ray]"')

from recmodels.engine.ray import RayEngine

KILLS = 1  # of nodes; a new one takes seconds of CPU (`tests.benchmarks.engines` kills twenty)


class TestRayEngine(Contract):
    @pytest.fixture
    def engine(self, ray_engine: RayEngine) -> RayEngine:
        return ray_engine

    def test_a_mistake_is_named_and_shown(self, engine: RayEngine, tmp_path: Path) -> None:
        expected = r"mistaken failed with the bucket one on .*: ZeroDivisionError: by nothing"
        with pytest.raises(NightrecError, match=expected) as info:
            engine.map(mistaken, [Bucket("one")], tmp_path, code=VERSION)
        assert 'raise ZeroDivisionError("by nothing")' in str(info.value.__cause__)

    def test_it_knows_its_machines(self, engine: RayEngine, ray_cluster: RayNodes) -> None:
        machines = engine.machines()
        assert (machines.kind, machines.nodes, machines.cores, engine.cores) == ("ray", 2, 2.0, 2)
        assert machines.address == ray_cluster.address

    def test_a_bucket_uses_the_cores_that_it_needs(self, engine: RayEngine, tmp_path: Path) -> None:
        (part,) = engine.map(counting, [Bucket("one")], tmp_path, code=VERSION, needs=Needs(cores=0.5))
        assert (part / "cores").read_text() == "1"

    def test_each_node_is_asked(self, engine: RayEngine) -> None:
        answers = engine.on_each_node(told_back, {"told": 1})
        assert list(answers.values()) == [{"told": 1, "process": True}] * 2
        assert len(answers) == 2
        assert set(engine.on_each_node(wrong, {}).values()) == {"ValueError: It is wrong"}


def told_back(told: dict[str, object]) -> dict[str, object]:
    return {**told, "process": os.getpid() > 0}


def wrong(told: dict[str, object]) -> dict[str, object]:
    raise ValueError("It is wrong.")


class TestWithoutACommonDisk(Contract):
    @pytest.fixture
    def engine(self, ray_cluster: RayNodes, ray_engine: RayEngine, tmp_path: Path) -> RayEngine:
        """On the same cluster; its nodes have caches of their own."""
        return RayEngine(ray_cluster.address, str(tmp_path / "exchange"))


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    """The address of a bucket on an S3 server."""
    with s3() as host, pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        files = pafs.S3FileSystem(endpoint_override=host, scheme="http", allow_bucket_creation=True)
        files.create_dir("exchange")
        yield f"s3://exchange/FOLDER?endpoint_override={host}&scheme=http"


class TestWithAnS3Server(Contract):
    @pytest.fixture
    def engine(self, ray_cluster: RayNodes, ray_engine: RayEngine, s3_address: str, tmp_path: Path) -> RayEngine:
        return RayEngine(ray_cluster.address, s3_address.replace("FOLDER", tmp_path.name))


def works_or_is_done(folder: Path, mark: str, working: "Future[list[str]]") -> bool:
    return working.done() or any(folder.glob(mark))


def losses(notes: list[str]) -> list[str]:
    return [
        note for note in notes if re.fullmatch(r"The node .* was lost with a bucket of .*:held in flight: .*", note)
    ]


def test_lost_nodes_cost_the_buckets_in_flight(
    ray_cluster: RayNodes, ray_engine: RayEngine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls = Calls(tmp_path / "calls")
    told = [{"folder": str(tmp_path), **calls.told(f"b{number}")} for number in range(8)]
    buckets = [Bucket(str(one["bucket"]), arguments=one) for one in told]

    recording = Recording()

    def work() -> list[str]:
        with watched_by(recording):
            ray_engine.map(held, buckets, tmp_path / "out", code=VERSION)
        return recording.notes

    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(work)
        for kills in range(1, KILLS + 1):
            newest = f"* on cache-{ray_cluster.begun}"
            until("the newest node works", partial(works_or_is_done, tmp_path, newest, working))
            ray_cluster.kill(ray_cluster.nodes[-1])
            ray_cluster.add()
            until("its loss is known", lambda kills=kills: working.done() or len(losses(recording.notes)) == kills)
        (tmp_path / "all may").touch()
        notes = working.result()
    assert len(losses(notes)) == KILLS
    assert all("lost" in note or "joined" in note for note in notes)
    made = calls.made()
    assert set(made) == {bucket.name for bucket in buckets}
    assert len(made) == len(buckets) + KILLS
    assert "aylet" not in "".join(capfd.readouterr())  # what Ray has to say of it


def test_a_process_that_is_killed_is_tried_smaller(ray_engine: RayEngine, tmp_path: Path) -> None:
    calls = Calls(tmp_path / "calls")
    buckets = [Bucket("large", arguments={"enough": 2**29, **calls.told("large")})]
    with watched_by(recording := Recording()):
        (part,) = ray_engine.map(killed, buckets, tmp_path / "out", code=VERSION, needs=Needs(memory=2**30))
    assert (part / "memory").read_text() == "enough"
    assert len(calls.made()) == 3
    assert "too little memory for the bucket large, which is made on a node of its own" in recording.notes[-1]


DRIVER = """
import sys
from pathlib import Path
from recmodels.engine.ray import RayEngine
from tests.recmodels.engine.contract import hold_four
address, folder = sys.argv[1], Path(sys.argv[2])
with RayEngine(address, str(folder / "exchange")) as engine:
    hold_four(engine, folder)
"""


@pytest.mark.usefixtures("ray_engine")  # whose processes the second driver has, as it is this one
def test_a_driver_that_is_killed_repeats_no_finished_bucket(ray_cluster: RayNodes, tmp_path: Path) -> None:
    (tmp_path / "b0 may").touch()
    (tmp_path / "b1 may").touch()
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, ray_cluster.address, str(tmp_path)])
    until("two are done", lambda: len(list(tmp_path.glob("exchange/parts/*/part.json"))) == 2)
    until("two are held", lambda: len(list(tmp_path.glob("b[23] on *"))) == 2)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert sorted(Calls(tmp_path / "calls").made()) == ["b0", "b1", "b2", "b3"]
    (tmp_path / "all may").touch()
    hold_four(RayEngine(ray_cluster.address, str(tmp_path / "exchange")), tmp_path)
    again = set(Calls(tmp_path / "calls").made())
    assert again <= {"b2", "b3"}  # what the dead driver's processes held may have ended before the next one asked
    assert [path.read_text() for path in sorted(tmp_path.glob("out/*/name"))] == ["b0", "b1", "b2", "b3"]


def test_another_nightrec_is_refused(ray_engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recmodels.engine.flights.sources", lambda: "another")
    with pytest.raises(EngineUnavailable, match=r"^The node .* has another nightrec than the process"):
        ray_engine.map(counting, [Bucket("one")], tmp_path, code=VERSION)


def test_what_a_cluster_is_told_has_no_secret_and_no_path_of_this_machine(
    ray_cluster: RayNodes, ray_engine: RayEngine, s3_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    submit = RayEngine.submit

    def submitted(engine: RayEngine, errand: str, needs: Needs) -> object:
        told.append(errand)
        return submit(engine, errand, needs)

    monkeypatch.setattr(RayEngine, "submit", submitted)
    engine = RayEngine(ray_cluster.address, s3_address.replace("FOLDER", "told"))
    engine.map(doubled, numbers(tmp_path / "in", 2), tmp_path / "out", code=VERSION)
    assert len(told) == 2
    for errand in told:
        assert json.loads(errand)["function"] == "tests.recmodels.engine.contract:doubled"
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in errand
        assert str(tmp_path) not in errand


LOOKING = """
import sys
from recmodels.engine import ray
ray.SECONDS = 1.0
for address in sys.argv[1:]:
    try:
        ray.RayEngine(address)
    except ray.EngineUnavailable as error:
        print(error)
"""


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_sentence() -> None:
    with socket.socket() as nobody, socket.socket() as silent:
        nobody.bind(("127.0.0.1", 0))  # takes no connections
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes them, and says nothing
        refusing, address = (f"127.0.0.1:{one.getsockname()[1]}" for one in (nobody, silent))
        command = [sys.executable, "-c", LOOKING, refusing, f"ray://{refusing}", address]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    for one, sentence in zip((refusing, f"ray://{refusing}"), said[:2], strict=True):
        assert sentence.startswith(f"There is no Ray cluster at {one} (Connection refused): see")
    assert said[2].startswith(f"The Ray cluster {address} has not answered in 1 seconds: see")
    assert len(said) == 3


def test_a_head_that_does_not_answer_is_one_sentence_and_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, over, asked = RayEngine.__new__(RayEngine), Event(), list[None]()
    engine.address, engine._lost = "head:6379", None  # where one was
    monkeypatch.setattr("recmodels.engine.ray.LOST", 0.2)
    monkeypatch.setattr("recmodels.engine.ray.ray.nodes", lambda: (asked.append(None), over.wait()))
    for _ in range(3):
        with pytest.raises(
            EngineUnavailable, match=r"^The head of the Ray cluster head:6379 has not answered in 0 seconds"
        ):
            engine.listed()
    over.set()
    assert len(asked) == 1
