"""What every engine is held to, and the functions that it is tried with."""

import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from recmodels.compute.cores import threads
from recmodels.engine.local import LocalEngine
from recmodels.engine.watching import Progress, watched_by
from recmodels.engine.work import Bucket, Engine, Needs, Work
from recmodels.errors import DataRefused, NightrecError
from tests.waiting import until

VERSION = "1"


def doubled(work: Work) -> None:
    """Doubles a number; each call leaves a line in the file `calls`, if it is told one."""
    note(work)
    number = json.loads(work.inputs["number"].read_text())
    (work.out / "doubled.json").write_text(json.dumps(work.arguments.get("times", 2) * number))
    (work.out / "deep").mkdir()
    (work.out / "deep" / "bytes").write_bytes(bytes([number]) * 1000)


def summed(work: Work) -> None:
    note(work)
    files = [path / "doubled.json" if path.is_dir() else path for path in work.inputs.values()]
    total = sum(json.loads(file.read_text()) for file in files)
    (work.out / "sum.json").write_text(json.dumps(total))


def listed(work: Work) -> None:
    """Leaves the names and the contents of what is in a folder."""
    folder = work.inputs["folder"]
    found = {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}
    (work.out / "found.json").write_text(json.dumps([work.inputs["file"].name, found], sort_keys=True))


def refusing(work: Work) -> None:
    raise DataRefused(f"{work.arguments['name']} is refused.")


def mistaken(work: Work) -> None:
    raise ZeroDivisionError("by nothing")


def hungry(work: Work) -> None:
    """Needs less memory than it is told to plan with at first."""
    note(work)
    if work.memory > work.arguments["enough"]:
        raise MemoryError
    (work.out / "memory").write_text("enough")


def killed(work: Work) -> None:
    """Is killed as a system without memory does, unless it plans with less."""
    note(work)
    if work.memory > work.arguments["enough"]:
        os.kill(os.getpid(), signal.SIGKILL)
    (work.out / "memory").write_text("enough")


