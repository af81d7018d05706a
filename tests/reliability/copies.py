"""Object stores that are slow, refuse, or lose a part of what is sent: the copy stays whole, and is taken up again.

The place answers each of its operations in turn with a fault: it refuses (503), never answers (timeout), breaks off in
the midst of an upload, or takes half of one and says that all is well. Before, in between and afterwards a reader of
the copy has to see a whole export; the fault has to be told in a sentence; and the next night has to bring the copy up
to date without a hand.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from tasks.publish.mirror import UNREADABLE, mirror
from tasks.store.paths import Store
from tests.reliability.harness import Report
from tests.reliability.nights import before, night, site, warm, without_prefect
from tests.reliability.readers import BadReading, read_whole
from tests.reliability.ward import Case, Ended, run_as_command, wrong_with

FAULTS = {
    "refuses (503)": lambda: OSError("HTTP 503 Service Unavailable"),
    "does not answer (timeout)": lambda: TimeoutError("timed out"),
    "breaks off the upload": lambda: ConnectionResetError("reset"),
    "takes half and says all is well": lambda: None,
}


class Place(LocalFileSystem):
    """An object store in a folder: objects appear as a whole, and its operations fail as they are told to."""

    protocol = "failing"
    calls: list[str] = []  # noqa: RUF012
    at: tuple[int, ...] = ()
    """The numbers of the operations that fail."""
    fault: Callable[[], Exception | None] = lambda: None

    def struck(self, name: str) -> bool:
        """Note an operation; whether it is one that fails by half. Raises what others fail by."""
        number, kind = len(Place.calls), type(self)
        Place.calls.append(name)
        if number not in kind.at:
            return False
        error = Place.fault()
        if error is not None and name != "put":
            raise error
        return True

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        self.struck("look")
        found: dict[str, Any] = super().info(path, **options)
        return found

    def rm_file(self, path: str) -> None:
        self.struck("remove")
        super().rm_file(path)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if "w" not in mode:
            self.struck("get")
            return super()._open(path, mode, **options)
        return Upload(self, path)


class Upload:
    """What is sent to a place: there as a whole when it is closed, unless it is cut."""

    def __init__(self, place: Place, path: str) -> None:
        self.place, self.path, self.sent, self.closed = place, Path(path), b"", False

    def write(self, content: bytes) -> int:
        self.sent += bytes(content)
        return len(content)

    def flush(self) -> None:
        """All is sent at the end."""

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        cut = self.place.struck("put")
        error = Place.fault() if cut else None
        if error is not None:
            raise error
        content = self.sent[: len(self.sent) // 2] if cut else self.sent
        aside = self.path.with_name(f"{self.path.name}.uploading")
        aside.write_bytes(content)
        aside.replace(self.path)


def main(arguments: list[str]) -> Report:
    parser = argparse.ArgumentParser(prog="copies")
    parser.add_argument("--step", type=int, default=1, help="every so many operations fail in turn")
    options = parser.parse_args(arguments)
    warm()
    fsspec.register_implementation("failing", Place, clobber=True)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="nightrec-copies-") as folder, without_prefect():
        bench = Bench(Path(folder))
        for name, fault in FAULTS.items():
            for lasting in (False, True):
                case = Case(f"{name}, {'from then on' if lasting else 'once'}")
                Place.fault = staticmethod(fault)  # type: ignore[assignment]
                for number in range(0, bench.operations(), options.step):
                    bench.strike(case, number, lasting)
                report.rows.append(case.row())
                report.broken += [f"{case.name}, {what}" for what in case.broken]
    return report


class Bench:
    """A store whose copy is one export behind, and the place of the copy."""

    def __init__(self, root: Path) -> None:
        self.root, self.place = root, root / "place"
        config = site(root)
        self.store, self.url = Store(config.store), f"failing://{self.place}"
        for n in (2, 1):
            night(config, before(n))
            if n == 2:
                mirror(self.store, self.url)
                shutil.copytree(self.place, root / "behind")

    @contextmanager
    def behind(self) -> Iterator[None]:
        """The copy as it was, one export behind."""
        shutil.rmtree(self.place)
        shutil.copytree(self.root / "behind", self.place)
        Place.calls, Place.at = [], ()
        yield

    def operations(self) -> int:
        """How many operations an undisturbed update takes."""
        with self.behind():
            mirror(self.store, self.url)
            return len(Place.calls)

    def strike(self, case: Case, number: int, lasting: bool) -> None:
        """Let one operation fail, or all from then on, and see what comes of it."""
        with self.behind():
            case.tried += 1
            Place.at = tuple(range(number, 10_000)) if lasting else (number,)
            ended: Ended = run_as_command(lambda: mirror(self.store, self.url))
            Place.at = ()
            if ended.code == 0:
                case.harmless += 1
            elif wrong := wrong_with(ended):
                case.broken.append(f"operation {number}: {wrong}")
            else:
                case.told += 1
            if UNREADABLE not in ended.text:  # a place that lies about the pointer itself: whoever copies is told
                self.look(case, f"operation {number}, after it")
            again = run_as_command(lambda: mirror(self.store, self.url))
            if again.code:
                case.broken.append(f"operation {number}: it could not be brought up to date: {again.text}")
            self.look(case, f"operation {number}, brought up to date", str(before(1)))

    def look(self, case: Case, where: str, expected: str | None = None) -> None:
        try:
            found = read_whole(self.place, has_link=False)
            if expected and found != expected:
                case.broken.append(f"{where}: its readers are at {found}")
        except BadReading as bad:
            case.broken.append(f"{where}: a reader found: {bad}")
