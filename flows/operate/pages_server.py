"""A server of the pages of `nightrec ui` alone."""

import secrets
import signal
import sys
import threading
from collections.abc import Callable

from flows.operate.access import Access
from flows.operate.guard import Guard, Links
from flows.operate.local_stack import enter_was_pressed
from flows.operate.metrics import metrics_of
from flows.operate.pages import pages_of
from flows.operate.server import listen, new_secret
from flows.ui.site import Site


def show(site: Site, access: Access, say: Callable[[str], None]) -> None:
    """Serve the pages until SIGINT or SIGTERM, and say where they are.

    Raises:
        ConfigError: the port is taken.
    """
    import uvicorn

    links = Links(secrets.token_urlsafe(32))
    auth = access.auth or new_secret()
    scraped = metrics_of(lambda: site, auth)
    app = Guard(None, access.addresses, auth, links, pages_of(site), known=bool(access.auth), metrics=scraped)
    listener = listen(access.host, access.port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # whom somebody has looked up
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=access.certificate,
        ssl_keyfile=access.key,
    )
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    for name in (signal.SIGINT, signal.SIGTERM):  # before it serves; then it has handlers of its own, and calls these
        signal.signal(name, stop)
    say(f"Ready: {access.url}{links.new()}")
    say(
        "Open this link within an hour; it lets one browser in. "
        + ("Press Enter for another. " if sys.stdin.isatty() else "")
        + f"(The store is {site.store.root}.) Ctrl-C stops it."
    )
    # What `nightrec doctor` says takes seconds the first time: it is there when somebody looks.
    threading.Thread(target=site.examination.get, daemon=True).start()
    if sys.stdin.isatty():
        threading.Thread(target=_more_links, args=(access, links, say), daemon=True).start()
    server.run(sockets=[listener])


def _more_links(access: Access, links: Links, say: Callable[[str], None]) -> None:
    """Another link each time that Enter is pressed."""
    while True:
        if enter_was_pressed(0.5):
            say(f"{access.url}{links.new()}")
