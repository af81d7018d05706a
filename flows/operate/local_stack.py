"""`nightrec serve`: Prefect's server with its UI, workers and the nightly schedule, with one command."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from flows.operate.server import PATIENCE, guarded, wait_for
from flows.operate.worker import StopWorking
from flows.settings.site import CONFIG_VARIABLE, STORE_VARIABLE, NightConfig
from recmodels.errors import ConfigError, NightrecError
from tasks.store.machine import gpu_ids
from tasks.train.settings import CPU_POOL, GPU_POOL, SIGNALS_POOL

STOPPING = 60.0  # seconds that workers have to stop their flows


def serve(
    config: NightConfig, file: Path | None, port: int, gpu: Literal["auto", "trial", "none"], say: Callable[[str], None]
) -> None:
    """Start everything, say where it is, and stop it all on SIGINT or SIGTERM.

    Args:
        config, file: the site's settings, and the file they came from; None for the demo site.
        port: of the server, on the loopback interface; PREFECT_API_URL names it already.
        gpu: a worker for each GPU there is (auto), one that computes on the CPU (trial), or none.

    Raises:
        ConfigError: the port is taken.
        NightrecError: something that was started ended by itself.
    """
    refuse_taken(port)
    started: list[tuple[str, subprocess.Popen[bytes]]] = []

    def stop(*_: object) -> None:
        raise StopWorking

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        say("Starting Prefect's server")
        started.append(("Prefect's server", start_server(port)))
        wait_for(f"http://127.0.0.1:{port}/api/health", started[0][1])
        say("Creating the deployments")
        from flows.operate.deploy import deploy

        names = deploy(config, file)
        for pool, options in workers(gpu):
            say(f"Starting a worker of the pool {pool}")
            started.append((f"the worker of the pool {pool}", start_worker(pool, options, config, file)))
        wait_for_workers([pool for pool, _ in workers(gpu)])
        say(f"Deployed: {', '.join(names)}")
        say(f"Ready: http://127.0.0.1:{port} (the store is {config.store.absolute()}). Ctrl-C stops everything.")
        while True:
            for name, process in started:
                if process.poll() is not None:
                    raise NightrecError(f"{name} ended by itself (code {process.returncode}).")
            time.sleep(0.5)
    except StopWorking:
        say("Stopping")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop_all(started)


def refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigError(f"Port {port} is taken: choose another with --port.") from None


def start_server(port: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    settings = {
        "PREFECT_UI_URL": f"http://127.0.0.1:{port}",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # its pages call a service on the internet
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }
    return guarded([*command, "--log-level", "WARNING"], settings, quiet=True)


def workers(gpu: str) -> list[tuple[str, list[str]]]:
    """The pools that get a worker, and its options."""
    found = [(GPU_POOL, ["--gpu", one]) for one in gpu_ids()] if gpu == "auto" else []
    trial = [(GPU_POOL, ["--gpu", ""])] if gpu == "trial" else []
    return [(CPU_POOL, []), *found, *trial, (SIGNALS_POOL, [])]


def start_worker(pool: str, options: list[str], config: NightConfig, file: Path | None) -> "subprocess.Popen[bytes]":
    """A worker that ends with this process. The demo site has no file, so the environment names its store."""
    site = {CONFIG_VARIABLE: str(file.absolute())} if file else {STORE_VARIABLE: str(config.store.absolute())}
    name = f"{pool}-{options[1]}" if options and options[1] else pool
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "flows", "worker", pool, "--name", name, "--with-parent", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | site,
        start_new_session=True,
    )


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
            process.stdin.close()  # the guard of the server ends it
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
