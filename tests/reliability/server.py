"""Each process of `nightrec serve` is killed, and the server of a night: nothing is left, the night is published."""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.prefect_homes import environment, new_home
from tests.reliability.harness import Report, Row
from tests.tasks.servers import free_port
from tests.waiting import until

ROOT = Path(__file__).parents[2]
DEMO = "[demo]\nusers = 300\nitems = 120\ninteractions = 5000\n"
AGE = 6.0  # seconds after which a server is killed; it is up within three or four
VICTIMS = {  # what the command line of a process of `nightrec serve` has in it
    "nightrec serve": "flows serve",
    "Prefect's server": "flows.operate.guarded_app",
    "nightrec worker": "flows worker cpu",
    "Prefect's worker": "flows.operate.process_worker",
}


def main(arguments: list[str]) -> Report:
    """Options: --kills N, of the server in the night [3]."""
    parser = argparse.ArgumentParser(prog="server", description=__doc__)
    parser.add_argument("--kills", type=int, default=3)
    kills = parser.parse_args(arguments).kills
    report = Report()
    with tempfile.TemporaryDirectory(prefix="nightrec-server-") as name:
        folder = Path(name)
        (folder / "nightrec.toml").write_text(DEMO)
        new_home(folder / "prefect")
        for what, words in VICTIMS.items():
            report.rows.append(after_kill(folder, what, words, report.broken))
        report.rows.append(killed_night(folder, kills, report.broken))
    return report


def after_kill(folder: Path, what: str, words: str, broken: list[str]) -> Row:
    """Serve, kill one process, and see how the others end."""
    port = free_port()
    with started(folder, "serve", "--port", str(port), "--gpu", "none") as serve:
        until("nightrec serve is ready", lambda: "Ready: " in log(folder) or serve.poll() is not None)
        assert "Ready: " in log(folder), log(folder)
        victim = until(f"there is {what}", lambda: find(serve, words))
        family = [psutil.Process(serve.pid), *psutil.Process(serve.pid).children(recursive=True)]
        victim.kill()
        begun = time.monotonic()
        code = serve.wait(180)
        _, left = psutil.wait_procs(family, timeout=60)
        seconds = time.monotonic() - begun
        said = log(folder).splitlines()[-1]
        if left:
            broken.append(f"{what} was killed, and {' '.join(left[0].cmdline())[:80]} went on")
        if victim.pid != serve.pid and (code != 1 or not said.startswith("nightrec: ")):
            broken.append(f"{what} was killed, and serve ended with {code}: {said[:80]}")
    return {"killed": what, "ended with": code, "after s": round(seconds, 1), "left": len(left)}


def find(serve: "subprocess.Popen[bytes]", words: str) -> psutil.Process | None:
    """The process of `nightrec serve` with this in its command line."""
    for one in [psutil.Process(serve.pid), *psutil.Process(serve.pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            if words in " ".join(one.cmdline()):
                return one
    return None


def killed_night(folder: Path, kills: int, broken: list[str]) -> Row:
    """A night whose server is killed again and again, each time some seconds after it was started."""
    begun = time.monotonic()
    with started(folder, "run", "--date", "2026-03-01") as night:
        killed = 0
        while killed < kills and until("the server or the end", lambda: old_server(night) or night.poll() is not None):
            if (server := old_server(night)) is None:
                break
            server.kill()
            killed += 1
        code = night.wait(600)
    if code != 0:
        broken.append(f"the server of a night was killed {killed} times, and the night ended with {code}")
    seconds = time.monotonic() - begun
    what = f"the server of a night, {killed} times"
    return {"killed": what, "ended with": code, "after s": round(seconds, 1), "left": 0}


def old_server(night: "subprocess.Popen[bytes]") -> psutil.Process | None:
    """The night's server, once it is in the middle of its work."""
    with suppress(psutil.NoSuchProcess):
        for one in psutil.Process(night.pid).children():
            if "guarded_app" in " ".join(one.cmdline()) and time.time() - one.create_time() > AGE:
                return one
    return None


@contextmanager
def started(folder: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command of nightrec in a folder; whatever it leaves behind is killed at the end."""
    with (folder / "log").open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows", *command],
            cwd=folder,
            env=environment(folder / "prefect") | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    family: list[psutil.Process] = []
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def log(folder: Path) -> str:
    return re.sub(r"\n+$", "", (folder / "log").read_text(errors="replace"))
