"""Who gets past the guard, asked of it directly, with an application behind it that tells who did."""

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from flows.operate import guard
from flows.operate.guard import Guard, Links, Message, Receive, Send

HERE = "http://127.0.0.1:4200"
AUTH = "nightrec:secret"
FOREIGN = [
    {"Host": "attacker.example:4200"},  # a name of the attacker's that was made to point here
    {"Host": "127.0.0.1"},
    {"Host": "127.0.0.1:4201"},
    {"Host": ""},
    {"Origin": "https://attacker.example"},
    {"Origin": "http://attacker.localhost:4200"},
    {"Origin": "http://127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1.attacker.example:4200"},
    {"Origin": "https://127.0.0.1:4200"},
    {"Origin": "null"},  # of a page in a sandbox, or from a file
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
]
OWN: list[dict[str, str]] = [
    {},
    {"Host": "localhost:4200"},
    {"Host": "LOCALHOST:4200", "Origin": "http://localhost:4200"},
    {"Origin": HERE, "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
]


class Behind:
    """An application that says what got through to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.seen.append(scope["path"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"prefect")]})
        await send({"type": "http.response.body", "body": b"prefect"})


class Pages(Behind):
    """Pages that say so, with a header of their own."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"no-referrer")]})
        await send({"type": "http.response.body", "body": b"pages"})


BASIC = {"Authorization": "Basic " + base64.b64encode(AUTH.encode()).decode()}
VISIT = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def links() -> Links:
    return Links("key")


@pytest.fixture
def guarded(behind: Behind, links: Links) -> Guard:
    return Guard(behind, [HERE, "http://localhost:4200"], AUTH, links)


def asked(app: Guard, path: str = "/api/flows", headers: Mapping[str, str] = {}, method: str = "GET") -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
            return await client.request(method, path, headers=dict(headers))

    return asyncio.run(ask())


def connected(app: Guard, headers: Mapping[str, str]) -> str:
    """What becomes of a wish to open a websocket."""
    sent: list[Message] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    named = {"Host": "127.0.0.1:4200", **headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    scope: Message = {"type": "websocket", "path": "/api/events/out", "query_string": b"", "headers": raw}
    asyncio.run(app(scope, receive, send))
    return str(sent[0]["type"])


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_nothing_of_a_stranger_gets_through(
    guarded: Guard, behind: Behind, headers: dict[str, str], method: str
) -> None:
    answer = asked(guarded, headers=headers | BASIC, method=method)  # even if it knew the secret
    assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    assert behind.seen == []


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_socket_is_opened_to_a_foreign_page(guarded: Guard, behind: Behind, headers: dict[str, str]) -> None:
    assert connected(guarded, headers) == "websocket.close"
    assert behind.seen == []


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_clients_and_the_own_page_get_through(guarded: Guard, behind: Behind, headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        assert asked(guarded, headers=headers, method=method).text == "prefect"
    assert connected(guarded, headers) == "websocket.accept"
    assert len(behind.seen) == 3


def test_a_link_on_another_page_may_be_followed_but_brings_no_form_along(guarded: Guard) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert asked(guarded, "/", followed).status_code == 200
    assert asked(guarded, "/", followed, method="POST").status_code == 403


def test_two_hosts_are_none(guarded: Guard, behind: Behind) -> None:
    scope = {"type": "http", "path": "/", "headers": [(b"host", b"127.0.0.1:4200"), (b"host", b"attacker.example")]}
    assert guarded.refusal(scope) is not None


@pytest.mark.parametrize("path", guard.PROBES)
def test_probes_name_the_server_by_whatever_address_it_has(guarded: Guard, path: str) -> None:
    by_address = {"Host": "10.1.2.3:4200"}
    assert asked(guarded, path, by_address).text == "prefect"
    assert asked(guarded, path, by_address, method="POST").status_code == 403
    assert asked(guarded, f"{path}/", by_address).status_code == 403
    assert asked(guarded, path, by_address | {"Origin": "https://attacker.example"}).status_code == 403


def test_pages_cannot_be_framed_nor_their_answers_read(guarded: Guard) -> None:
    headers = asked(guarded).headers
    assert headers["x-app"] == "prefect"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_link_gives_the_secret_to_one_browser(guarded: Guard, behind: Behind, links: Links) -> None:
    path = links.new()
    answer = asked(guarded, path)
    assert answer.status_code == 200
    kept = re.search(r'localStorage.setItem\("prefect-password", (".*")\);', answer.text)
    assert kept and base64.b64decode(json.loads(kept[1])).decode() == AUTH  # as Prefect's pages keep what is typed
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    again = asked(guarded, path)
    assert again.status_code == 403 and "has been used" in again.text
    assert behind.seen == []


def test_a_link_that_is_made_up_or_changed_lets_nobody_in(guarded: Guard, links: Links) -> None:
    path = links.new()
    for wrong in (guard.LINK, f"{guard.LINK}?token=", f"{guard.LINK}?token=.", path[:-1], path.replace("=", "=9")):
        assert asked(guarded, wrong).status_code == 403
    assert asked(guarded, Links("another key").new()).status_code == 403
    assert asked(guarded, path, method="HEAD").status_code == 403  # what looks at links before people do
    assert asked(guarded, path).status_code == 200


def test_a_link_is_good_for_an_hour(links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    old = links.new().partition("?")[2].encode()
    now = guard.time.time()
    monkeypatch.setattr(guard.time, "time", lambda: now + guard.LIFE + 2)
    assert not links.redeem(old)
    assert links.redeem(links.new().partition("?")[2].encode())


def test_without_links_there_is_no_such_page(behind: Behind) -> None:
    assert asked(Guard(behind, [HERE], AUTH), Links("key").new()).text == "prefect"


@pytest.mark.parametrize("path", ["/nightrec", "/nightrec/", "/nightrec/nights/2026-03-01"])
def test_pages_are_shown_to_who_knows_the_secret(behind: Behind, path: str) -> None:
    pages = Pages()
    app = Guard(behind, [HERE], AUTH, Links("key"), pages)
    assert asked(app, path, BASIC).text == "pages"
    assert asked(app, path, BASIC | VISIT).headers["referrer-policy"] == "no-referrer"
    assert asked(app, path, BASIC).headers["x-frame-options"] == "DENY"
    for wrong in ({}, {"Authorization": "Basic bm9ib2R5"}, {"Authorization": BASIC["Authorization"].lower()}):
        assert asked(app, path, wrong).headers["www-authenticate"].startswith("Basic ")
        refused = asked(app, path, wrong | VISIT)  # a browser has nobody to ask for a secret that nobody has seen
        assert refused.status_code == 403 and "www-authenticate" not in refused.headers
    assert asked(app, path, BASIC | {"Origin": "https://attacker.example"}).status_code == 403
    assert asked(app, path, BASIC | {"Host": "attacker.example:4200"}).status_code == 403
    assert len(pages.seen) == 3
    assert behind.seen == []


def test_a_browser_asks_for_a_secret_that_a_person_has_chosen(behind: Behind) -> None:
    answer = asked(Guard(behind, [HERE], AUTH, None, Pages(), known=True), "/nightrec/", VISIT)
    assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Basic ")


def test_only_their_own_paths_are_the_pages(behind: Behind) -> None:
    app = Guard(behind, [HERE], AUTH, Links("key"), Pages())
    for path in ("/", "/nightrecs", "/api/nightrec/", "/NIGHTREC/"):
        assert asked(app, path).text == "prefect"


def test_pages_alone_are_all_that_there_is() -> None:
    app = Guard(None, [HERE], AUTH, Links("key"), Pages())
    assert asked(app, "/", BASIC).text == "pages"
    assert asked(app, "/", VISIT).status_code == 403
    assert connected(app, BASIC) == "websocket.close"


def test_a_link_has_the_browser_keep_the_secret_for_the_pages(behind: Behind) -> None:
    secret = 'somebody:</script>:"x'
    links = Links("key")
    both = asked(Guard(behind, [HERE], secret, links, Pages()), links.new())
    alone = asked(Guard(None, [HERE], secret, links, Pages()), links.new())
    for answer in (both, alone):
        assert 'ask.open("GET", "/nightrec/", true, "somebody", "\\u003c/script>:\\"x");' in answer.text
        assert "connect-src 'self'" in answer.headers["content-security-policy"]
    assert 'location.replace("/")' in both.text and "prefect-password" in both.text
    assert 'location.replace("/nightrec/")' in alone.text and "prefect-password" not in alone.text
