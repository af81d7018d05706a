"""Readers poll a large export while it is published, rolled back and rewritten: no bad reading; how long `recs` takes.

The lists are computed, not trained: each follows from its user and the name of its model, so that a reader knows what
it must find. A reader asks for a user's list at each turn, and reads all bytes whenever the export is another one.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recmodels.data.arrays import Ints
from recmodels.errors import ConfigError
from recmodels.fallback import Lists
from recmodels.published.reader import Export
from tasks.export.writer import Writer, batches, describe_part
from tasks.lookup.lists import list_of
from tasks.publish.retention import retain
from tasks.publish.settings import RetentionSettings
from tasks.store.exports import next_export_id, point_to, rollback, write_export_manifest
from tasks.store.files import replacing
from tasks.store.locking import held
from tasks.store.paths import Store
from tests.reliability.harness import Report, Row
from tests.waiting import until

NIGHT = date(2026, 3, 31)
MODELS = ("even", "odd")
ITEMS = 100_003  # a prime: the places of a list are different items
TRIES = 3  # of a reading: `forget` replaces a file, its manifest and the pointer one after another
LONGEST_READ = 0.05  # hours


@dataclass(frozen=True)
class Size:
    """How much there is to read, and how it is read."""

    users: int = 1_000_000
    k: int = 10
    readers: int = 50
    rounds: int = 3
    """Each is a publication, a forgetting, a rollback, and another publication."""
    pause: float = 5.0
    """Seconds between two turns of a reader."""
    commands: bool = True
    """Whether `nightrec recs` is run all the time, too."""


def items_of(users: Ints, model: str, k: int) -> Ints:
    """The list of each user by a model: int32 [n, k]."""
    first = users.astype(np.int64)[:, None] * 7_919 + MODELS.index(model) * 50_021
    return ((first + 31 * np.arange(k)) % ITEMS).astype(np.int32)


def name_of(user: int) -> str:
    return f"u{user:08d}"


class Shop:
    """A store with exports of computed lists."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.store, self.size, self.folder, self.began_by = Store(folder / "store"), size, folder, os.getpid()
        user_ids = pa.array([name_of(user) for user in range(size.users)])
        item_ids = pa.array([f"i{item:06d}" for item in range(ITEMS)])
        for model in MODELS:
            self._write(model, user_ids, item_ids)

    def _write(self, model: str, user_ids: pa.Array, item_ids: pa.Array) -> None:
        out, k = self.folder / model, self.size.k
        out.mkdir(parents=True)
        with Writer(NIGHT, model, user_ids, item_ids, out / "topk") as writer:
            for users in batches(self.size.users, k):
                scores = np.tile(np.linspace(1, 0.1, k, dtype=np.float32), (len(users), 1))
                no, none = np.zeros(scores.shape, np.bool_), np.full(scores.shape, -1, np.int32)
                writer.write(Lists(users, items_of(users, model, k), scores, no, none, no))

    def goes_on(self) -> bool:
        """Whether readers are to go on: not when it is enough, nor without the process that began it."""
        return not (self.folder / "enough").exists() and os.getppid() == self.began_by

    def publish(self, model: str) -> None:
        """Publish the lists of a model under a new name; what is old enough goes."""
        with held(self.store):
            export_id = next_export_id(self.store, NIGHT)
            with replacing(self.store.export(export_id)) as out:
                for path in (self.folder / model).rglob("*.parquet"):
                    target = out / path.relative_to(self.folder / model)
                    target.parent.mkdir(exist_ok=True)
                    os.link(path, target)
                files = [describe_part(path, out) for path in sorted(out.rglob("*.parquet"))]
            counts = {"users": self.size.users, "rows": self.size.users * self.size.k, "cold_users": 0}
            about = {"export_id": export_id, "run_date": str(NIGHT), "champion": model, "k": self.size.k}
            manifest = write_export_manifest(self.store, about | counts | {"files": files})
            point_to(self.store, manifest)
            retain(self.store, RetentionSettings(exports=3, longest_read_hours=LONGEST_READ))

    def forget(self, user: int) -> None:
        from tasks.forgetting.forget import forget  # most of what there is to import, which no reader needs

        with held(self.store):
            receipt = forget(self.store, name_of(user))
        assert receipt.complete and receipt.found, receipt.failures


@dataclass
class Reader:
    """A process that asks for lists until a file says that it is enough, and notes how each turn went."""

    shop: Shop
    seed: int
    notes: Path

    def run(self) -> int:
        chance, seen = random.Random(self.seed), ""
        with self.notes.open("w", encoding="utf-8", buffering=1) as notes:
            while self.shop.goes_on():
                user = chance.randrange(1, self.shop.size.users, 2)  # who is forgotten is even
                _note(notes, "recs, library", partial(self._list_is_right, user))
                version = self._version()
                if version != seen:
                    _note(notes, "all bytes", self._bytes_are_right)
                    seen = version
                time.sleep(self.shop.size.pause * chance.uniform(0.5, 1.5))
        return 0

    def _list_is_right(self, user: int) -> bool:
        rows = list_of(self.shop.store.root, name_of(user))
        expected = items_of(np.array([user], np.int32), rows[0]["model"], self.shop.size.k)[0]
        found = [int(str(row["item_id"])[1:]) for row in rows]
        return found == expected.tolist() and len({row["model"] for row in rows}) == 1

    def _version(self) -> str:
        return hashlib.sha256(self.shop.store.pointer.read_bytes()).hexdigest()

    def _bytes_are_right(self) -> bool:
        export = Export.latest(self.shop.store.root)
        for file in export.manifest["files"]:
            with (export.folder / file["path"]).open("rb") as opened:
                if hashlib.file_digest(opened, "sha256").hexdigest() != file["sha256"]:
                    return False
        return True


