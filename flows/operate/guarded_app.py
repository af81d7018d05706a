"""Prefect's server as nightrec runs it: behind the guard, on a socket that was opened for it.

`flows.operate.server` starts it as a program of its own, which ends with its parent; `flows.operate.lasting_server` is
it. What it is told, secrets included, is in its environment: other users of the machine see the command lines of all
programs, and the environments of their own only.
"""

import asyncio
import gc
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flows.operate import prefect_changes
from flows.operate.database import may_have_automations, prefect_places
from flows.operate.guard import App, Guard, Links, Message, Receive, Send
from flows.operate.parent import until_parent_ends
from flows.settings import CONFIG_VARIABLE, STORE_VARIABLE
from recmodels.compute.memory import in_one_arena, trim

if TYPE_CHECKING:
    import uvicorn

    from flows.ui.site import Site

LISTENER, ADDRESSES, LINK_KEY = "NIGHTREC_SERVER_LISTENER", "NIGHTREC_SERVER_ADDRESSES", "NIGHTREC_SERVER_LINK_KEY"
CERTIFICATE, KEY = "NIGHTREC_SERVER_CERTIFICATE", "NIGHTREC_SERVER_KEY"
KNOWN = "NIGHTREC_SERVER_SECRET_IS_KNOWN"
EPHEMERAL = "PREFECT__SERVER_EPHEMERAL"  # a night's own
GRACE = 5  # seconds for requests that are going when the server is to end


def main() -> None:
    """Serve until SIGTERM, or until the parent lets go of standard input."""
    threading.Thread(target=until_parent_ends, args=(end,), daemon=True).start()
    serve()


def serve() -> None:
    """Serve until SIGTERM or SIGINT."""
    in_one_arena()
    os.umask(0o077)  # the database, the interface's files, and what Prefect remembers are nobody else's business
    gc.disable()  # what is imported stays: to look among it for garbage takes a sixth of the start
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    make_private(settings.home)
    prefect_changes.change()
    told = os.environ
    if EPHEMERAL in told and not may_have_automations(prefect_places()[1]):
        prefect_changes.leave_out_triggers()
    links = Links(told[LINK_KEY]) if LINK_KEY in told else None
    auth = told["PREFECT_SERVER_API_AUTH_STRING"]
    pages = later() if links or {CONFIG_VARIABLE, STORE_VARIABLE} & told.keys() else None
    metrics = metrics_here(auth) if pages else None
    addresses = told[ADDRESSES].split(",")
    app = Guard(create_app(final=True), addresses, auth, links, pages, known=KNOWN in told, metrics=metrics)
    server = settings.server
    alive = server.api.keepalive_timeout
    config = configured(app, server.logging_level.lower(), alive, told.get(CERTIFICATE), told.get(KEY))
    gc.freeze()
    gc.enable()
    trim()
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(told[LISTENER]))])


def configured(
    app: Guard, log_level: str, keep_alive: int, certificate: str | None, key: str | None
) -> "uvicorn.Config":
    """How the application is served: with TLS if there is a certificate, and without a word about itself."""
    import uvicorn

    return uvicorn.Config(
        app,
        log_level=log_level,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


def metrics_here(auth: str) -> App:
    """The metrics of the site that the environment names; it is looked at when somebody asks."""
    from flows.operate.metrics import metrics_of

    @cache
    def site() -> "Site":
        from flows.operate.pages import site_here

        return site_here()

    return metrics_of(site, auth)


def later() -> App:
    """The pages of the site that the environment names; they are made when somebody asks for the first one."""
    made: list[App] = []

    def make() -> App:
        from flows.operate.pages import pages_of, site_here

        return pages_of(site_here())

    async def pages(scope: Message, receive: Receive, send: Send) -> None:
        if not made:
            made.append(await asyncio.to_thread(make))
        await made[0](scope, receive, send)

    return pages


def make_private(home: Path) -> None:
    """Take the database from the eyes of other users; it may have been made with less care."""
    home.mkdir(parents=True, exist_ok=True)
    for file in home.glob("prefect.db*"):
        with suppress(OSError):  # of another user's, who will have reasons
            file.chmod(0o600)


def end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(2 * GRACE)
    os._exit(1)  # it hangs


if __name__ == "__main__":
    main()
