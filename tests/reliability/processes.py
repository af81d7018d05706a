"""Nights and servers in processes of their own, to be killed as a person, an init system or the kernel kills them."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.flows.running import start
from tests.waiting import is_alive


def kill(process: "subprocess.Popen[str]", by: signal.Signals) -> int:
    """Send a signal: Ctrl-C to all processes of the terminal, others to the one that was started. How it ended."""
    if by is signal.SIGINT:
        with suppress(ProcessLookupError):  # it has just ended by itself
            os.killpg(process.pid, by)
    else:
        process.send_signal(by)
    process.communicate(timeout=120)
    return process.returncode


def family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """A process and all that it has started, with what these have."""
    try:
        root = psutil.Process(process.pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def survivors(processes: list[psutil.Process], patience: float = 30.0) -> list[str]:
    """Those that are still alive after some seconds, by their command; they are ended."""
    end = time.monotonic() + patience
    while time.monotonic() < end and any(is_alive(process) for process in processes):
        time.sleep(0.05)
    left = [process for process in processes if is_alive(process)]
    named = [" ".join(process.cmdline())[:80] for process in left]
    for process in left:
        process.kill()
    return named


def killed_run(folder: Path, home: Path, seconds: float, by: signal.Signals, *arguments: str) -> tuple[int, list[str]]:
    """Start `nightrec` in a folder, kill it after some seconds; how it ended, and what has survived it."""
    process = start(*arguments, cwd=folder, home=home)
    end = time.monotonic() + seconds
    seen: dict[int, psutil.Process] = {}
    while time.monotonic() < end and process.poll() is None:
        seen |= {one.pid: one for one in family(process)}
        time.sleep(0.05)
    seen |= {one.pid: one for one in family(process)}
    code = kill(process, by)
    return code, survivors(list(seen.values()))
