"""A store to which things happen, and what is held against what it says and does then."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.cli.app import GO_ON, Stopped, stop
from recmodels.errors import NightrecError
from tasks.errors import TERMINATED
from tasks.errors import exit_code as code_of
from tasks.store.disk import in_words
from tests.reliability.forks import exit_code, forked
from tests.reliability.harness import Row
from tests.reliability.nights import before, night, site
from tests.reliability.readers import BadReading, read_whole

PATIENCE = 300  # seconds, after which a night hangs
LONGEST = 400  # characters of what a person is told
ADVICE = re.compile(
    r"\b(free|mount|give|see|run|raise|remove|choose|move|set|start|lower|name|wait|make|look|publish)\b", re.I
)


@dataclass
class Case:
    """A kind of fault: what came of it at the points where it was tried."""

    name: str
    tried: int = 0
    told: int = 0
    harmless: int = 0
    broken: list[str] = field(default_factory=list)

    def row(self) -> Row:
        return {
            "fault": self.name,
            "tried": self.tried,
            "told in a sentence": self.told,
            "did no harm": self.harmless,
            "broken": len(self.broken),
        }


@dataclass
class Ended:
    """How a night ended, and what it told."""

    code: int
    text: str


def run_as_command(what: Callable[[], object]) -> Ended:
    """Do something as the command line does it: how it ended, and what it told."""
    try:
        with in_words():
            what()
    except Stopped:
        return Ended(TERMINATED, GO_ON)
    except Exception as error:
        raw = "" if isinstance(error, NightrecError) else f"RAW {type(error).__name__}: "
        return Ended(code_of(error), f"{raw}{error}")
    return Ended(0, "")


class Ward:
    """A store of two nights on a disk of its own, to which things happen."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.disk, self.log = folder, folder / "disk", folder / "log"
        self.disk.mkdir()
        self.config = site(folder / "base")
        self.config = self.config.model_copy(update={"store": self.disk / "store"})
        self.mount(0)
        for n in (2, 1):
            assert self.run(lambda n=n: night(self.config, before(n))).code == 0, self.log.read_text()
        shutil.copytree(self.disk / "store", folder / "kept", symlinks=True)
        self.unmount()

    def mount(self, size: int) -> None:
        """A new disk of so many kilobytes in memory (0: as many as needed), with the store of two nights on it."""
        options = f"size={size}k" if size else "size=256m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.disk], check=True)
        if (self.folder / "kept").exists():
            shutil.copytree(self.folder / "kept", self.disk / "store", symlinks=True)

    def again(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.disk], check=True)

    def unmount(self) -> None:
        while os.path.ismount(self.disk):
            subprocess.run(["umount", "-l", self.disk], check=True)

    @contextmanager
    def fresh(self, size: int = 0) -> Iterator[None]:
        self.mount(size)
        try:
            yield
        finally:
            self.unmount()

    def used(self) -> int:
        """Kilobytes of the disk in use."""
        found = os.statvfs(self.disk)
        return (found.f_blocks - found.f_bfree) * found.f_frsize // 1024

    def run(self, what: Callable[[], object], limit: Callable[[], None] = lambda: None) -> Ended:
        """Do something in a fork, under a limit, as the command line does it; how it ended, and what it told."""

        def tell() -> int:
            signal.alarm(PATIENCE)
            signal.signal(signal.SIGTERM, stop)
            limit()
            ended = run_as_command(what)
            print(f"TOLD {json.dumps(ended.text)}", flush=True)
            return ended.code

        code = exit_code(forked(tell, self.log))
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [json.loads(line.removeprefix("TOLD ")) for line in lines if line.startswith("TOLD ")]
        return Ended(code, told[-1] if told else "".join(lines[-1:]) if code < 0 else "")


def judge(ward: Ward, case: Case, where: str, ended: Ended, healed: Callable[[], None] = lambda: None) -> None:
    """Whether a fault was told as it should be, harmed no reader, and is over once it is over."""
    case.tried += 1
    if ended.code == 0:
        case.harmless += 1
    elif wrong := wrong_with(ended):
        case.broken.append(f"{where}: {wrong}")
    else:
        case.told += 1
    healed()
    with_store(ward, case, f"{where}, after it")
    for n in (0, -1):
        again = ward.run(lambda n=n: night(ward.config, before(n)))
        if again.code:
            last = again.text or (ward.log.read_text().strip().splitlines() or ["killed"])[-1]
            case.broken.append(f"{where}: the night {before(n)} after it failed: {last}")
            return
    with_store(ward, case, f"{where}, two nights later", str(before(-1)))
    left = [path for path in (ward.disk / "store").rglob("*") if path.name.startswith((".tmp-", ".publishing-"))]
    if left:
        case.broken.append(f"{where}: {left[0].relative_to(ward.disk)} and {len(left) - 1} others were left")


def with_store(ward: Ward, case: Case, where: str, expected: str | None = None) -> None:
    try:
        found = read_whole(ward.disk / "store")
        if expected and not found.startswith(expected):
            case.broken.append(f"{where}: readers are at {found}, not at {expected}")
    except BadReading as bad:
        case.broken.append(f"{where}: a reader found: {bad}")


def wrong_with(ended: Ended) -> str | None:
    """What is wrong with what a person was told; None if it is a sentence with a place and advice."""
    text = ended.text
    if ended.code < 0:
        return f"it was killed by signal {-ended.code}: {text[:300]}"
    if not text:
        return f"it ended with {ended.code} and told nothing"
    if text.startswith("RAW "):
        return text[:300]
    if len(text) > LONGEST or "\n" in text:
        return f"{len(text)} characters in {text.count(chr(10)) + 1} lines: {text[:300]}"
    if "Errno" in text or not ADVICE.search(text):
        return f"without advice: {text}"
    return None
