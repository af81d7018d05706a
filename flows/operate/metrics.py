"""`/metrics` of the server: the site's metrics, for a scraper that has the server's secret, or a token of its own."""

import asyncio
import base64
import hmac
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows.operate.access import SHORTEST
from flows.operate.guard import METRICS, App, Message, Receive, Send, encoded
from recmodels.errors import ConfigError

if TYPE_CHECKING:
    from flows.ui.site import Site

TOKEN = "NIGHTREC_METRICS_TOKEN"
FORMAT = "text/plain; version=0.0.4; charset=utf-8"
NOT_LET_IN = f"Send the server's secret (Basic), or the token of {TOKEN} (Bearer).\n"


def metrics_of(site: "Callable[[], Site]", auth: str) -> App:
    """The application of `/metrics`.

    Args:
        site: whose metrics they are, once somebody asks.
        auth: the server's secret, as `user:password`.

    Raises:
        ConfigError: the token of the environment is too short.
    """
    token = os.environ.get(TOKEN)
    if token and len(token) < SHORTEST:
        raise ConfigError(f"{TOKEN} must have {SHORTEST} characters or more: others may try to guess it.")
    keys = [b"Basic " + base64.b64encode(auth.encode()), *([f"Bearer {token}".encode()] if token else [])]

    def text() -> str:
        from tasks.report.metrics import metrics_text

        shown = site()
        return metrics_text(shown.store, shown.name, datetime.now(UTC))

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        given = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), b"")
        if not any(hmac.compare_digest(given, key) for key in keys):
            await _plain(send, 401, NOT_LET_IN, {"WWW-Authenticate": 'Basic realm="nightrec"'})
        elif scope["method"] not in ("GET", "HEAD"):
            await _plain(send, 405, f"{METRICS} can only be read.\n", {"Allow": "GET, HEAD"})
        else:
            try:
                page = await asyncio.to_thread(text)
            except Exception as error:  # a file that is being written, or is damaged: the next time, or `doctor` says
                await _plain(send, 503, f"The store cannot be read just now ({type(error).__name__}).\n", {})
            else:
                await _plain(send, 200, page, {"Content-Type": FORMAT})

    return answer


async def _plain(send: Send, status: int, text: str, more: dict[str, str]) -> None:
    body = text.encode()
    headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    await send({"type": "http.response.start", "status": status, "headers": encoded(headers | more)})
    await send({"type": "http.response.body", "body": body})
