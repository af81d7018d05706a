"""`nightrec serve`: Prefect's server with its UI, workers and the nightly schedule, with one command."""

import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from flows.operate.access import Access
from flows.operate.guard import Links
from flows.operate.guarded_app import CERTIFICATE, KEY, KNOWN, LINK_KEY
from flows.operate.server import FOR_PEOPLE, PATIENCE, Server, listen, new_secret
from flows.operate.worker import StopWorking
from flows.settings import CONFIG_VARIABLE, STORE_VARIABLE
from flows.settings.site import NightConfig
from flows.ui import PREFIX
from recmodels.errors import NightrecError
from tasks.report import UI_VARIABLE
from tasks.store.machine import gpu_ids
from tasks.train.settings import CPU_POOL, GPU_POOL, SIGNALS_POOL

STOPPING = 60.0  # seconds that workers have to stop their flows


def serve(
    config: NightConfig,
    file: Path | None,
    access: Access,
    gpu: Literal["auto", "trial", "none"],
    say: Callable[[str], None],
) -> None:
    """Start everything, say where it is, and stop it all on SIGINT or SIGTERM.

    Args:
        config, file: the site's settings, and the file they came from; None for the demo site.
        access: to the server. `tell_clients` has put it into the environment already.
        gpu: a worker for each GPU there is (auto), one that computes on the CPU (trial), or none.

    Raises:
        ConfigError: the port is taken.
        NightrecError: something that was started ended by itself.
    """
    links = Links(secrets.token_urlsafe(32))
    started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def stop(*_: object) -> None:
        raise StopWorking

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        say("Starting Prefect's server")
        server = start_server(access, links, site_variables(config, file))
        started.append((f"Prefect's server (its log is {server.log.name})", server.process))
        server.wait()
        say("Creating the deployments")
        from flows.operate.deploy import deploy

        names = deploy(config, file)
        for pool, options in workers(gpu):
            say(f"Starting a worker of the pool {pool}")
            started.append((f"the worker of the pool {pool}", start_worker(pool, options, config, file)))
        wait_for_workers([pool for pool, _ in workers(gpu)])
        say(f"Deployed: {', '.join(names)}")
        say(f"Ready: {access.url}{links.new()}")
        say(
            "Open this link within an hour; it lets one browser in. "
            + ("Press Enter for another. " if sys.stdin.isatty() else "")
            + f"(The store is {config.store.absolute()}.) Ctrl-C stops everything."
        )
        while True:
            for name, process in started:
                if process.poll() is not None:
                    raise NightrecError(f"{name} ended by itself (code {process.returncode}).")
            server.shorten_log()
            if enter_was_pressed(0.5):
                say(f"{access.url}{links.new()}")
    except StopWorking:
        say("Stopping")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop_all(started)


def tell_clients(access: Access) -> None:
    """Put the server's address and secret where all of Prefect's clients look, before Prefect is imported."""
    auth = access.auth or new_secret()
    os.environ |= {
        "PREFECT_API_URL": f"{access.own}/api",
        "PREFECT_API_AUTH_STRING": auth,
        "PREFECT_UI_URL": access.url,
        UI_VARIABLE: f"{access.url}{PREFIX}",
    }
    os.environ.pop("PREFECT_SERVER_API_AUTH_STRING", None)  # for the server alone, which is given it


def start_server(access: Access, links: Links, site: dict[str, str]) -> Server:
    """Prefect's server with all its services and its interface, and the pages of the site that `site` names."""
    from prefect.settings import PREFECT_HOME

    settings = {**site, LINK_KEY: links.key, **FOR_PEOPLE}
    if access.auth:
        settings[KNOWN] = "1"
    if access.certificate is not None:
        settings |= {CERTIFICATE: str(access.certificate), KEY: str(access.key)}
    log = PREFECT_HOME.value() / "nightrec-server.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = os.fdopen(os.open(log, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600), "r+b")
    listener, auth = listen(access.host, access.port), os.environ["PREFECT_API_AUTH_STRING"]
    return Server(listener, access.addresses, auth, settings, written)


def enter_was_pressed(within: float) -> bool:
    """Whether somebody at the terminal presses Enter."""
    if not sys.stdin.isatty():
        time.sleep(within)
        return False
    if not select.select([sys.stdin], [], [], within)[0]:
        return False
    if os.tcgetpgrp(0) != os.getpgrp():  # it is in the background, and what is typed is not meant for it
        time.sleep(within)
        return False
    return bool(os.read(0, 4096))


def workers(gpu: str) -> list[tuple[str, list[str]]]:
    """The pools that get a worker, and its options."""
    found = [(GPU_POOL, ["--gpu", one]) for one in gpu_ids()] if gpu == "auto" else []
    trial = [(GPU_POOL, ["--gpu", ""])] if gpu == "trial" else []
    return [(CPU_POOL, []), *found, *trial, (SIGNALS_POOL, [])]


def start_worker(pool: str, options: list[str], config: NightConfig, file: Path | None) -> "subprocess.Popen[bytes]":
    """A worker that ends with this process."""
    name = f"{pool}-{options[1]}" if options and options[1] else pool
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "flows", "worker", pool, "--name", name, "--with-parent", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | site_variables(config, file),
        start_new_session=True,
    )


def site_variables(config: NightConfig, file: Path | None) -> dict[str, str]:
    """The site, for the environment of other programs: its file, or the store of the demo site, which has none."""
    return {CONFIG_VARIABLE: str(file.absolute())} if file else {STORE_VARIABLE: str(config.store.absolute())}


def wait_for_workers(pools: list[str], patience: float = PATIENCE) -> None:
    """Until each pool has a live worker."""
    from prefect.client.orchestration import get_client

    from flows.execution.flow_runs import alive_workers

    until = time.monotonic() + patience
    with get_client(sync_client=True) as client:
        while missing := [pool for pool in pools if not alive_workers(client, pool)]:
            if time.monotonic() > until:
                raise NightrecError(f"The worker of the pool {missing[0]} did not start within {patience:.0f} s.")
            time.sleep(0.3)


def stop_all(started: "list[tuple[str, subprocess.Popen[bytes]]]") -> None:
    """End the workers, which end their flows, side by side; then the server, to which they report."""
    server, working = started[:1], started[1:]
    for _, worker in working:
        worker.terminate()
    for _, process in [*working, *server]:
        if process.stdin:
            process.stdin.close()  # which ends the server
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
