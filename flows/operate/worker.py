"""A worker of a pool: Prefect's process worker, in the right environment, and stopped in the right order.

Prefect's worker, asked to stop, kills the flow processes it has started, and their runs show as running for ever.
Here the flow processes are ended first, each of which reports that it was, and then the worker.
"""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

from recmodels.errors import ConfigError, NightrecError
from tasks.train.settings import CPU_POOL

GRACE = 25.0  # seconds that flow processes have to report that they were stopped


class StopWorking(BaseException):
    """A signal, or the end of the process that started this one; no error, so that nothing on the way catches it."""


def environment(pool: str, gpu: str | None, health_port: int | None = None) -> dict[str, str]:
    """What a worker and the flows it runs find in their environment: `python` is the one that runs this.

    Only the pool `cpu` hides the machine's GPUs; `gpu` pins one (or several, separated by commas).
    """
    settings = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    }
    if health_port is not None:
        settings |= {"PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_WEBSERVER_PORT": str(health_port)}
    if gpu is not None:
        settings["CUDA_VISIBLE_DEVICES"] = gpu
    elif pool == CPU_POOL:
        settings["CUDA_VISIBLE_DEVICES"] = ""
    return settings


def work(
    pool: str, name: str | None, limit: int | None, gpu: str | None, with_parent: bool, health_port: int | None = None
) -> None:
    """Run a worker until SIGTERM or SIGINT (or, `with_parent`, until standard input is closed).

    With a `health_port`, `http://127.0.0.1:PORT/health` tells whether it still asks the server for runs.

    Raises:
        ConfigError: no server is configured.
        NightrecError: the worker ended by itself.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError("PREFECT_API_URL is not set: a worker needs the address of Prefect's server, ending in /api.")
    command = [sys.executable, "-P", "-m", "flows.operate.process_worker", "worker", "start"]
    command += ["--pool", pool, "--type", "process"]
    command += ["--name", name] if name else []
    command += ["--limit", str(limit)] if limit else []
    command += ["--with-healthcheck"] if health_port else []

    def stop(number: int, frame: FrameType | None) -> None:
        raise StopWorking

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, env=os.environ | environment(pool, gpu, health_port), start_new_session=True
    )
    try:
        while (code := worker.poll()) is None:
            if with_parent and select.select([0], [], [], 0.2)[0] and not os.read(0, 4096):
                raise StopWorking
            time.sleep(0 if with_parent else 0.2)
    except StopWorking:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop_worker(worker)
        return
    raise NightrecError(f"The worker of the pool {pool} ended by itself (exit code {code}): its log above says why.")


def stop_worker(worker: "subprocess.Popen[bytes]") -> None:
    """End the flow processes of a worker, wait until they have said so, then end the worker."""
    stop_flows(worker.pid)
    left = family(worker.pid)
    worker.terminate()
    with suppress(subprocess.TimeoutExpired):
        worker.wait(GRACE)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def stop_here() -> None:
    """End the flow processes of this worker, and this worker: whoever started it has gone."""
    stop_flows(os.getpid())
    for process in reversed(family(os.getpid())):  # itself last
        with suppress(psutil.NoSuchProcess):
            process.kill()


def stop_flows(worker: int) -> None:
    until = time.monotonic() + GRACE
    asked: set[int] = set()
    while (flows := flow_processes(worker)) and time.monotonic() < until:
        for flow in flows:
            if flow.pid not in asked:
                asked.add(flow.pid)
                flow.terminate()
        time.sleep(0.2)


def flow_processes(worker: int) -> list[psutil.Process]:
    """The processes below a worker that run a flow."""
    found = []
    for process in family(worker):
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and "prefect.engine" in process.cmdline():
                found.append(process)
    return found


def family(worker: int) -> list[psutil.Process]:
    try:
        mine = psutil.Process(worker)
        return [mine, *mine.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
