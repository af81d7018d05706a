"""`nightrec deploy` waits for a server that is starting, and names one that does not answer."""

import httpx
import pytest

from flows.operate import server_ready
from flows.operate.server_ready import wait_for_server
from recmodels.errors import NightrecError

API = "http://server:4200/api"


class Server:
    """Answers one after another, and a clock that runs while one waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: int | Exception) -> None:
        self.answers, self.now, self.said = list(answers), 0.0, list[str]()
        monkeypatch.setattr(server_ready.httpx, "get", self.get)
        monkeypatch.setattr(server_ready.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(server_ready.time, "sleep", self.sleep)

    def get(self, url: str, **_: object) -> httpx.Response:
        assert url == f"{API}/ready"
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_server_that_is_starting_is_waited_for_and_that_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, httpx.ConnectError("Connection refused"), httpx.ReadTimeout(""), 503, 200)
    wait_for_server(API, 120, server.said.append)
    assert server.said == [f"Waiting for Prefect's server at {API}, which does not answer (Connection refused)"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_is_there(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    wait_for_server(API, 0, Server(monkeypatch, status).said.append)


def test_one_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, httpx.ConnectError("Name or service not known"))
    with pytest.raises(NightrecError) as refused:
        wait_for_server(API, 120, server.said.append)
    assert str(refused.value) == (
        f"Prefect's server at {API} does not answer (Name or service not known) (waited 120 s): see that it runs, and "
        "that PREFECT_API_URL is its address."
    )
    assert server.now >= 120
