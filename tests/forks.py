"""The tests in several processes (``--forks 4``), forked from one that has imported and collected everything.

Those of pytest-xdist import PyTorch, Prefect and Great Expectations each for itself, and collect all tests, in seven to
twelve seconds each. A fork has all that at once, in memory that it shares. It is as one of pytest-xdist's in all else:
it has folders of its own, and sends reports, which are shown as if the tests had run here.
"""

import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests import forkable
from tests.deployments.forking import further_threads
from tests.sharing import SEVERAL

if TYPE_CHECKING:
    from tests.early import Early

QUIET = ("terminalreporter", "terminalprogress")  # what forks do without: they show nothing
MANY = 1000  # tests: fewer may do without much that nights in processes of their own need
FORK = multiprocessing.get_context("fork")
PLAIN = {"when", "duration", "start", "stop", "sections"}
"""What the report of a test that passed says, but for what is known of each test."""
ALWAYS = vars(pytest.TestReport("", ("", None, ""), {}, "passed", None, "call")).keys()
"""What every report has: one that has more is no plain one."""


@dataclass
class Fork:
    """A process that runs tests.

    Attributes:
        process: the process.
        connection: to it.
        ended: is ready to be read when it has ended, whatever others hold its end of the connection.
        places: those of its tests among all, by what it calls them.
        takes_last: begins with the last groups: what those need is imported by one process, rather than by each.
        left: the tests that it has and that have not ended, by their places.
    """

    process: BaseProcess
    connection: Connection
    ended: int
    places: Sequence[int]
    takes_last: bool = False
    left: list[int] = field(default_factory=list)


class Listener(Protocol):
    """Is told what a fork has to say."""

    def send_bytes(self, told: bytes, /) -> None: ...


