"""Faults of disks, copies, memory, processes and clocks in every stage: told in a sentence, nothing lost, healed alone.

Each fault comes at a different point of a night. Then it has to be told as a person is told things: one sentence with
the path and what to do. Meanwhile and afterwards the last export has to be whole, and when the fault is over the same
night, and the next one, have to succeed without a hand.
"""

import argparse
import errno
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flows.cli.exit_codes import exit_code as code_of
from flows.settings.site import NightConfig
from recmodels.candidate_spec import Spec
from recmodels.errors import NightrecError
from tasks.store.disk import in_words
from tasks.store.settings import DiskSettings
from tests.reliability import borders
from tests.reliability.harness import Report, Row
from tests.reliability.nights import before, exit_code, forked, night, site, warm
from tests.reliability.readers import BadReading, read_whole

LONGEST = 400  # characters of what a person is told
ADVICE = re.compile(r"\b(free|mount|give|see|run|raise|remove|choose|move|set|start|lower|name|wait|make)\b", re.I)


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
            limit()
            try:
                with in_words():
                    what()
            except Exception as error:
                raw = "" if isinstance(error, NightrecError) else f"RAW {type(error).__name__}: "
                print(f"TOLD {json.dumps(f'{raw}{error}')}", flush=True)
                return code_of(error)
            return 0

        code = exit_code(forked(tell, self.log))
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [json.loads(line.removeprefix("TOLD ")) for line in lines if line.startswith("TOLD ")]
        return Ended(code, told[-1] if told else "")


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
        return f"it was killed by signal {-ended.code}"
    if not text:
        return f"it ended with {ended.code} and told nothing"
    if text.startswith("RAW "):
        return text[:300]
    if len(text) > LONGEST or "\n" in text:
        return f"{len(text)} characters in {text.count(chr(10)) + 1} lines: {text[:300]}"
    if "Errno" in text or not ADVICE.search(text):
        return f"without advice: {text}"
    return None


# Faults


def full_disk(ward: Ward, points: int) -> Iterator[Case]:
    """A disk that really is full: of sizes from what the store has to what the night needs."""
    tonight, unchecked = lambda: night(ward.config), replace_disk(ward.config, DiskSettings(check=False))
    with ward.fresh():
        store = ward.used()
        assert ward.run(tonight).code == 0
        needed = ward.used() - store
    case = Case("disk full, in the midst of a night")
    for point in range(points):
        size = store + 40 + int(needed * point / points)
        with ward.fresh(size):
            ended = ward.run(lambda: night(unchecked))
            judge(ward, case, f"{size - store} kB of {needed} kB free", ended, lambda: ward.again("size=256m"))
    yield case
    case = Case("disk full, found before a night")
    for share in (0.2, 0.6):
        with ward.fresh(store + 40 + int(needed * share)):
            ended = ward.run(tonight)
            if "free" not in ended.text or ("MB" not in ended.text and "kB" not in ended.text):
                case.broken.append(f"the room was not estimated: {ended}")
            judge(ward, case, f"{share:.0%} free", ended, lambda: ward.again("size=256m"))
    yield case


def replace_disk(config: NightConfig, settings: DiskSettings) -> NightConfig:
    return config.model_copy(update={"disk": settings})


def refused_changes(ward: Ward, points: int) -> Iterator[Case]:
    """From some change on, the file system refuses all of them, as one that was remounted, or is on a dead server."""
    changes = count_changes(ward)
    for code, name in (
        (errno.ENOSPC, "disk full, at each change"),
        (errno.EROFS, "read-only, from some change on"),
        (errno.EACCES, "no permission, from some change on"),
        (errno.EIO, "input and output fail, from some change on"),
        (errno.ESTALE, "the file server is away, from some change on"),
        (errno.EMFILE, "too many open files, from some change on"),
    ):
        case = Case(name)
        for point in range(points):
            number = int(changes * point / points)

            def failing(number: int = number, code: int = code) -> object:
                borders.watch(ward.disk, lambda now, what: refuse(code) if now >= number else None)
                return night(ward.config)

            with ward.fresh():
                judge(ward, case, f"change {number}", ward.run(failing))
        yield case


def refuse(code: int) -> None:
    raise OSError(code, os.strerror(code))


