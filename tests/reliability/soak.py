"""200 nights back to back, 30 of them with faults: memory, handles, threads, files, store, database and time stay flat.

The nights run as `nightrec run` does, one after another in the same process with the same server of Prefect, on a site
whose interactions move on by a day a night. After each night, what Prefect remembers grows a day older. In some nights
the file system refuses a change, a candidate is killed, or `nightrec run` itself is.
"""

import argparse
import gc
import os
import random
import resource
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from errno import EACCES, EIO, ENOSPC, EROFS
from pathlib import Path
from statistics import mean

import psutil

from tests.flows.running import nightrec
from tests.flows.sites import DAY, EACH, ITEMS, USERS, write
from tests.reliability import borders
from tests.reliability.harness import Report, Row, own_temporary_folder
from tests.reliability.nights import SETTINGS
from tests.reliability.processes import killed_run
from tests.reliability.readers import BadReading, read_whole

MORE = """\
[retention]
exports = 5
nights = 5
reports = 5
longest_read_hours = 0
"""
ENDS = 20  # nights at either end that are compared
WARM = 5  # nights in which libraries are loaded and caches filled
FLAT = 1.10  # the last nights to the first
TABLES = {"flow_run": ("end_time",), "events": ("occurred", "received"), "event_resources": ("occurred",)}


@dataclass
class Sample:
    """What there is after a night."""

    cpu: float
    """Seconds of this process."""
    memory: int
    handles: int
    threads: int
    temporary: int
    """Files that a night has not finished, and files of other programs in the folder for these."""
    working: int
    """Bytes of what retention governs: exports and working files."""
    records: int
    """Bytes of the rest of the store: records, figures, reports."""
    database: int
    """Bytes in use in Prefect's database."""
    server: int
    """Bytes that its server holds."""


@dataclass
class Soak:
    """A site, its nights, and the faults that they meet."""

    root: Path
    faults: dict[int, str]
    samples: list[Sample] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    left_to: int = -1
    """Changes until the file system refuses one; -1 is never."""
    code: int = 0
    left: list[str] = field(default_factory=list)
    """The temporary files after the last night."""

    def __post_init__(self) -> None:
        self.home = Path(os.environ["PREFECT_HOME"])
        write(self.root / "nightrec.toml", SETTINGS + MORE)
        borders.watch(self.root / "store", self.change)

    def change(self, number: int, what: str) -> None:
        """Called before each change to the store."""
        if self.left_to < 0 or threading.current_thread().name == "signs of life":
            return
        self.left_to -= 1
        if self.left_to < 0:
            self.left_to = 0  # and so it goes on until the night ends
            raise OSError(self.code, os.strerror(self.code))

    def run(self, nights: int, chance: random.Random) -> None:
        for n in range(nights):
            day, fault = DAY + timedelta(days=n), self.faults.get(n)
            write(self.root / "log.csv", moved_log(day))
            started = time.process_time()
            with self.meeting(fault, day, chance):
                ran = nightrec("run", "--date", str(day), cwd=self.root)
            self.samples.append(self.sample(time.process_time() - started))
            self.judge(n, day, fault, ran.code, ran.err)
            a_day_passes(self.home / "prefect.db", self.root / "store")

    @contextmanager
    def meeting(self, fault: str | None, day: date, chance: random.Random) -> Iterator[None]:
        """Let a night meet its fault."""
        if fault == "killed":
            killed_run(
                self.root, self.home.parent / "other", chance.uniform(3, 9), signal.SIGKILL, "run", "--date", str(day)
            )
        elif fault is not None:
            self.code, self.left_to = int(fault), chance.randrange(150)
        try:
            yield
        finally:
            self.left_to = -1

    def judge(self, n: int, day: date, fault: str | None, code: int, said: str) -> None:
        """A night without a fault publishes; one with a fault leaves readers what they had, in a sentence."""
        try:
            current = read_whole(self.root / "store") if n else str(day)
        except BadReading as bad:
            self.broken.append(f"night {n}: a reader found: {bad}")
            return
        refused = fault is not None and fault != "killed"
        if code and not refused:
            self.broken.append(f"night {n} ({fault or 'no fault'}): {said.strip()[-300:]}")
        if refused and code and ("Errno" in said or "Traceback" in said or len(said.strip()) > 410):
            self.broken.append(f"night {n} ({fault}): {said.strip()[-300:]}")
        if not code and not current.startswith(str(day)):
            self.broken.append(f"night {n}: readers are at {current}")

    def sample(self, cpu: float) -> Sample:
        gc.collect()
        me, store = psutil.Process(), self.root / "store"
        removed = bytes_in(store / "exports" / "manifests" / "removed")
        working = bytes_in(store / "exports") - removed + sum(map(bytes_in, store.glob("nights/*/[!e]*/")))
        self.left = sorted(path.name for path in [*Path(tempfile.gettempdir()).iterdir(), *unfinished(store)])
        with closing(sqlite3.connect(f"file:{self.home / 'prefect.db'}?mode=ro", uri=True)) as database:
            pages, free, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        servers = [child for child in me.children() if "guarded_app" in " ".join(child.cmdline())]
        return Sample(
            cpu=cpu,
            memory=me.memory_info().rss,
            handles=me.num_fds(),
            threads=me.num_threads(),
            temporary=len(self.left),
            working=working,
            records=bytes_in(store) - working,
            database=(pages - free) * size,
            server=sum(child.memory_info().rss for child in servers),
        )


