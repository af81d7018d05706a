"""The guard before Prefect's server: it turns away the pages of other sites, and lets a person's browser in by a link.

Prefect's server itself asks every client for its secret. The guard adds what that leaves open. A browser reaches a
server of this machine from any page it shows, so a request must name the server's own address (Host, against names
that are made to point here) and must not come from a page of another address (Origin, Sec-Fetch-Site).

Whether it is alive is told to anybody who may be its watchman: probes name it by whatever address it has today.

The secret is kept in the browser's storage for this very address, and never in a cookie: a browser would send a cookie
by itself, and also to other programs' ports on the same machine. The pages of `nightrec ui` have no scripts that could
send it, so for them the browser keeps it as the password of this address (HTTP Basic), which no other port gets.
"""

import base64
import hmac
import html
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flows.ui import PREFIX

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LINK = "/nightrec-link"
METRICS = "/metrics"
PROBES = ("/api/health", "/api/ready")  # which say true or false, and to which Prefect asks for no secret
LIFE = 3600.0  # seconds in which a link can be used
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LOGIN = """\
<!doctype html><meta charset="utf-8"><title>nightrec</title>
<noscript>This one page needs JavaScript: it gives the secret to your browser.</noscript>
<script nonce="{nonce}">
{script}
</script>
"""
TO_PREFECT = 'localStorage.setItem("prefect-password", {password});'
TO_PAGES = """\
const ask = new XMLHttpRequest();
ask.onloadend = () => location.replace({start});
ask.open("GET", {pages}, true, {user}, {word});
ask.send();"""
CHALLENGE = 'Basic realm="nightrec", charset="UTF-8"'
USED_LINK = (
    "This link has been used, or is older than an hour. Press Enter in the terminal that printed it for another."
)
NO_LINK = "Open the link that was printed where this server was started; pressing Enter there prints another."
REFUSAL = '<!doctype html><meta charset="utf-8"><title>nightrec</title><p>{why}\n'


@dataclass
class Links:
    """Links that let a browser in: each once, and for an hour. Whoever knows the key makes and checks them."""

    key: str
    used: set[str] = field(default_factory=set)

    def new(self) -> str:
        """The path of a new link."""
        token = f"{time.time():.0f}-{secrets.token_urlsafe(16)}"
        return f"{LINK}?token={token}.{self._signature(token)}"

    def redeem(self, query: bytes) -> bool:
        """Whether this is the query of a link that may still be used. From now on it may not."""
        given = parse_qs(query.decode("latin-1")).get("token", [""])[0]
        token, _, signature = given.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(token).encode()) or token in self.used:
            return False
        self.used.add(token)
        return time.time() - float(token.partition("-")[0]) <= LIFE

    def _signature(self, token: str) -> str:
        return hmac.new(self.key.encode(), token.encode(), "sha256").hexdigest()