def _note(notes: Any, what: str, reading: Callable[[], bool]) -> None:
    """Take a reading, again if need be, and write down how long it took and whether it was good."""
    began, worked, good, tries, trouble = time.perf_counter(), _cpu(), False, 0, "it was not what was published"
    while not good and tries < TRIES:
        tries += 1
        try:
            good = reading()
        except (OSError, ValueError, KeyError, IndexError, ConfigError, pa.ArrowException) as error:
            trouble = f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - began
    line = {"what": what, "seconds": seconds, "cpu": _cpu() - worked, "tries": tries, "bad": "" if good else trouble}
    notes.write(json.dumps(line) + "\n")


def _cpu() -> float:
    """Seconds of a core that this process and those it has waited for have taken."""
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + waited_for.ru_utime + waited_for.ru_stime


def run_commands(shop: Shop, notes: Path) -> int:
    """Run `nightrec recs` again and again, as a shell script does."""
    chance = random.Random(-1)
    with notes.open("w", encoding="utf-8", buffering=1) as opened:
        while shop.goes_on():
            user = chance.randrange(1, shop.size.users, 2)
            command = [sys.executable, "-m", "flows", "recs", name_of(user), "--json", "--store", str(shop.store.root)]

            _note(opened, "recs, command line", partial(_answers, command, shop.size.k))
            time.sleep(shop.size.pause / 5)
    return 0


def _answers(command: list[str], k: int) -> bool:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.returncode == 0 and len(json.loads(ran.stdout)) == k


def load(folder: Path, size: Size) -> Report:
    """Read while exports change, and report what readers found and how long everything took."""
    shop, times = Shop(folder, size), {}
    shop.publish(MODELS[0])
    alone = Reader(shop, 0, folder / "alone")
    for _ in range(3):
        alone._list_is_right(1)  # files are in memory then, as they are when others read them
    quiet = [_timed(partial(alone._list_is_right, user)) for user in range(1, min(400, size.users), 2)]
    workers = [Reader(shop, seed, folder / f"reader-{seed}").run for seed in range(1, size.readers + 1)]
    workers += [partial(run_commands, shop, folder / "commands")] if size.commands else []
    # No forks of this process, whose threads of pyarrow may hold a lock just then.
    start = multiprocessing.get_context("spawn")
    processes = [start.Process(target=_logged, args=(work, folder / f"log-{n}")) for n, work in enumerate(workers)]
    for process in processes:
        process.start()
    try:
        until("everybody reads", lambda: sum(path.stat().st_size > 0 for path in _notes(folder)) == len(workers))
        times = _changes(shop)
    finally:
        (folder / "enough").touch()
    for process in processes:
        process.join()
    ended = [process.exitcode for process in processes]
    found = [json.loads(line) for path in _notes(folder) for line in path.read_text(encoding="utf-8").splitlines()]
    for what in ("recs, library", "recs, command line", "all bytes"):
        times[what] = [one["seconds"] for one in found if one["what"] == what]
        times[f"{what}: CPU"] = [one["cpu"] for one in found if one["what"] == what]
    rows = [_row("recs, library, nobody else", quiet), *(_row(what, one) for what, one in times.items() if one)]
    again = sum(one["tries"] - 1 for one in found)
    rows.append(_row("readings taken again", []) | {"n": again})
    bad = [f"{one['what']}: {one['bad']}" for one in found if one["bad"]]
    rows.append(_row("bad readings", []) | {"n": len(bad)})
    broken = [f"{len(bad)} bad readings, such as {bad[0]}"] if bad else []
    broken += [f"{sum(map(bool, ended))} readers ended with an error"] if any(ended) else []
    return Report(rows, broken)


def _logged(work: Callable[[], int], log: Path) -> None:
    """Do some work in this process, which ends with it and writes to a file."""
    with log.open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    sys.exit(work())


def _changes(shop: Shop) -> dict[str, list[float]]:
    """Publish, forget and roll back, and how many seconds each took."""
    times: dict[str, list[float]] = {"publication": [], "rollback": [], "forget": []}
    for turn in range(shop.size.rounds):
        times["publication"].append(_timed(partial(shop.publish, MODELS[1])))
        times["forget"].append(_timed(partial(shop.forget, 2 * turn)))
        times["rollback"].append(_timed(partial(rollback, shop.store)))
        times["publication"].append(_timed(partial(shop.publish, MODELS[0])))
    return times


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _notes(folder: Path) -> Iterator[Path]:
    yield from folder.glob("reader-*")
    yield from folder.glob("commands")


def _row(what: str, seconds: list[float]) -> Row:
    milliseconds = [1000 * one for one in seconds] or [0.0]
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {
        "what": what,
        "n": len(seconds),
        "p50 ms": round(p50),
        "p99 ms": round(p99),
        "most ms": round(max(milliseconds)),
    }


def main(arguments: list[str]) -> Report:
    parser = argparse.ArgumentParser(prog="load")
    parser.add_argument("--users", type=int, default=Size.users, help="users of an export, with ten items each")
    parser.add_argument("--readers", type=int, default=Size.readers)
    parser.add_argument("--rounds", type=int, default=Size.rounds, help="of publications, forgetting and rollback")
    options = parser.parse_args(arguments)
    size = Size(users=options.users, readers=options.readers, rounds=options.rounds)
    with tempfile.TemporaryDirectory(prefix="nightrec-load-") as folder:
        return load(Path(folder), size)