def once_killed(work: Work) -> None:
    """Kills its own process the first time, which leaves a mark."""
    mark = Path(work.arguments["mark"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (work.out / "done").write_text("after a kill")


def held(work: Work) -> None:
    """Says which node has begun, and waits until it may end: all may, or this one."""
    folder, name = Path(work.arguments["folder"]), work.arguments["bucket"]
    note(work)
    (folder / f"{name} on {Path(os.environ['NIGHTREC_ENGINE_CACHE']).name}").touch()
    until("it may end", lambda: (folder / "all may").exists() or (folder / f"{name} may").exists(), every=0.02)
    (work.out / "name").write_text(name)


def counting(work: Work) -> None:
    (work.out / "cores").write_text(str(threads()))


def note(work: Work) -> None:
    if calls := work.arguments.get("calls"):
        with Path(calls).open("a", encoding="utf-8") as file:  # one write, which others cannot part
            file.write(f"{work.arguments['bucket']}\n")


class Calls:
    """What was called, by bucket, in whatever process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def told(self, bucket: str) -> dict[str, str]:
        """Arguments of a bucket whose calls are counted."""
        return {"calls": str(self.path), "bucket": bucket}

    def made(self) -> list[str]:
        """The buckets that were called since this was asked last, by name."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.path.unlink(missing_ok=True)
        return sorted(lines)


class Recording:
    """Who watches, and remembers."""

    def __init__(self) -> None:
        self.progress: list[tuple[int, int]] = []
        self.found = 0
        self.notes: list[str] = []

    def progressed(self, progress: Progress) -> None:
        self.progress.append((progress.done, progress.buckets))
        self.found = progress.found

    def noted(self, sentence: str) -> None:
        self.notes.append(sentence)


def numbers(folder: Path, count: int, calls: Calls | None = None) -> list[Bucket]:
    """Buckets of a number each."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}.json").write_text(str(number))
    named = [(f"b{number:02}", folder / f"{number}.json") for number in range(count)]
    return [Bucket(name, {"number": path}, calls.told(name) if calls else {}) for name, path in named]


def hold_four(engine: Engine, folder: Path) -> None:
    """Have four buckets worked on, each of which waits until it may end."""
    told = [Calls(folder / "calls").told(f"b{number}") for number in range(4)]
    buckets = [Bucket(one["bucket"], arguments={"folder": str(folder), **one}) for one in told]
    engine.map(held, buckets, folder / "out", code=VERSION)


def values(parts: list[Path]) -> list[int]:
    return [json.loads((part / "doubled.json").read_text()) for part in parts]


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Contract:
    """The tests of an engine; a class of tests has a fixture `engine`."""

    @pytest.fixture
    def calls(self, tmp_path: Path) -> Calls:
        return Calls(tmp_path / "calls")

    def test_each_bucket_leaves_its_part(self, engine: Engine, tmp_path: Path) -> None:
        parts = engine.map(doubled, numbers(tmp_path / "in", 3), tmp_path / "out", code=VERSION)
        assert parts == [tmp_path / "out" / f"b{number:02}" for number in range(3)]
        assert values(parts) == [0, 2, 4]
        assert sorted((tmp_path / "out").iterdir()) == parts

    def test_the_parts_are_those_of_this_machine_to_the_byte(self, engine: Engine, tmp_path: Path) -> None:
        buckets = numbers(tmp_path / "in", 3)
        engine.map(doubled, buckets, tmp_path / "out", code=VERSION)
        LocalEngine().map(doubled, buckets, tmp_path / "local", code=VERSION)
        assert bytes_in(tmp_path / "out") == bytes_in(tmp_path / "local")

    def test_what_is_done_is_not_done_again(self, engine: Engine, tmp_path: Path, calls: Calls) -> None:
        do = partial(engine.map, doubled, numbers(tmp_path / "in", 3, calls), tmp_path / "out")
        with watched_by(recording := Recording()):
            do(code=VERSION)
            assert (len(calls.made()), recording.found) == (3, 0)
            assert values(do(code=VERSION)) == [0, 2, 4]
            assert (calls.made(), recording.found) == ([], 3)
            do(code="another")
            assert (len(calls.made()), recording.found) == (3, 0)

    def test_what_changed_is_done_again(self, engine: Engine, tmp_path: Path, calls: Calls) -> None:
        do = partial(engine.map, doubled, numbers(tmp_path / "in", 4, calls), tmp_path / "out", code=VERSION)
        parts = do()
        calls.made()
        (tmp_path / "in" / "1.json").write_text("10")
        assert values(do()) == [0, 20, 4, 6]
        assert calls.made() == ["b01"]
        (parts[2] / "doubled.json").write_text("99")
        (parts[3] / "part.json").unlink()
        assert values(do()) == [0, 20, 4, 6]

    def test_parts_are_inputs(self, engine: Engine, tmp_path: Path) -> None:
        for fetch in (True, False):
            parts = engine.map(doubled, numbers(tmp_path / "in", 3), tmp_path / str(fetch), code=VERSION, fetch=fetch)
            inputs = {part.name: part if number % 2 else part / "doubled.json" for number, part in enumerate(parts)}
            (total,) = engine.map(summed, [Bucket("all", inputs)], tmp_path / f"sum-{fetch}", code=VERSION)
            assert json.loads((total / "sum.json").read_text()) == 6
        assert bytes_in(tmp_path / "sum-True") == bytes_in(tmp_path / "sum-False")

    def test_parts_that_stayed_elsewhere_can_be_fetched(self, engine: Engine, tmp_path: Path, calls: Calls) -> None:
        do = partial(engine.map, doubled, numbers(tmp_path / "in", 3, calls), tmp_path / "out", code=VERSION)
        do(fetch=False)
        calls.made()
        assert values(do()) == [0, 2, 4]
        assert calls.made() == []

    def test_folders_are_inputs_and_files_keep_their_names(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "model" / "deep").mkdir(parents=True)
        (tmp_path / "model" / "a.txt").write_text("a")
        (tmp_path / "model" / "deep" / "b.txt").write_text("b")
        for name in ("one.csv", "two.csv"):
            (tmp_path / name).write_text("the same")
            bucket = Bucket(name, {"folder": tmp_path / "model", "file": tmp_path / name})
            (part,) = engine.map(listed, [bucket], tmp_path / "out", code=VERSION)
            expected = [name, {"a.txt": "a", "deep/b.txt": "b"}]
            assert json.loads((part / "found.json").read_text()) == expected

    def test_progress_is_told(self, engine: Engine, tmp_path: Path) -> None:
        with watched_by(recording := Recording()):
            engine.map(doubled, numbers(tmp_path / "in", 3), tmp_path / "out", code=VERSION)
        assert recording.progress[0] == (0, 3)
        assert recording.progress[-1] == (3, 3)
        assert recording.progress == sorted(recording.progress)
        assert recording.notes == []

    def test_a_refusal_keeps_its_kind(self, engine: Engine, tmp_path: Path) -> None:
        buckets = [Bucket("one", arguments={"name": "one"})]
        with pytest.raises(DataRefused, match=r"^one is refused\.$"):
            engine.map(refusing, buckets, tmp_path / "out", code=VERSION)
        assert list((tmp_path / "out").iterdir()) == []

    def test_a_file_that_is_not_there_is_named(self, engine: Engine, tmp_path: Path) -> None:
        buckets = [Bucket("one", {"number": tmp_path / "nowhere"})]
        with pytest.raises(FileNotFoundError, match="nowhere"):
            engine.map(doubled, buckets, tmp_path / "out", code=VERSION)

    def test_too_little_memory_is_tried_with_half(self, engine: Engine, tmp_path: Path, calls: Calls) -> None:
        for enough in (2**29, 2**20):
            told = {"enough": enough, **calls.told("one")}
            do = partial(engine.map, hungry, [Bucket("one", arguments=told)], tmp_path / str(enough), code=VERSION)
            if enough == 2**29:
                (part,) = do(needs=Needs(memory=2**30))
                assert (part / "memory").read_text() == "enough"
            else:
                with pytest.raises(NightrecError, match=r"hungry ran out of memory with the bucket one.*0\.50 GiB"):
                    do(needs=Needs(memory=2**30))
            assert calls.made() == ["one", "one"]

    def test_no_work_is_done_at_once(self, engine: Engine, tmp_path: Path) -> None:
        assert engine.map(doubled, [], tmp_path / "out", code=VERSION) == []
