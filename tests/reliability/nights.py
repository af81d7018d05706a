"""Nights that a harness can run by the hundred: the flow's own code on a site of 40 users, in a fork, without Prefect.

Prefect's server and the imports are nearly all of a small night's time, and neither touches the store. So a night runs
in a fork of a process that has imported everything, its tasks are called as the functions they are, and its candidates
are forks, too. What the store sees is what it sees of `nightrec run`.
"""

import math
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import IO
from unittest.mock import patch

from flows import nightly
from flows.settings.site import NightConfig, load
from tasks.publish.old_nights import retain_nights
from tasks.store.files import Json
from tasks.store.locking import held
from tasks.store.paths import Store
from tests.flows.forked import LIBRARIES, MODELS, candidate
from tests.flows.plain import tasks_as_functions
from tests.flows.sites import DAY, log, write
from tests.reliability.forks import forked

NEEDED_LATER = ["great_expectations", "duckdb", "pandas", "tests.flows.warm_compiler", *LIBRARIES]
SETTINGS = """\
[inputs.interactions]
path = "log.csv"
[models.popularity]
required = true
[models.item_knn]
[training]
parallel = 1
"""


def warm() -> None:
    """Import all that a night imports, so that its forks need not."""
    from importlib import import_module

    for module in [*NEEDED_LATER, *(f"recmodels.{name}" for name in MODELS)]:
        import_module(module)
    from tasks.report import page  # noqa: F401


def site(folder: Path, more: str = "") -> NightConfig:
    """A site of 40 users in a folder, whose interactions go on for 40 days before `DAY`, and its settings."""
    write(folder / "log.csv", log())
    return load(write(folder / "nightrec.toml", SETTINGS + more))


def night(config: NightConfig, run_date: date = DAY, fresh: bool = False) -> Json:
    """Run one night, as `nightrec run` does, in this process."""
    store = Store(config.store.absolute())
    with without_prefect(), held(store) as lease:
        record: Json = nightly.night.fn(config, run_date, fresh=fresh, lease=lease)
        retain_nights(store, config.retention, run_date)
    return record


def before(n: int) -> date:
    """The n-th day before `DAY`."""
    return DAY - timedelta(days=n)


@contextmanager
def without_prefect() -> Iterator[None]:
    """Tasks are called as functions, candidates are forks of this process, and no charts are drawn."""
    candidates = SimpleNamespace(Popen=Candidate, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
    no_charts = patch("tasks.report.page._drawn", return_value={})
    with tasks_as_functions(), patch("tasks.train.process.subprocess", candidates), no_charts:
        yield


class Candidate:
    """A candidate in a fork, as what starts it sees its process: what is used of `subprocess.Popen`.

    The fork is of this process, with whatever a harness has put in the place of what it runs; those of the tests
    (`Forked`) are of a server that a fork cannot reach.
    """

    def __init__(
        self,
        command: Sequence[str],
        stdin: int,
        stdout: IO[bytes],
        stderr: IO[bytes],
        cwd: Path,
        env: Mapping[str, str],
    ) -> None:
        reading, self.writing = os.pipe()
        self.returncode: int | None = None
        self.pid = forked(lambda: self._run(list(command[3:]), reading, stdout.name, cwd, env))
        os.close(reading)

    def _run(self, arguments: list[str], stdin: int, log: str, cwd: Path, env: Mapping[str, str]) -> int:
        os.close(self.writing)
        os.dup2(stdin, 0)
        return candidate(arguments, log, cwd, env)

    def poll(self) -> int | None:
        return self._ended(os.WNOHANG)

    def wait(self, timeout: float = math.inf) -> int:
        end = time.monotonic() + timeout
        while (code := self._ended(os.WNOHANG)) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("recmodels.candidate", timeout)
            time.sleep(0.002)
        return code

    def kill(self) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, 9)

    def _ended(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self.writing)
        return self.returncode
