"""Faults of disks, copies, memory, processes and clocks in every stage: told in a sentence, nothing lost, healed alone.

Each fault comes at a different point of a night. Then it has to be told as a person is told things: one sentence with
the path and what to do. Meanwhile and afterwards the last export has to be whole, and when the fault is over the same
night, and the next one, have to succeed without a hand.
"""

import argparse
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flows.settings.site import NightConfig
from recmodels.candidate_spec import Spec
from tasks.store.files import TEMPORARY
from tasks.store.settings import DiskSettings
from tests.reliability import borders
from tests.reliability.harness import Report
from tests.reliability.nights import night, warm
from tests.reliability.ward import Case, Ward, judge


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
    for point in range(points):  # before the first change, a mount that is away cannot be told from a new store
        number = 1 + int(changes * point / points)
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

    def instead(spec: Spec, waited: float = 0.0) -> dict[str, Any]:
        if spec.model.name.removeprefix(TEMPORARY) == name:
            while hang:
                time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)
        return run(spec, waited)

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
