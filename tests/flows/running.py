"""Running nightrec in tests: in this process where many runs are needed, in one of its own where that is the point."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from flows.cli.app import main
from tests.flows.forked import forked_candidates
from tests.prefect_homes import WITHOUT_EVENTS, environment
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
NIGHTS = {"run", "backfill"}  # commands that end with the page of a night


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> str:
        """What it wrote to standard output, without a line for each stage."""
        return re.sub(r"^\d\d:\d\d:\d\d .*\n", "", self.out, flags=re.MULTILINE)


@dataclass(frozen=True)
class Demo:
    """A night that ran in ``folder``, and how it ended. Tests only look at it."""

    folder: Path
    ran: Ran

    @property
    def store(self) -> Path:
        return self.folder / "store"


def nightrec(*arguments: str | Path, cwd: Path) -> Ran:
    """Run the command line in this process, with ``cwd`` as the working directory."""
    out, err, code = StringIO(), StringIO(), 0
    argv = ["nightrec", *map(str, arguments)]
    pages = pages_without_charts() if NIGHTS & set(arguments[:1]) else nullcontext()
    command = patch.object(sys, "argv", argv)
    with chdir(cwd), command, redirect_stdout(out), redirect_stderr(err), forked_candidates(), pages:
        try:
            main()
        except SystemExit as end:
            assert isinstance(end.code, int)
            code = end.code
    return Ran(code, out.getvalue(), err.getvalue())


@contextmanager
def pages_without_charts() -> Iterator[None]:
    """Drawing them is a third of a small night, and no night fails for its page. Those of `demo` are drawn."""
    with patch("tasks.report.page._drawn", return_value={}):
        yield


def start(
    *arguments: str | Path, cwd: Path, home: Path, python: str | Path = sys.executable
) -> "subprocess.Popen[str]":
    """Start ``python -m flows`` as a process of its own, and the leader of its group."""
    return subprocess.Popen(
        [str(python), "-m", "flows", *map(str, arguments)],
        cwd=cwd,
        env=environment(home) | WITHOUT_EVENTS | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: "subprocess.Popen[str]") -> Ran:
    """Wait for a process to end."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return Ran(process.returncode, out, err)


def everything(folder: Path) -> dict[str, str]:
    """What is in a folder: each file with a digest of its content, each link with its target."""
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}" if path.is_symlink() else digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
