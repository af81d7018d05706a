"""Candidates of the nights that run in the process of the tests: forked from a process that has imported the models.

A night of a test has up to a dozen of them, on a site of 40 users: nearly all of their time would be imports. Nights in
processes of their own, and the tests of the stage, start them as they are. So are processes of a training forked.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
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
CANDIDATE, RANK = "recmodels.candidate", "recmodels.transformer.rank"
ROOT = Path(__file__).parents[2]
SERVER = multiprocessing.get_context("forkserver")
PRELOADED = [*LIBRARIES, *(f"recmodels.{module}" for module in MODELS), "tests.flows.warm_compiler"]
SERVER.set_forkserver_preload([__name__, *PRELOADED])


class Forked:
    """A forked program of the library, as what starts it sees its process: what is used of `subprocess.Popen`."""

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
        assert (python, m, stdin) == (sys.executable, "-m", subprocess.PIPE)
        assert module in (CANDIDATE, RANK)
        assert stdout is stderr
        arguments.remove("--watch-stdin")  # the server of the forks ends with this process, and its forks with it
        self.process = SERVER.Process(target=run, args=(module, arguments, stdout.name, cwd, dict(env)), daemon=True)
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
            raise subprocess.TimeoutExpired("a fork", timeout or 0)
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()


def run(module: str, arguments: list[str], log: str, cwd: Path, environment: dict[str, str]) -> None:
    """A forked process of a program."""
    sys.exit(program(module, arguments, log, cwd, environment))


def candidate(arguments: list[str], log: str, cwd: Path, environment: Mapping[str, str]) -> int:
    """What ``python -m recmodels.candidate`` does, in a fork; returns its exit code."""
    return program(CANDIDATE, arguments, log, cwd, environment)


def program(module: str, arguments: list[str], log: str, cwd: Path, environment: Mapping[str, str]) -> int:
    """What ``python -m`` does with a module that has a `main`, in a fork; returns its exit code."""
    with Path(log).open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    code: int = import_module(module).main(arguments)
    return code


@contextmanager
def forked_candidates() -> Iterator[None]:
    """Nights that run in this process fork their candidates."""
    with patch("tasks.train.process.subprocess", _instead(Forked)), patch("tasks.train.forks.AVAILABLE", False):
        yield


@contextmanager
def forked_ranks() -> Iterator[list[Forked]]:
    """Trainings that this process works on fork their processes; the list gets each that is begun."""
    begun: list[Forked] = []

    def begin(*args: Any, **options: Any) -> Forked:
        begun.append(Forked(*args, **options))
        return begun[-1]

    with patch("recmodels.transformer.rank_process.subprocess", _instead(begin)):
        yield begun


def _instead(begin: Callable[..., Forked]) -> SimpleNamespace:
    return SimpleNamespace(Popen=begin, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