class Run:
    """Forks run all tests of a session, those of a group one after another in one of them."""

    def __init__(self, session: pytest.Session, group: Callable[[pytest.Item], Hashable]) -> None:
        """Divide the tests; groups begin in the order of their first tests."""
        groups: dict[Hashable, list[int]] = {}
        for place, item in enumerate(session.items):
            groups.setdefault(group(item), []).append(place)
        self.session, self.config, self.hook = session, session.config, session.config.hook
        self.groups = list(groups.values())
        self.forks: list[Fork] = []
        self.begun = 0
        self.preloaded = False

    def until_done(self, forks: int, early: "Early | None" = None) -> None:
        """Run them in so many processes, of which one may have begun."""
        if len(self.session.items) > MANY:
            from tests import preload

            preload.letters()
            if any(item.get_closest_marker("server") for item in self.session.items):
                preload.preload()
                self.preloaded = True
        prepare(self.config)
        try:
            if early:
                self.join(early)
            for _ in range(min(forks - len(self.forks), len(self.groups))):
                self.fork()
            while self.forks:
                ready = wait([one for fork in self.forks for one in (fork.connection, fork.ended)])
                for fork in [fork for fork in self.forks if {fork.connection, fork.ended} & set(ready)]:
                    self.listen(fork, has_ended=fork.ended in ready)
        finally:
            self.stop()

    def join(self, early: "Early") -> None:
        """Listen to a process that has begun; its tests are nobody else's."""
        found = {item.nodeid: place for place, item in enumerate(self.session.items)}
        places = [found[test] for test in early.listen()]
        left = [[place for place in group if place not in set(places)] for group in self.groups]
        self.groups = [group for group in left if group]
        assert early.process.pid is not None
        ended = os.pidfd_open(early.process.pid)
        self.forks.append(Fork(early.process, early.connection, ended, places, left=list(places)))
        self.begun += 1

    def fork(self) -> None:
        assert not (found := further_threads()), f"no process with further threads can be forked: {found}"
        ours, theirs = FORK.Pipe()
        others = [fork.connection for fork in self.forks]
        process = FORK.Process(target=run, args=(self.session, theirs, [ours, *others], self.begun))
        process.start()
        theirs.close()
        assert process.pid is not None
        takes_last = not self.preloaded and self.begun % 2 == 1
        places = range(len(self.session.items))
        self.forks.append(Fork(process, ours, os.pidfd_open(process.pid), places, takes_last))
        self.begun += 1

    def listen(self, fork: Fork, has_ended: bool) -> None:
        """Take what a fork has sent; if it ended before its tests did, another one goes on with them."""
        with suppress(EOFError, ConnectionResetError):
            while fork.connection.poll():
                kind, told = json.loads(fork.connection.recv_bytes())
                getattr(self, kind)(fork, told)
        if not has_ended:
            return
        fork.process.join()
        os.close(fork.ended)
        fork.connection.close()
        self.forks.remove(fork)
        if fork.left:
            self.crashed(fork.left.pop(0), fork.process.exitcode)
            if fork.left:
                self.groups.insert(0, fork.left)
        if self.groups:
            self.fork()

    def idle(self, fork: Fork, _: None) -> None:
        """A fork has run its tests."""
        given = self.groups.pop(-1 if fork.takes_last else 0) if self.groups else []
        fork.left += given
        fork.connection.send_bytes(json.dumps(given).encode())

    def ran(self, fork: Fork, told: tuple[int, list[dict[str, Any]]]) -> None:
        place, reports = fork.places[told[0]], told[1]
        item = self.session.items[place]
        of = {"nodeid": item.nodeid, "location": item.location}
        self.hook.pytest_runtest_logstart(**of)
        of["keywords"] = dict.fromkeys(item.keywords, 1)
        for report in reports:
            self.show(self.report(report, of))
        fork.left.remove(place)
        self.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def report(self, told: dict[str, Any], of: dict[str, Any]) -> pytest.TestReport:
        """The report of a test that is told `of`."""
        if told.keys() == PLAIN:
            return pytest.TestReport(**of, **told, outcome="passed", longrepr=None)
        tuples = {key: tuple(told[key]) for key in ("location", "longrepr") if isinstance(told[key], list)}
        report: pytest.TestReport = self.hook.pytest_report_from_serializable(config=self.config, data=told | tuples)
        return report

    def warned(self, fork: Fork, told: dict[str, Any]) -> None:
        category = type(told["category"], (Warning,), {})
        message = warnings.WarningMessage(told["message"], category, told["filename"], told["lineno"])
        about = {"when": "runtest", "nodeid": told["nodeid"], "location": None}
        self.hook.pytest_warning_recorded.call_historic(kwargs={"warning_message": message, **about})

    def crashed(self, place: int, code: int | None) -> None:
        item = self.session.items[place]
        said = f"the process of the test ended with code {code}; what it wrote last is above"
        self.show(
            pytest.TestReport(item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", said, "call")
        )

    def show(self, report: pytest.TestReport) -> None:
        self.hook.pytest_runtest_logreport(report=report)
        if self.session.shouldfail:
            raise self.session.Failed(self.session.shouldfail)
        if self.session.shouldstop:
            raise self.session.Interrupted(self.session.shouldstop)

    def stop(self) -> None:
        """Wait until all forks have ended, which they do after their tests once nobody listens."""
        try:
            for fork in self.forks:
                fork.connection.close()
            for fork in self.forks:
                fork.process.join()
        finally:
            for fork in self.forks:
                fork.process.kill()


def prepare(config: pytest.Config) -> None:
    """Have nothing around that each of the forks would write, and what tests fork processes from."""
    quiet(config)
    capture = config.pluginmanager.getplugin("capturemanager")
    forkable.candidates(capture.stop_global_capturing)
    forkable.site_processes(capture.stop_global_capturing)


def quiet(config: pytest.Config) -> None:
    """Have nothing around that a fork would write as well, and one place for the folders of all."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture.is_globally_capturing():
        capture.read_global_capture()
    if terminal := config.pluginmanager.getplugin("terminalreporter"):
        terminal.showfspath = False
        terminal.flush()
    folders(config).getbasetemp()


def folders(config: pytest.Config) -> pytest.TempPathFactory:
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    return factory


def run(session: pytest.Session, parent: Connection, others: list[Connection], number: int) -> None:
    """Run tests in a fork, until there are none any more."""
    with own_process(session, parent, others, number) as reports:
        run_tests(session, reports, given(parent))


@contextmanager
def own_process(
    session: pytest.Session, parent: Listener, others: list[Connection], number: int
) -> "Iterator[Reports]":
    """Have in a fork what is its own, until it ends or nobody wants to know any more what it does."""
    for other in others:
        other.close()
    own_home = become_own(session.config, number)
    reports = Reports(session.config, parent)
    session.config.pluginmanager.register(reports)
    try:
        yield reports
    except (BrokenPipeError, ConnectionResetError, EOFError, KeyboardInterrupt):
        pass
    finally:
        session._setupstate.teardown_exact(None)
        save_coverage()
        shutil.rmtree(own_home, ignore_errors=True)


def run_tests(session: pytest.Session, reports: "Reports", groups: Iterable[Sequence[int]]) -> None:
    """Run groups of tests, told by their places.

    What they share ends with each group, of the scope of a session, too: nobody else would use its server, which would
    be at work beside all tests that are left.
    """
    for places in groups:
        for place, after in zip_longest(places, places[1:]):
            following = None if after is None else session.items[after]
            session.config.hook.pytest_runtest_protocol(item=session.items[place], nextitem=following)
            reports.send(place)


def given(parent: Connection) -> Iterator[list[int]]:
    """The groups of tests to run, for each of which the parent is asked, until it has none or nobody listens."""
    with suppress(EOFError):
        while places := ask(parent):
            yield places


def ask(parent: Connection) -> list[int]:
    send(parent, "idle", None)
    places: list[int] = json.loads(parent.recv_bytes())
    return places


def send(parent: Listener, kind: str, told: object) -> None:
    parent.send_bytes(json.dumps([kind, told]).encode())


class Reports:
    """What a fork says of its tests, for the process that shows it: of one that passes in short."""

    def __init__(self, config: pytest.Config, parent: Listener) -> None:
        self.config, self.parent = config, parent
        self.of_test: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        is_plain = report.passed and vars(report).keys() == ALWAYS and not report.user_properties
        self.of_test.append(
            {name: getattr(report, name) for name in PLAIN}
            if is_plain
            else self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        )

    def send(self, place: int) -> None:
        """Send those of the test at a place, which has ended."""
        send(self.parent, "ran", [place, self.of_test])
        self.of_test = []

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        of = {"category": warning_message.category.__name__, "message": str(warning_message.message), "nodeid": nodeid}
        send(self.parent, "warned", of | {"filename": warning_message.filename, "lineno": warning_message.lineno})


def become_own(config: pytest.Config, number: int) -> str:
    """Give a fork output, folders, a home of Prefect and random numbers of its own; returns that home."""
    for name in QUIET:
        if plugin := config.pluginmanager.getplugin(name):
            config.pluginmanager.unregister(plugin)
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    random.seed()
    os.environ[SEVERAL] = f"fork{number}"
    factory = folders(config)
    factory._basetemp = factory.getbasetemp() / f"fork{number}"
    factory._basetemp.mkdir(mode=0o700)
    home = tempfile.mkdtemp(prefix="nightrec-prefect-")
    os.environ["PREFECT_HOME"] = home
    if "prefect" in sys.modules:
        sys.modules["prefect.context"].refresh_global_settings_context()
    return home


def save_coverage() -> None:
    """Write down which lines a fork ran, where that is measured: it ends without what Python does at its end."""
    if "coverage" in sys.modules and (measured := sys.modules["coverage"].Coverage.current()):
        measured.stop()
        measured.save()
