"""What is expensive to make and only looked at: made once, by whichever process of the tests needs it first."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

SEVERAL = "PYTEST_XDIST_WORKER"
"""Is set in each of several processes that run tests: by pytest-xdist, and by `tests.forks` as well."""
KEPT = Path(__file__).parents[1] / ".pytest_cache" / "d"
"""What later runs of the tests find as well: pytest's folder for it, which `make clean` removes."""


def of_this_run(factory: pytest.TempPathFactory) -> Path:
    """The temporary folder that all processes of the tests share."""
    root = factory.getbasetemp()
    return root.parent if SEVERAL in os.environ else root


def made_once(root: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` that `make` has filled, here or in another process.

    Processes that come meanwhile wait. If `make` fails, it fails the test, and the next one that asks tries again.
    """
    root.mkdir(parents=True, exist_ok=True)
    folder, done = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
