"""`/metrics` behind the guard: who gets them, by which name of the server."""

import asyncio
import base64
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flows.operate.guard import Guard, Message, Receive, Send
from flows.operate.metrics import TOKEN, metrics_of
from flows.ui.site import Site
from recmodels.errors import ConfigError
from tasks.store.paths import Store

AUTH, SECRET = "nightrec:a long secret", "a token of 16 or more"
BASIC = {"Authorization": "Basic " + base64.b64encode(AUTH.encode()).decode()}
BEARER = {"Authorization": f"Bearer {SECRET}"}


async def prefect(scope: Message, receive: Receive, send: Send) -> None:
    raise AssertionError("Prefect is not asked")


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guard:
    monkeypatch.setenv(TOKEN, SECRET)
    site = Site(Store(tmp_path), tmp_path / "nightrec.toml")
    return Guard(prefect, ["http://127.0.0.1:4200"], AUTH, metrics=metrics_of(lambda: site, AUTH))


def ask(guard: Guard, headers: dict[str, str], method: str = "GET") -> httpx.Response:
    async def answered() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://127.0.0.1:4200") as client:
            return await client.request(method, "/metrics", headers=headers)

    return asyncio.run(answered())


@pytest.mark.parametrize("headers", [BASIC, BEARER, BEARER | {"Host": "nightrec.monitored.svc:4200"}])
def test_a_scraper_is_let_in_by_secret_or_token_whatever_it_calls_the_server(
    guard: Guard, headers: dict[str, str]
) -> None:
    answer = ask(guard, headers)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = [family.name for family in text_string_to_metric_families(answer.text)]
    assert names == ["nightrec_build_info", "nightrec_store_free_bytes"]  # no night has run


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": f"Basic {SECRET}"}])
def test_others_are_not(guard: Guard, headers: dict[str, str]) -> None:
    answer = ask(guard, headers)
    assert answer.status_code == 401 and TOKEN in answer.text and "nightrec_" not in answer.text


def test_nor_are_pages_of_other_sites(guard: Guard) -> None:
    assert ask(guard, BEARER | {"Origin": "https://attacker.example"}).status_code == 403


def test_metrics_can_only_be_read(guard: Guard) -> None:
    assert ask(guard, BEARER, "POST").status_code == 405


def test_without_a_token_the_secret_alone_lets_in(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN)
    guard.metrics = metrics_of(lambda: Site(Store(Path("nowhere"))), AUTH)
    assert [ask(guard, headers).status_code for headers in (BASIC, BEARER)] == [200, 401]


def test_a_token_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "short")
    with pytest.raises(ConfigError, match="must have 16 characters or more"):
        metrics_of(lambda: Site(Store(Path("nowhere"))), AUTH)