class Guard:
    """An ASGI application around Prefect's, or the pages of `nightrec ui`, or both.

    Args:
        app: Prefect's; None where there are only the pages.
        addresses: at which the server answers, such as `http://127.0.0.1:4200`.
        auth: the server's secret, as `user:password`.
        links: that let a browser in; None where no browser has business.
        pages: what is below `flows.ui.PREFIX`, for those who know the secret.
        known: whether a person may know the secret, and browsers are to ask for it.
        metrics: what is at `METRICS`, which lets scrapers in itself, by whatever name they ask.
    """

    def __init__(
        self,
        app: App | None,
        addresses: Iterable[str],
        auth: str,
        links: Links | None = None,
        pages: App | None = None,
        known: bool = False,
        metrics: App | None = None,
    ) -> None:
        self.app, self.auth, self.links, self.pages, self.known = app, auth, links, pages, known
        self.metrics = metrics
        self.origins = set(addresses)
        self.hosts = {urlsplit(address).netloc for address in self.origins}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            if self.app is not None:
                await self.app(scope, receive, send)
            return
        if (why := self.refusal(scope)) is not None:
            await refuse(scope, receive, send, why)
        elif scope["type"] == "http" and self.links is not None and scope["path"] == LINK:
            await self.let_in(scope, send, self.links)
        elif scope["type"] == "http" and self.metrics is not None and scope["path"] == METRICS:
            await self.metrics(scope, receive, with_headers(send))
        elif self.pages is not None and (self.app is None or is_page(scope)):
            await self.show(scope, receive, send, self.pages)
        elif self.app is not None:
            await self.app(scope, receive, with_headers(send) if scope["type"] == "http" else send)

    async def show(self, scope: Message, receive: Receive, send: Send, pages: App) -> None:
        """Show a page to who knows the secret.

        A browser asks its user for the secret only where that may be known; a fresh one comes with a link.
        """
        if scope["type"] != "http":
            await refuse(scope, receive, send, NO_LINK)
            return
        headers: dict[bytes, bytes] = {name.lower(): value for name, value in scope["headers"]}
        if hmac.compare_digest(headers.get(b"authorization", b""), b"Basic " + base64.b64encode(self.auth.encode())):
            await pages(scope, receive, with_headers(send))
        elif self.known or headers.get(b"sec-fetch-mode") != b"navigate":
            more = {"WWW-Authenticate": CHALLENGE}
            await answer(send, 401, REFUSAL.format(why=NO_LINK), "default-src 'none'", more)
        else:
            await answer(send, 403, REFUSAL.format(why=NO_LINK), "default-src 'none'")

    def refusal(self, scope: Message) -> str | None:
        """Why a request is turned away, if it is."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        is_probe = (scope["type"], scope.get("method")) == ("http", "GET") and scope["path"] in PROBES
        is_open = is_probe or (self.metrics is not None and scope["path"] == METRICS)
        if not is_open and (len(hosts := headers.get("host", [])) != 1 or hosts[0].lower() not in self.hosts):
            return "This server is not known by that name."
        if any(origin.lower() not in self.origins for origin in headers.get("origin", [])):
            return "This server answers no pages of other sites."
        if "".join(headers.get("sec-fetch-site", [])) in ("cross-site", "same-site") and not is_visit(scope, headers):
            return "This server answers no pages of other sites."
        return None

    async def let_in(self, scope: Message, send: Send, links: Links) -> None:
        """Give the secret to the browser that shows an unused link; it goes on to the start page."""
        if scope["method"] != "GET" or not links.redeem(scope["query_string"]):
            await answer(send, 403, REFUSAL.format(why=USED_LINK), "default-src 'none'")
            return
        nonce = secrets.token_urlsafe(16)
        page = LOGIN.format(nonce=nonce, script=self.script())
        policy = f"default-src 'none'; script-src 'nonce-{nonce}'; connect-src 'self'; frame-ancestors 'none'"
        await answer(send, 200, page, policy)

    def script(self) -> str:
        """What a browser does that is let in."""
        user, _, word = self.auth.partition(":")
        start = "/" if self.app is not None else f"{PREFIX}/"
        lines = []
        if self.app is not None:
            lines.append(TO_PREFECT.format(password=in_script(base64.b64encode(self.auth.encode()).decode())))
        if self.pages is None:
            lines.append(f"location.replace({in_script(start)});")
        else:
            first = in_script(f"{PREFIX}/")
            lines.append(
                TO_PAGES.format(start=in_script(start), pages=first, user=in_script(user), word=in_script(word))
            )
        return "\n".join(lines)


def in_script(text: str) -> str:
    """A text as a literal within a script of a page."""
    return json.dumps(text).replace("<", "\\u003c")


def is_page(scope: Message) -> bool:
    """Whether a request is for the pages of `nightrec ui`."""
    path = str(scope.get("path", ""))
    return scope["type"] == "http" and (path == PREFIX or path.startswith(f"{PREFIX}/"))


def is_visit(scope: Message, headers: dict[str, list[str]]) -> bool:
    """Whether a person follows a link: the page is shown in a window of its own, and whoever linked it sees nothing."""
    mode, where = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return (scope.get("method"), mode, where) == ("GET", ["navigate"], ["document"])


async def refuse(scope: Message, receive: Receive, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # the wish to connect; it is refused with status 403
        await send({"type": "websocket.close", "code": 1008})
        return
    await answer(send, 403, REFUSAL.format(why=html.escape(why)), "default-src 'none'")


async def answer(send: Send, status: int, page: str, policy: str, more: Mapping[str, str] = {}) -> None:
    body = page.encode()
    headers = {
        **HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(body)),
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        **more,
    }
    await send({"type": "http.response.start", "status": status, "headers": encoded(headers)})
    await send({"type": "http.response.body", "body": body})


def with_headers(send: Send) -> Send:
    """The same, with headers in each answer that keep it out of frames and other sites' pages; its own count more."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = list(message.get("headers", []))
            names = {name.lower() for name, _ in there}
            message["headers"] = [*there, *(one for one in encoded(HEADERS) if one[0] not in names)]
        await send(message)

    return sent


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
