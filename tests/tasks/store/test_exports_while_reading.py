"""A reader that never stops, while exports are published and publishers are killed."""

import hashlib
import importlib
import math
import multiprocessing
import os
import random
import signal
import time
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path

import numba
import pytest

from recmodels.published.reader import Export
from tasks.export.verification import verified
from tasks.publish.retention import retain
from tasks.publish.settings import RetentionSettings
from tasks.store.exports import whole_exports
from tasks.store.paths import Store
from tests.tasks.publishing import prepare_night, publish
from tests.tasks.site import RUN_DATE

PUBLISHED = 12
KILLED = 6
PAUSE = 0.04  # seconds between reads: some ten of each export


def publishers(root: Path, asked: Connection) -> None:
    """Import what publishing takes, if the server of forks has not, then fork a publisher when asked.

    For each number received the id of a publisher is sent, and when it has ended its exit code. Nothing is published
    here: threads of pyarrow that had begun could hold a lock at the fork, which nobody frees in the publisher.
    """
    importlib.import_module("recmodels.scoring.kernels")
    importlib.import_module("safetensors.numpy")
    numba.njit(lambda: 0)()  # the first kernel that is loaded or compiled imports half of Numba and SciPy
    for most in iter(asked.recv, None):
        publisher = os.fork()
        if not publisher:
            try:
                keep_publishing(root, most)
                os._exit(0)
            finally:
                os._exit(1)
        asked.send(publisher)
        asked.send(os.waitstatus_to_exitcode(os.waitpid(publisher, 0)[1]))


def keep_publishing(root: Path, most: float) -> None:
    """Publish a night again and again, until there are so many exports."""
    store = Store(root)
    for k in cycle((2, 3)):
        if len(whole_exports(store)) >= most:
            break
        publish(store.night(RUN_DATE), k=k, fresh=True)
        retain(store, RetentionSettings(exports=4))  # which leaves what somebody may still read


def read_all(store: Path) -> str:
    """Read the latest export to its last byte, and look that it is what its manifest says."""
    export = Export.latest(store)
    for file in export.manifest["files"]:
        assert hashlib.sha256((export.folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    for name in ("topk", "similar", "popular"):
        rows = sum(file["rows"] for file in export.manifest["files"] if file["path"].startswith(f"{name}/"))
        assert export.table(name).num_rows == rows > 0
    return str(export.manifest["export_id"])


@pytest.mark.slow
def test_every_read_is_complete_while_exports_are_published_and_publishers_killed(tmp_path: Path) -> None:
    night = prepare_night(tmp_path / "store")
    publish(night)
    root, chance, read = night.store.root, random.Random(0), []
    start = multiprocessing.get_context("forkserver")  # where the tests have one, it has imported everything
    here, there = start.Pipe()
    forking = start.Process(target=publishers, args=(root, there), daemon=True)
    forking.start()
    there.close()
    for killed in [*[True] * KILLED, False]:
        before = len(whole_exports(night.store))
        here.send(math.inf if killed else max(before, PUBLISHED) + 1)
        publisher = here.recv()
        began = time.perf_counter()
        one = two = 0.0  # when the first of its exports was there, and when it dies: while it makes one of the next
        try:
            while not here.poll(PAUSE) and not (killed and one and time.perf_counter() > two):
                read.append(read_all(root))
                if not one and len(whole_exports(night.store)) > before:
                    one = time.perf_counter()
                    two = one + chance.uniform(0, one - began)
        finally:
            if not here.poll():
                os.kill(publisher, signal.SIGKILL)
        assert here.recv() == (-signal.SIGKILL if killed else 0)
        assert "keep the contract" in verified(root, None).sentence
    here.send(None)
    forking.join()
    assert read_all(root) == whole_exports(night.store)[-1]
    assert len(set(read)) > PUBLISHED / 2 and read == sorted(read, key=number)


def number(export_id: str) -> int:
    return int(export_id.partition(".")[2] or 1)