def moved_log(day: date) -> str:
    """The interactions of the small site, as they would be if it was that day; the same number every day."""
    end = datetime(day.year, day.month, day.day, tzinfo=UTC)
    rows = ["user_id,item_id,timestamp"]
    for user in range(USERS):
        for n in range(EACH):
            when = end - timedelta(days=(user * 7 + n * 11) % 40, hours=2, minutes=user, seconds=n)
            rows.append(f"u{user:02},{100 + (user * 3 + n * 7) % ITEMS},{when:%Y-%m-%dT%H:%M:%SZ}")
    return "\n".join(rows) + "\n"


def a_day_passes(database: Path, store: Path) -> None:
    """Let what Prefect remembers grow a day older, and what killed nights have left, so that it goes as it would."""
    for path in unfinished(store):
        os.utime(path, (path.lstat().st_mtime - 86_400,) * 2, follow_symlinks=False)
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        for table, columns in TABLES.items():
            for column in columns:
                connection.execute(
                    f"UPDATE {table} SET {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, '-1 day') "
                    f"WHERE {column} IS NOT NULL"
                )


def unfinished(store: Path) -> list[Path]:
    """What nights that were cut short have left in a store."""
    return [path for path in store.rglob("*") if path.name.startswith((".tmp-", ".lease-", ".clock-"))]


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main(arguments: list[str]) -> Report:
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--faults", type=int, default=30, help="nights that meet a fault")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    chance = random.Random(options.seed)
    middle = range(min(ENDS + WARM, options.nights // 3), options.nights - min(ENDS, options.nights // 3))
    kinds = [str(code) for code in (ENOSPC, EROFS, EACCES, EIO)] + ["killed"]
    faults = {n: kinds[turn % len(kinds)] for turn, n in enumerate(sorted(chance.sample(middle, options.faults)))}
    with tempfile.TemporaryDirectory(prefix="nightrec-soak-") as folder, own_temporary_folder(Path(folder)):
        os.environ["PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS"] = "15"
        soak = Soak(Path(folder) / "site", faults)
        soak.run(options.nights, chance)
    seconds = [sample.cpu for sample in soak.samples]
    by_ends = [f"{mean(seconds[n : n + ENDS]):.2f}" for n in range(0, len(seconds), ENDS)]
    print(f"CPU seconds of a night, by {ENDS} nights: {', '.join(by_ends)}\n")
    return report(soak)


def report(soak: Soak) -> Report:
    """The first nights beside the last ones."""
    first, last = soak.samples[WARM : WARM + ENDS], soak.samples[-ENDS:]
    rows: list[Row] = []
    broken = list(soak.broken)
    for name, what, unit, limit in (
        ("cpu", "CPU seconds of a night", 1.0, FLAT),
        ("memory", "memory of the process, MiB", 2**20, 1.15),
        ("handles", "open files", 1, FLAT),
        ("threads", "threads", 1, FLAT),
        ("temporary", "temporary files", 1, FLAT),
        ("working", "exports and working files, MB", 1e6, FLAT),
        ("records", "records, figures and reports, MB", 1e6, None),
        ("database", "Prefect's database, MB", 1e6, None),
        ("server", "memory of Prefect's server, MiB", 2**20, None),
    ):
        begin, end = (mean(getattr(sample, name) for sample in some) / unit for some in (first, last))
        middle = mean(getattr(sample, name) for sample in soak.samples[len(soak.samples) // 2 :][:ENDS]) / unit
        rows.append({"what": what, "first 20": begin, "the middle": middle, "last 20": end})
        if limit and end > begin * limit + (2 if name == "temporary" else 0):
            broken.append(
                f"{what} grew from {begin:.3g} to {end:.3g}" + (f": {soak.left}" if name == "temporary" else "")
            )
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append({"what": "the most memory, MiB", "first 20": "", "the middle": "", "last 20": most})
    return Report(rows, broken)
