"""Whether anybody is at the address of a cluster."""

import socket
from threading import Event

import pytest

from recmodels.engine.choice import EngineChoice
from recmodels.engine.knock import in_time, knock
from recmodels.errors import ConfigError, EngineUnavailable


def test_who_takes_connections_is_there_and_who_does_not_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://localhost:{port}", f"tcp://127.0.0.1:{port}"):
            knock(address, "Ray")
    with pytest.raises(EngineUnavailable, match=rf"no Ray cluster at ray://127\.0\.0\.1:{port} \(.+\): see"):
        knock(f"ray://127.0.0.1:{port}", "Ray")
    with pytest.raises(ConfigError, match="'head' is no address of a cluster of Dask: write it as host:port"):
        knock("head", "Dask")


def test_a_choice_is_asked_where_it_names_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"127.0.0.1:{server.getsockname()[1]}"
    for quiet in (EngineChoice("local"), EngineChoice("ray"), EngineChoice("ray", "auto")):
        quiet.knock()
    with pytest.raises(EngineUnavailable, match="no Dask cluster"):
        EngineChoice("dask", f"tcp://{nobody}").knock()
    monkeypatch.setenv("RAY_ADDRESS", nobody)
    with pytest.raises(EngineUnavailable, match="no Ray cluster"):
        EngineChoice("ray").knock()
    EngineChoice("local").knock()


def test_a_cluster_that_does_not_answer_in_time_is_given_up() -> None:
    never = Event()
    try:
        with pytest.raises(EngineUnavailable, match=r"^The cluster has not answered in 0 seconds: see that it runs"):
            in_time(never.wait, 0.01, "The cluster")
    finally:
        never.set()


def test_what_goes_wrong_is_said_in_a_line() -> None:
    def failing() -> None:
        raise ConnectionError("Many lines.\n\n  No version of it.\n")

    with pytest.raises(EngineUnavailable, match=r"^The cluster cannot be used \(No version of it\): see"):
        in_time(failing, 60, "The cluster")
    assert in_time(lambda: 1, 60, "The cluster") == 1
