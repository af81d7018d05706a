"""pytest run by a test, in a process that has imported what it takes where the tests have a server of forks."""

import multiprocessing
import os
import sys
from pathlib import Path

import pytest


def run_pytest(folder: Path, output: Path, *options: str, paths: tuple[Path, ...] = ()) -> tuple[int | None, str]:
    """Run pytest in a folder as it were started there; returns its exit code and what it said.

    Args:
        folder: in which it is started.
        output: the file that holds what it says.
        options: as on the command line.
        paths: from where modules can be imported, before all other places.
    """
    started = multiprocessing.get_context("forkserver").Process(target=_run, args=(folder, output, options, paths))
    started.start()
    started.join()
    return started.exitcode, output.read_text()


def _run(folder: Path, output: Path, options: tuple[str, ...], paths: tuple[Path, ...]) -> None:
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(folder)
    sys.path[:0] = map(str, paths)
    sys.exit(pytest.main(list(options)))
