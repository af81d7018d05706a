"""What a fuzzed input is, how it is judged, and how it is made smaller."""

import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from random import Random
from types import FrameType
from typing import Protocol
from unittest.mock import patch

from flows.cli.app import main
from recmodels.errors import NightrecError
from recmodels.messages import LONGEST, visible
from tasks.errors import exit_code

HANG = 120.0  # s; what takes so long is taken for hung, also on a machine that is slow and busy
RAW = "(`nightrec --debug"  # stands in the message of an error that nobody foresaw
SHORTENED = 60  # tries to make an input smaller


class Hung(BaseException):
    """An input took too long."""


@dataclass(frozen=True)
class Case:
    """Files by name, put into an empty folder, and what is done there: a command line, or settings of a reader."""

    files: Mapping[str, bytes]
    arguments: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"nightrec {' '.join(map(repr, self.arguments))}"] if self.arguments else []
        parts += [f"{name}: {value!r}" for name, value in self.settings.items()]
        parts += [f"{name} = {data[:300]!r}{'…' if len(data) > 300 else ''}" for name, data in self.files.items()]
        return "; ".join(parts)


@dataclass(frozen=True)
class Ended:
    """How it ended: an exit code, what was said, and where an error that nobody foresaw was raised."""

    code: int
    out: str = ""
    err: str = ""
    raised: str = ""


class Area(Protocol):
    """A kind of inputs."""

    codes: frozenset[int]
    """Exit codes that are right, whatever the input."""

    def make(self, chance: Random) -> Case:
        """An input."""

    def prepare(self, folder: Path) -> None:
        """What is in the folder before the files of a case are."""

    def run(self, case: Case, folder: Path) -> Ended:
        """What it leads to; its files are in `folder`, which is where it is run."""


def problem(area: Area, case: Case, folder: Path) -> str:
    """What is wrong with how an input is handled, in words that are the same for the same fault; nothing if all is."""
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    area.prepare(folder)
    try:
        for name, data in case.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        with chdir(folder), patch.dict(os.environ, HOME=str(folder.parent)), _limited():  # "~" is a path as well
            ended = area.run(case, folder)
    except Hung:
        return f"it takes more than {HANG:.0f} s"
    return judged(ended, area.codes)


def judged(ended: Ended, codes: frozenset[int]) -> str:
    """What is wrong with how something ended."""
    if ended.raised:
        return ended.raised
    said = ended.err.strip("\n")
    if ended.code not in codes:
        return f"exit code {ended.code}: {re.sub(r'[0-9]+', 'n', said)[:60]}"
    if ended.code and not said and not ended.out:
        return f"exit code {ended.code} without a word"
    if said.count("\n"):
        return f"a message of several lines: {said[:60]}"
    if len(said) > LONGEST:
        return f"a message of more than {LONGEST} characters: {said[:60]}"
    if visible(ended.out, lines=True) != ended.out or visible(said) != said:
        return "a character that commands the terminal is printed"
    return ""


def command_line(arguments: tuple[str, ...]) -> Ended:
    """Run nightrec in this process, where the case's files are."""
    out, err, code = StringIO(), StringIO(), 0
    handler = signal.getsignal(signal.SIGTERM)
    refused: list[Exception] = []
    code_of = patch("flows.cli.app.exit_code", lambda error: refused.append(error) or exit_code(error))
    argv = patch.object(sys, "argv", ["nightrec", *arguments])
    with argv, code_of, redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except Exception as error:
            return Ended(1, raised=_where(error))
        finally:
            signal.signal(signal.SIGTERM, handler)
    unforeseen = _where(refused[0]) if RAW in err.getvalue() else ""
    return Ended(code, out.getvalue(), err.getvalue(), unforeseen)


def called(work: Callable[[], object]) -> Ended:
    """Call a function; an error is said as the command line says it, and must be short without being cut."""
    try:
        work()
    except NightrecError as error:
        cut = len(" ".join(map(str, error.args))) > LONGEST
        return Ended(exit_code(error), err=str(error), raised=f"a message that is cut: {_where(error)}" if cut else "")
    except Exception as error:
        return Ended(1, raised=_where(error))
    return Ended(0)


def smaller(area: Area, case: Case, folder: Path, found: str) -> Case:
    """A smaller input with the same fault."""
    tries = SHORTENED
    again = True
    while again and tries > 0:
        again = False
        for candidate in _reduced(case):
            tries -= 1
            if tries <= 0:
                break
            if problem(area, candidate, folder) == found:
                case, again = candidate, True
                break
    return case


def _reduced(case: Case) -> Iterator[Case]:
    """Inputs with a part less: an argument, a setting, a file, or a half, a quarter, an eighth of a file."""
    for at in range(len(case.arguments) - 1, 0, -1):
        yield replace(case, arguments=case.arguments[:at] + case.arguments[at + 1 :])
    for name in case.settings:
        yield replace(case, settings={key: value for key, value in case.settings.items() if key != name})
    for name, data in case.files.items():
        rest = {key: value for key, value in case.files.items() if key != name}
        if rest:
            yield replace(case, files=rest)
        for parts in (2, 4, 8):
            size = len(data) // parts
            for at in range(parts if size else 0):
                yield replace(case, files=rest | {name: data[: at * size] + data[(at + 1) * size :]})


def _where(error: BaseException) -> str:
    """A kind of error, and the innermost place in nightrec that it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if re.search(r"/(flows|tasks|recmodels|expectations)/", frame.filename)]
    frame = (ours or frames)[-1]
    message = re.sub(r"[0-9]+", "n", str(error))[:40]
    return f"{type(error).__name__} in {'/'.join(Path(frame.filename).parts[-3:])}, {frame.name}: {message}"


@contextmanager
def _limited() -> Iterator[None]:
    """End the block with `Hung` when it takes too long."""

    def end(signum: int, frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, HANG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
