"""Kills at each change to a file and at random times: every reading is whole, every resume gives the same bytes.

A scenario (a night, a rollback, ...) runs on a copy of the same store again and again. Each time it is killed before
the n-th change that it makes to a file, or after a random time; then the store is read as a downstream job reads it,
the scenario is run again to its end, and what there is then is compared with what an undisturbed run leaves.
"""

import argparse
import ctypes
import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.backfill import fill
from flows.cli.app import stop
from flows.settings.options import BackfillOptions
from flows.settings.site import NightConfig
from tasks.forgetting.forget import Outside, forget
from tasks.publish.mirror import mirror
from tasks.publish.retention import retain
from tasks.publish.settings import RetentionSettings
from tasks.publish.sinks.load import load as load_sinks
from tasks.store.exports import rollback
from tasks.store.lease import CLOCK
from tasks.store.locking import held
from tasks.store.paths import Store
from tests.flows.sites import DAY
from tests.prefect_homes import new_home
from tests.reliability import borders
from tests.reliability.forks import exit_code, forked
from tests.reliability.harness import Report, Row
from tests.reliability.nights import before, night, site, warm, without_prefect
from tests.reliability.processes import killed_run
from tests.reliability.readers import BadReading, Poller, read_whole
from tests.tasks.servers import free_port

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans become this process's children
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
Scenario = Callable[[NightConfig], object]
Held = tuple[set[str], dict[str, str]]  # the paths that are there, and the digests of what is published


@dataclass
class Tally:
    """What came of the kills of one scenario."""

    kills: int = 0
    too_late: int = 0
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


def a_night(config: NightConfig) -> object:
    return night(config)


def a_night_again(config: NightConfig) -> object:
    return night(config, before(1), fresh=True)


def a_backfill(config: NightConfig) -> object:
    options = BackfillOptions(first=before(1), last=DAY, parallel=1, publish="all")
    with without_prefect(), held(Store(config.store)) as lease:
        import flows.backfill as module

        module.night = module.night.fn if hasattr(module.night, "fn") else module.night
        return fill.fn(config, options, None, lease)


def a_rollback(config: NightConfig) -> object:
    return rollback(Store(config.store), to=str(before(2)))


def a_retention(config: NightConfig) -> object:
    with held(Store(config.store)):
        return retain(Store(config.store), RetentionSettings(exports=1, longest_read_hours=0))


def a_forgetting(config: NightConfig) -> object:
    with held(Store(config.store)):
        receipt = forget(Store(config.store), "u07", Outside(f"file://{config.store.parent / 'mirror'}", config.sinks))
        assert receipt.complete, receipt.failures
        return receipt


def a_mirror(config: NightConfig) -> object:
    return mirror.fn(Store(config.store), f"file://{config.store.parent / 'mirror'}")


def a_sink(config: NightConfig) -> object:
    with held(Store(config.store)):
        outcome = load_sinks(Store(config.store), config.sinks, task=False)
        assert not any("failed" in one for one in outcome.values()), outcome
        return outcome


SCENARIOS: dict[str, Scenario] = {
    "night": a_night,
    "night, --fresh": a_night_again,
    "backfill": a_backfill,
    "rollback": a_rollback,
    "retention": a_retention,
    "forget": a_forgetting,
    "mirror": a_mirror,
    "sink": a_sink,
}


def as_command(scenario: Scenario, config: NightConfig) -> object:
    """Run a scenario with SIGTERM as the command line has it."""
    signal.signal(signal.SIGTERM, stop)
    return scenario(config)


