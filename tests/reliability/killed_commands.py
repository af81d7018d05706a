"""Going back and retention, killed before each change that they make to a store that was written by hand: a second.

`kills` does this for nights and all commands, on a store of nights; this is the part of it that runs in every test.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.publish.retention import retain
from tasks.publish.settings import RetentionSettings
from tasks.store.exports import point_to, rollback
from tasks.store.files import now_text
from tasks.store.locking import held
from tasks.store.paths import Store
from tests.reliability import borders
from tests.reliability.forks import exit_code, forked
from tests.reliability.readers import read_whole
from tests.tasks.exported import with_manifest

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
IDS = ("2024-02-28", "2024-02-29", "2024-03-01")
TABLES = {
    "topk": pa.table({"user_id": [1, 1, 2], "rank": [1, 2, 1], "item_id": [7, 8, 7], "model": ["popularity"] * 3}),
    "popular": pa.table({"item_id": [7]}),
    "similar": pa.table({"item_id": [7]}),
}


def _retain(store: Store) -> object:
    with held(store):
        return retain(store, RetentionSettings(exports=1, longest_read_hours=0))


COMMANDS: dict[str, Callable[[Store], object]] = {
    "rollback": lambda store: rollback(store, IDS[0]),
    "retention": _retain,
}


def published(store: Store) -> None:
    """Three exports, of which the last is the current one."""
    for export_id in IDS:
        folder = store.export(export_id)
        for name, table in TABLES.items():
            (folder / name).mkdir(parents=True)
            pq.write_table(table, folder / name / "part-00000.parquet")
        point_to(store, with_manifest(store, export_id, created_at=now_text(), rows=3, users=2))


def killed_everywhere(folder: Path, command: Callable[[Store], object]) -> int:
    """Kill a command at each of its changes, read, run it again, and compare; how many there are.

    Reading is done in a fork, too: it begins threads of pyarrow, and one that held a lock when a command was forked
    would leave it locked there for ever.
    """
    base, work = folder / "base", folder / "work"
    number = 0
    while True:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work, symlinks=True)
        by = SIGNALS[number % len(SIGNALS)]

        def run_into(number: int = number, by: signal.Signals = by) -> None:
            borders.watch(work, lambda at, what: os.kill(os.getpid(), by) if at == number else None)
            command(Store(work))

        code = exit_code(forked(run_into))
        assert exit_code(forked(lambda: read_whole(work) not in IDS)) == 0
        assert exit_code(forked(lambda: command(Store(work)) and None)) == 0
        there = {path.relative_to(work) for path in work.rglob("*") if ".lease-" not in path.name}
        if code == 0:
            return number
        if number == 0:
            expected = there
        assert there == expected, f"killed before change {number}: {there ^ expected}"
        number += 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        assert exit_code(forked(lambda: published(Store(Path(place) / "base")))) == 0
        for name, command in COMMANDS.items():
            print(f"{name}: killed {killed_everywhere(Path(place), command)} times")