def count_changes(ward: Ward) -> int:
    with ward.fresh():
        done = ward.run(lambda: borders.watch(ward.disk, lambda n, what: print(what, flush=True)) or night(ward.config))
        assert done.code == 0, done
        return len(ward.log.read_text().splitlines())


def mounts(ward: Ward, points: int) -> Iterator[Case]:
    """A disk that may only be read, one that belongs to somebody else, and one that vanishes."""
    case = Case("mounted read-only, from the beginning")
    with ward.fresh():
        ward.again("ro")
        judge(ward, case, "read-only", ward.run(lambda: night(ward.config)), lambda: ward.again("rw"))
    yield case
    case = Case("run by a user without any right")
    with ward.fresh():
        ward.folder.chmod(0o755)
        as_nobody = lambda: (os.setgid(65534), os.setuid(65534))  # noqa: E731
        judge(ward, case, "nobody", ward.run(lambda: as_nobody() and night(ward.config)))
    yield case
    case, changes = Case("the mount vanishes"), count_changes(ward)
    kept = ward.folder / "mounted-elsewhere"
    kept.mkdir()
    for point in range(points):
        number = int(changes * point / points)
        with ward.fresh():
            subprocess.run(["mount", "--bind", ward.disk, kept], check=True)

            def vanishing(number: int = number) -> object:
                borders.watch(ward.disk, lambda now, what: ward.unmount() if now == number else None)
                return night(ward.config)

            def back(number: int = number) -> None:
                strayed = [path for path in ward.disk.rglob("*") if path.name == "latest.json"]
                if not os.path.ismount(ward.disk):
                    for path in ward.disk.iterdir():
                        shutil.rmtree(path)
                    subprocess.run(["mount", "--bind", kept, ward.disk], check=True)
                    if strayed:
                        case.broken.append(f"change {number}: an export was published where the mount had been")

            judge(ward, case, f"change {number}", ward.run(vanishing), back)
        subprocess.run(["umount", "-l", kept], check=True)
    yield case


def memory(ward: Ward, points: int) -> Iterator[Case]:
    """Less and less memory for the night, and a candidate that the kernel kills."""
    case = Case("memory limit")
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for point in range(points):
        more = 2 ** (21 + point)

        def limit(more: int = more) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (taken + more, taken + more))

        with ward.fresh():
            judge(ward, case, f"{more >> 20} MiB more", ward.run(lambda: night(ward.config), limit))
    yield case
    case = Case("a candidate is killed")
    for name in ("item_knn", "popularity"):
        with ward.fresh():
            judge(ward, case, name, ward.run(lambda name=name: bad_candidate(ward.config, name, hang=False)))
    yield case
    case = Case("a candidate hangs")
    for name in ("item_knn", "popularity"):
        models = {key: one.model_copy(update={"timeout_minutes": 0.03}) for key, one in ward.config.models.items()}
        quick = ward.config.model_copy(update={"models": models})
        with ward.fresh():
            judge(ward, case, name, ward.run(lambda name=name, config=quick: bad_candidate(config, name, hang=True)))
    yield case


def bad_candidate(config: NightConfig, name: str, hang: bool) -> object:
    """A night of which one candidate ends as the kernel ends it, or does not end at all."""
    from recmodels import candidate

    run = candidate.run

    def instead(spec: Spec) -> dict[str, Any]:
        if spec.recommender == name:
            while hang:
                time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)
        return run(spec)

    with patch("recmodels.candidate.run", instead):
        return night(config)


CASES: dict[str, Callable[[Ward, int], Iterator[Case]]] = {
    "full": full_disk,
    "refused": refused_changes,
    "mounts": mounts,
    "memory": memory,
}


def main(arguments: list[str]) -> Report:
    parser = argparse.ArgumentParser(prog="faults")
    parser.add_argument("--points", type=int, default=12, help="points of a night at which each fault comes")
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=CASES)
    options = parser.parse_args(arguments)
    report = Report()
    if os.geteuid() != 0:
        sys.exit("faults: mounts disks, so run it as root.")
    warm()
    with tempfile.TemporaryDirectory(prefix="nightrec-faults-") as folder:
        ward = Ward(Path(folder))
        try:
            for name in options.only:
                for case in CASES[name](ward, options.points):
                    report.rows.append(case.row())
                    report.broken += [f"{case.name}, {what}" for what in case.broken]
                    print(case.row(), *case.broken, sep="\n", flush=True)
        finally:
            with suppress(OSError):
                ward.unmount()
    return report