@dataclass
class Bench:
    """A folder with a store of two nights, and the copy of it that is worked on."""

    root: Path
    config: NightConfig = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.root / "work"
        self.config = site(self.work, '[sinks.delta]\npath = "delta"\n')
        for step in (lambda config: night(config, before(2)), a_mirror, lambda config: night(config, before(1))):
            assert self.run(step) == 0, self.said()
        self.work.rename(self.root / "base")

    @property
    def log(self) -> Path:
        return self.root / "log"

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def renew(self) -> None:
        """Begin anew with the store of two nights."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.root / "base", self.work, symlinks=True)

    def grow_old(self) -> None:
        """Let a day pass for what runs that were cut short have left: the next one may be sure that it is nobody's."""
        for path in self.work.rglob(".*"):
            if path.name not in (".lock", ".switch", ".lease.json"):
                os.utime(path, (path.lstat().st_mtime - 2 * 86_400,) * 2, follow_symlinks=False)

    def run(self, scenario: Scenario) -> int:
        """Run a scenario to its end in a fork."""
        return exit_code(forked(lambda: scenario(self.config) and 0, self.log))

    def killed(self, scenario: Scenario, at: int, by: signal.Signals) -> int:
        """Run a scenario until it is about to make its change number `at`; how it ended."""
        return exit_code(forked(lambda: self._until(scenario, at, by), self.log))

    def _until(self, scenario: Scenario, at: int, by: signal.Signals) -> int:
        me = os.getpid()

        def strike(number: int, what: str) -> None:
            if number == at:
                print(what, flush=True)
                os.kill(me, by)

        borders.watch(self.work, strike)
        as_command(scenario, self.config)
        return 0

    def undisturbed(self, scenario: Scenario, poller: Poller) -> Held:
        """Begin anew, run a scenario to its end, and return what there is then."""
        with poller.resting():
            self.renew()
        assert self.run(scenario) == 0, self.said()
        return self.holds(scenario)

    def changes(self, scenario: Scenario) -> list[str]:
        """The changes that a scenario makes to files when nothing disturbs it."""
        self.renew()
        code = exit_code(forked(lambda: self._tell(scenario), self.log))
        assert code == 0, self.said()
        return self.log.read_text(encoding="utf-8").splitlines()

    def _tell(self, scenario: Scenario) -> int:
        borders.watch(self.work, lambda number, what: os.write(1, f"{what}\n".encode()) and None)
        scenario(self.config)
        return 0

    def holds(self, scenario: Scenario) -> Held:
        """The paths of all that is there, and the content of what is published.

        A night that is done again by `--fresh` publishes the same lists as a further export each time: of that only
        what is left over counts, and the lists that readers are pointed to.
        """
        if scenario is a_night_again:
            lists = [path for path in self.work.glob("store/exports/latest/*/*.parquet") if "delta" not in str(path)]
            return {str(path) for path in self.work.rglob(".tmp-*")}, {
                str(path.relative_to(self.work)): hashlib.sha256(path.read_bytes()).hexdigest() for path in lists
            }
        there = (path for path in self.work.rglob("*") if path.name != CLOCK)  # made once a night takes seconds
        paths = {str(path.relative_to(self.work)) for path in there}
        data = {
            str(path.relative_to(self.work)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.work.rglob("exports/*/*/*.parquet")
        }
        return {path for path in paths if not path.startswith("delta/")}, data


def at_each_change(bench: Bench, scenario: Scenario, most: int, poller: Poller) -> Tally:
    """Kill a scenario at each change that it makes (at most so many, evenly spread), by each signal in turn."""
    tally, started = Tally(), time.perf_counter()
    with poller.resting():
        changes = len(bench.changes(scenario))
        expected = bench.holds(scenario)
    step = max(1.0, changes / most)
    for turn in range(min(most, changes)):
        with poller.resting():
            bench.renew()
        number, by = int(turn * step), SIGNALS[turn % len(SIGNALS)]
        code = bench.killed(scenario, number, by)
        where = f"killed by {by.name} before change {number} ({bench.said().partition(chr(10))[0]})"
        after(bench, scenario, code, where, expected, tally)
    tally.seconds = time.perf_counter() - started
    return tally


def at_random(bench: Bench, scenario: Scenario, most: int, poller: Poller, chance: random.Random) -> Tally:
    """Kill a scenario after random times."""
    tally, started = Tally(), time.perf_counter()
    expected = bench.undisturbed(scenario, poller)
    usual = time.perf_counter() - started
    for turn in range(most):
        with poller.resting():
            bench.renew()
        by, seconds = SIGNALS[turn % len(SIGNALS)], chance.uniform(0, usual)
        pid = forked(lambda: as_command(scenario, bench.config) and 0, bench.log)
        time.sleep(seconds)
        os.kill(pid, by)
        after(bench, scenario, exit_code(pid), f"killed by {by.name} after {seconds:.2f} s", expected, tally)
    tally.seconds = time.perf_counter() - started
    return tally


def real_runs(bench: Bench, most: int, poller: Poller, chance: random.Random) -> Tally:
    """Kill `nightrec run` in a process of its own, with its server and its candidates, after random times."""
    tally, started = Tally(), time.perf_counter()
    home = new_home(bench.root / "prefect")
    expected, run = bench.undisturbed(a_night, poller), ("run", "--date", str(DAY))
    with poller.resting():
        bench.renew()
    began = time.perf_counter()
    killed_run(bench.work, home, 600, signal.SIGTERM, *run)
    usual = time.perf_counter() - began
    for turn in range(most):
        with poller.resting():
            bench.renew()
        by, seconds = SIGNALS[turn % len(SIGNALS)], chance.uniform(1, usual)
        code, left = killed_run(bench.work, home, seconds, by, *run)
        where = f"`nightrec run` killed by {by.name} after {seconds:.1f} s"
        tally.broken += [f"{where}: this outlived it: {name}" for name in left]
        after(bench, a_night, code, where, expected, tally)
    tally.seconds = time.perf_counter() - started
    return tally


def servers(bench: Bench, most: int, poller: Poller, chance: random.Random) -> Tally:
    """Kill `nightrec serve` after random times, while it starts and while its workers work."""
    tally, started = Tally(), time.perf_counter()
    home = new_home(bench.root / "prefect-of-serve")
    expected = bench.undisturbed(a_night, poller)
    for turn in range(most):
        by, seconds = SIGNALS[turn % len(SIGNALS)], chance.uniform(1, 30)
        code, left = killed_run(bench.work, home, seconds, by, "serve", "--gpu", "none", "--port", str(free_port()))
        where = f"`nightrec serve` killed by {by.name} after {seconds:.1f} s"
        tally.broken += [f"{where}: this outlived it: {name}" for name in left]
        if by is not signal.SIGKILL and code not in (0, -by):
            tally.broken.append(f"{where}: it ended with the code {code}")
        after(bench, a_night, code or -by, where, expected, tally)
    tally.seconds = time.perf_counter() - started
    return tally


def after(bench: Bench, scenario: Scenario, code: int, where: str, expected: Held, tally: Tally) -> None:
    """After a kill: read, look for orphans, run to the end, and compare."""
    if code == 0:
        tally.too_late += 1
    else:
        tally.kills += 1
    for store in (bench.config.store, bench.work / "mirror"):  # each has a current export before and after
        try:
            read_whole(store, has_link=store is bench.config.store)
        except BadReading as bad:
            tally.broken.append(f"{where}: a reader of the {store.name} found: {bad}")
    if left := orphans():
        tally.broken.append(f"{where}: {left} processes were left")
    bench.grow_old()
    if bench.run(scenario) != 0:
        tally.broken.append(f"{where}: it could not be run again: {bench.said().strip().splitlines()[-1]}")
        return
    paths, data = bench.holds(scenario)
    if data != expected[1]:
        tally.broken.append(f"{where}: run again, it published something else")
    if more := sorted(paths - expected[0]):
        tally.broken.append(f"{where}: run again, it left {more[0]} and {len(more) - 1} others")
    if less := sorted(expected[0] - paths):
        tally.broken.append(f"{where}: run again, {less[0]} was missing and {len(less) - 1} others")


def orphans(patience: float = 10.0) -> int:
    """How many processes a killed one has left, beside the poller; they have some seconds to notice."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        if len(children) <= 1:
            return 0
        for child in children:
            os.waitpid(int(child), os.WNOHANG)
        time.sleep(0.01)
    return len(children) - 1


@contextmanager
def bench_and_poller() -> Iterator[tuple[Bench, Poller]]:
    """A store to work on, in memory where there is room, and a process that reads it all the time."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="nightrec-kills-", dir=place) as folder:
        warm()
        bench = Bench(Path(folder))
        with Poller(bench.config.store, Path(folder) / "readings") as poller:
            yield bench, poller


def main(arguments: list[str]) -> Report:
    parser = argparse.ArgumentParser(prog="kills")
    parser.add_argument("--most", type=int, default=90, help="kills of a scenario at changes")
    parser.add_argument("--random", type=int, default=10, help="kills of a scenario at random times")
    parser.add_argument("--runs", type=int, default=15, help="kills of `nightrec run` in a process of its own")
    parser.add_argument("--serves", type=int, default=6, help="kills of `nightrec serve`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=SCENARIOS)
    options = parser.parse_args(arguments)
    report, chance = Report(), random.Random(options.seed)
    with bench_and_poller() as (bench, poller):
        parts: dict[str, Callable[[], list[Tally]]] = {
            name: lambda scenario=SCENARIOS[name]: [
                at_each_change(bench, scenario, options.most, poller),
                at_random(bench, scenario, options.random, poller, chance),
            ]
            for name in options.only
        }
        if options.runs:
            parts["`nightrec run`"] = lambda: [Tally(), real_runs(bench, options.runs, poller, chance)]
        if options.serves:
            parts["`nightrec serve`"] = lambda: [Tally(), servers(bench, options.serves, poller, chance)]
        read = 0
        for name, part in parts.items():
            told = len(report.broken)
            at_changes, timed = part()
            readings, bad = poller.found()
            report.rows.append(row(name, at_changes, timed, readings - read))
            report.broken += [f"{name}, {what}" for what in [*at_changes.broken, *timed.broken]]
            print(report.rows[-1], *report.broken[told:], sep="\n", flush=True)
            read = readings
        report.broken += [f"the polling reader found: {what}" for what in bad]
    return report


def row(name: str, at_changes: Tally, timed: Tally, readings: int) -> Row:
    return {
        "what": name,
        "kills at changes": at_changes.kills,
        "kills at random": timed.kills,
        "ended before": at_changes.too_late + timed.too_late,
        "readings": readings,
        "broken": len(at_changes.broken) + len(timed.broken),
        "seconds": round(at_changes.seconds + timed.seconds),
    }
