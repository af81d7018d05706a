"""What programs of this library have in common: they end with whoever started them, and leave their result whole."""

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

WATCH = "--watch-stdin"
"""The argument that says that the standard input is held by who started the program."""
UNAVAILABLE = 4
"""The exit code that says that the cluster which was to do the work cannot be worked with."""


def watch_stdin(failed: int) -> None:
    """End this process, with an exit code, as soon as the other end of its standard input is closed: when whoever
    started it dies, so does this.
    """
    threading.Thread(target=_end_with_parent, args=(failed,), daemon=True).start()


def _end_with_parent(failed: int) -> None:
    with suppress(OSError):  # a socket whose other end went before it had read all that was sent to it
        while os.read(0, 4096):
            pass
    os._exit(failed)


def write_result(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file so that a reader sees all of it or nothing."""
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(path)


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def threads_of(n: int) -> dict[str, str]:
    """The environment that keeps every numeric library to `n` threads."""
    return dict.fromkeys(THREADS, str(n))


def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process to end; its exit code. A thread that is told to stop, as by a cluster, stops within a second.

    That is seen between two instructions of Python, not while it waits for good.
    """
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(1.0)
