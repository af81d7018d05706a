"""An engine is there for the processes that are started in a block, for them alone, and as long as they ask."""

import json
import socket
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recmodels.engine.choice import EngineChoice
from recmodels.engine.current import using
from recmodels.engine.remote import RemoteEngine
from recmodels.engine.served import for_processes
from recmodels.engine.watching import watched_by
from recmodels.engine.work import Bucket, Work
from recmodels.errors import EngineUnavailable
from tests.recmodels.engine.contract import VERSION, Recording
from tests.recmodels.engine.threaded import ThreadedEngine
from tests.waiting import until

RAY = EngineChoice("ray", "10.0.0.5:6379")


def held(work: Work) -> None:
    """Says that it has begun, and waits until it may end."""
    folder = Path(work.arguments["folder"])
    (folder / "begun").touch()
    until("it may end", (folder / "may end").exists, every=0.01)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ThreadedEngine]:
    with ThreadedEngine() as cluster, using(cluster):
        yield cluster
        (tmp_path / "may end").touch()


def test_only_a_cluster_that_this_process_works_with_is_served() -> None:
    with for_processes(RAY) as choice:
        assert choice == RAY
    with using(ThreadedEngine()), for_processes(EngineChoice("local")) as choice:
        assert choice == EngineChoice("local")


@pytest.mark.usefixtures("cluster")
def test_nobody_else_can_look_into_its_folder_which_is_gone_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("long" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with for_processes(RAY) as choice:
        assert (choice.kind, choice.address) == ("ray", "10.0.0.5:6379")
        place = Path(str(choice.served))
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        assert place.is_socket()
    assert not place.parent.exists()


def test_work_ends_with_who_asked_for_it(cluster: ThreadedEngine, tmp_path: Path) -> None:
    request = {"method": "map", "function": f"{__name__}:held", "to": str(tmp_path / "out"), "code": VERSION}
    request |= {"buckets": [{"name": "b", "inputs": {}, "arguments": {"folder": str(tmp_path)}}], "needs": {}}
    with for_processes(RAY) as choice, socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(choice.served))
        connection.sendall(json.dumps(request).encode() + b"\n")
        until("it has begun", (tmp_path / "begun").exists)
        connection.close()
        until("it is cancelled", lambda: cluster.cancelled == 1)


def test_work_ends_with_the_block(cluster: ThreadedEngine, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with for_processes(RAY) as choice:
            bucket = Bucket("b", arguments={"folder": str(tmp_path)})
            asked = pool.submit(RemoteEngine(str(choice.served)).map, held, [bucket], tmp_path / "out", code=VERSION)
            until("it has begun", (tmp_path / "begun").exists)
        assert cluster.cancelled == 1
        with pytest.raises(EngineUnavailable, match="has ended"):
            asked.result()


def test_what_is_lost_is_said_here_at_once_and_logged_there(
    cluster: ThreadedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sentence = "The node alpha was lost."
    monkeypatch.setattr(cluster, "changes", lambda: [sentence])
    there, here = Recording(), Recording()
    with watched_by(here), for_processes(RAY) as choice, watched_by(there):
        RemoteEngine(str(choice.served)).map(held, [], tmp_path, code=VERSION)
    assert (here.notes, there.notes, caplog.messages) == ([sentence], [], [sentence])
    assert here.progress == there.progress == [(0, 0)]
