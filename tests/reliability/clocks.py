"""Clocks that are wrong, that jump back and forth, in this machine or another: no night is blocked, no reader misled.

A clock is put wrong where a night reads it, in Python; the times of files, which a file system sets, are moved the
other way. The store's own rule is that ages are read off the file system, so what counts is what its files say.
"""

import contextlib
import datetime as real
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from tasks.publish.mirror import mirror
from tasks.store.exports import rollback
from tasks.store.files import write_json
from tasks.store.paths import Store
from tests.flows.sites import DAY
from tests.reliability import borders
from tests.reliability.harness import Report
from tests.reliability.nights import before, night, warm, without_prefect
from tests.reliability.readers import read_whole
from tests.reliability.ward import Case, Ward, judge, with_store

SHIFTS = {
    "an hour back": timedelta(hours=-1),
    "an hour forth": timedelta(hours=1),
    "a year back": timedelta(days=-365),
    "a year forth": timedelta(days=365),
}
OURS = ("tasks", "flows", "recmodels", "expectations")


@contextlib.contextmanager
def clock(shift: Callable[[], timedelta]) -> Iterator[None]:
    """Put the clock that our code reads wrong by what `shift` says at the moment."""
    now = time.time

    class Wrong(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> "Wrong":
            return super().now(tz) + shift()

    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in OURS]
    with contextlib.ExitStack() as patches:
        for module in modules:
            if getattr(module, "datetime", None) is real.datetime:
                patches.enter_context(patch.object(module, "datetime", Wrong))
        patches.enter_context(patch.object(time, "time", lambda: now() + shift().total_seconds()))
        yield


def with_clock(shift: timedelta, what: Callable[[], object]) -> object:
    with clock(lambda: shift):
        return what()


def files_move(folder: Path, by: timedelta) -> None:
    """Move the times of all files, as seen by a clock that jumped the other way."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            times = path.stat()
            os.utime(path, (times.st_atime + by.total_seconds(), times.st_mtime + by.total_seconds()))


def nights_before_were_wrong(ward: Ward) -> Iterator[Case]:
    """The clock was wrong in the night before, and is right again."""
    for name, shift in SHIFTS.items():
        case = Case(f"{name} last night, right tonight")
        with ward.fresh():
            ward.run(lambda shift=shift: with_clock(shift, lambda: night(ward.config, before(1), fresh=True)))
            files_move(ward.disk / "store", shift)
            judge(ward, case, name, ward.run(lambda: night(ward.config)))
        yield case


def jumps_in_the_night(ward: Ward) -> Iterator[Case]:
    """The clock jumps in the midst of a night."""
    for name, shift in SHIFTS.items():
        case = Case(f"jumps {name} in the midst of a night")
        for after in (10, 60, 120, 180):

            def jumping(after: int = after, shift: timedelta = shift) -> object:
                seen = [0]
                borders.watch(ward.disk, lambda number, what: seen.__setitem__(0, number))
                with clock(lambda: shift if seen[0] >= after else timedelta(0)):
                    return night(ward.config)

            with ward.fresh():
                judge(ward, case, f"at change {after}", ward.run(jumping))
        yield case


def another_machine(ward: Ward) -> Iterator[Case]:
    """A node whose clock is wrong died while it held the store, and one is still at work."""
    for name, shift in SHIFTS.items():
        case = Case(f"a node that was {name} died with the lease")
        with ward.fresh():
            leave_lease(ward, shift, touched=shift - timedelta(minutes=10))
            judge(ward, case, name, ward.run(lambda: night(ward.config)))
        yield case
    case = Case("a node that is an hour off is at work")
    for name in ("an hour back", "an hour forth"):
        with ward.fresh():
            leave_lease(ward, SHIFTS[name], touched=timedelta(0))
            ended = ward.run(lambda: night(ward.config))
            case.tried += 1
            if ended.code and "Another night is running" in ended.text:
                case.told += 1
            else:
                case.broken.append(f"{name}: two nights at once: {ended}")
            with_store(ward, case, name)
    yield case


def leave_lease(ward: Ward, shift: timedelta, touched: timedelta) -> None:
    """The lease of a holder on another machine, last touched then by the clock of the file system."""
    lease = Store(ward.disk / "store").lease
    since = (real.datetime.now(real.UTC) + shift).isoformat(timespec="seconds")
    about = {"token": "t", "machine": "another", "host": "node-7", "pid": 1, "since": since, "flow_run": ""}
    write_json(lease, about)
    os.utime(lease, (time.time() + touched.total_seconds(),) * 2)


def copies(ward: Ward) -> Iterator[Case]:
    """A copy was made by a clock that ran ahead; then readers are led back."""
    for name, shift in SHIFTS.items():
        case = Case(f"a copy of {name} follows a rollback")
        with ward.fresh():
            store, url = Store(ward.disk / "store"), f"file://{ward.disk / 'copy'}"

            def publish_and_go_back(shift: timedelta = shift, store: Store = store, url: str = url) -> None:
                with without_prefect():
                    with_clock(shift, lambda: night(ward.config))
                    with_clock(shift, lambda: mirror.fn(store, url))
                    rollback(store, str(before(1)))
                    mirror.fn(store, url)

            ended = ward.run(publish_and_go_back)
            case.tried += 1
            found = read_whole(ward.disk / "copy", has_link=False)
            if ended.code == 0 and found == str(before(1)):
                case.harmless += 1
            else:
                case.broken.append(f"its readers are at {found}: {ended}")
        yield case


def of_another_year(ward: Ward) -> Iterator[Case]:
    """Today is a year ahead: the night is refused for its old data, and publishes nothing that stands before others."""
    case = Case("today is a year ahead")
    with ward.fresh():
        ended = ward.run(lambda: night(ward.config, DAY + timedelta(days=365)))
        if ended.code == 0:
            case.broken.append("a night of next year was published")
        judge(ward, case, "next year", ended)
    yield case


def main(arguments: list[str]) -> Report:
    if arguments or os.geteuid() != 0:
        sys.exit("clocks: takes no options; it mounts disks, so run it as root.")
    warm()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="nightrec-clocks-") as folder:
        ward = Ward(Path(folder))
        for part in (nights_before_were_wrong, jumps_in_the_night, another_machine, copies, of_another_year):
            for case in part(ward):
                report.rows.append(case.row())
                report.broken += [f"{case.name}, {what}" for what in case.broken]
                print(case.row(), *case.broken, sep="\n", flush=True)
    return report
