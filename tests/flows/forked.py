"""Candidates of the nights that run in the process of the tests: forked from a process that has imported the models.

A night of a test has up to a dozen of them, on a site of 40 users: nearly all of their time would be imports. Nights in
processes of their own, and the tests of the stage, start them as they are.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import IO
from unittest.mock import patch

LIBRARIES = ["pydantic", "safetensors.numpy"]  # what candidates import at their first model, and when they save it
MODELS = [
    "candidate",
    "content",
    "popularity",
    *(f"ensemble.{module}" for module in ("model", "fusion", "kernels")),
    *(f"factors.{module}" for module in ("als", "als_kernels")),
    *(f"knn.{module}" for module in ("item_knn", "kernels")),
    *(f"linear.{module}" for module in ("ease", "ease_kernels", "graph_filter")),
    *(f"ranking.{module}" for module in ("topk", "topk_kernels", "product_search")),
]
ROOT = Path(__file__).parents[2]
SERVER = multiprocessing.get_context("forkserver")
PRELOADED = [*LIBRARIES, *(f"recmodels.{module}" for module in MODELS), "tests.flows.warm_compiler"]
SERVER.set_forkserver_preload([__name__, *PRELOADED])


class Forked:
    """A forked candidate, as what starts it sees its process: what is used of `subprocess.Popen`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: IO[bytes],
        stderr: IO[bytes],
        cwd: Path,
        env: Mapping[str, str],
    ) -> None:
        python, m, module, *arguments = command
        assert (python, m, module, stdin) == (sys.executable, "-m", "recmodels.candidate", subprocess.PIPE)
        assert stdout is stderr
        arguments.remove("--watch-stdin")  # the server of the forks ends with this process, and its forks with it
        self.process = SERVER.Process(target=run, args=(arguments, stdout.name, cwd, dict(env)), daemon=True)
        with patch.dict(os.environ, PYTHONPATH=str(ROOT)):  # the server of the forks imports from these sources
            forkserver.ensure_running()
        self.process.start()
        self.pid = self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("recmodels.candidate", timeout or 0)
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()


def run(arguments: list[str], log: str, cwd: Path, environment: dict[str, str]) -> None:
    """A forked process of a candidate."""
    sys.exit(candidate(arguments, log, cwd, environment))


def candidate(arguments: list[str], log: str, cwd: Path, environment: Mapping[str, str]) -> int:
    """What ``python -m recmodels.candidate`` does, in a fork; returns its exit code."""
    with Path(log).open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    from recmodels.candidate import main

    return main(arguments)


@contextmanager
def forked_candidates() -> Iterator[None]:
    """Nights that run in this process fork their candidates."""
    instead = SimpleNamespace(Popen=Forked, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
    with patch("tasks.train.process.subprocess", instead):
        yield
