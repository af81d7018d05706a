"""Nights replayed side by side, each by a process that lasts; a night whose process dies is one that failed."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import IO

from recmodels.plugins import FOLDER_VARIABLE, folder
from recmodels.supervised import threads_of
from tasks.replay.settings import ReplaySpec
from tasks.store.files import Json
from tasks.store.machine import core_count
from tasks.train.process import ROOT, last_line

LOOK = 1.0  # seconds between two looks whether a night takes too long


def outcomes(spec: ReplaySpec, spec_file: Path, dates: Sequence[date]) -> Iterator[Json]:
    """What becomes of each night, as it ends; see `replay_night`, and `status` may be failed, too."""
    workers = min(spec.parallel, len(dates))
    free: SimpleQueue[Worker] = SimpleQueue()
    made = [Worker(spec, spec_file, number) for number in range(workers)]
    for worker in made:
        free.put(worker)

    def replay(run_date: date) -> Json:
        worker = free.get()
        try:
            return worker.replay(run_date)
        finally:
            free.put(worker)

    threads = ThreadPoolExecutor(max(1, workers))
    try:
        going: list[Future[Json]] = [threads.submit(replay, run_date) for run_date in dates]
        for done in as_completed(going):
            yield done.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for worker in made:
            worker.end()


class Worker:
    """A process that replays nights, started when it is first needed, and again after it has died."""

    def __init__(self, spec: ReplaySpec, spec_file: Path, number: int) -> None:
        self.spec_file, self.log = spec_file, spec.root / "logs" / f"worker-{number}.log"
        self.threads = max(1, core_count() // spec.parallel)
        # Each candidate is trained twice, and the night has other things to do as well.
        self.limit = sum(one.timeout_minutes for one in spec.candidates.values()) * 60 * 2 + 3600
        self.process: subprocess.Popen[bytes] | None = None
        self.over = False

    def replay(self, run_date: date) -> Json:
        """Have a night replayed, and wait for what becomes of it."""
        about: Json = {"run_date": str(run_date), "status": "failed"}
        if self.over:
            return about | {"reason": "the replay was stopped"}
        process = self.process = self.process or self.start()
        assert process.stdin and process.stdout
        with suppress(BrokenPipeError):
            process.stdin.write(f"{run_date}\n".encode())
            process.stdin.flush()
        line = self.line(process.stdout)
        if line.endswith(b"\n"):
            found: Json = json.loads(line)
            return found
        slow = process.poll() is None
        process.kill()
        process.wait()
        self.process = None
        if slow:
            return about | {"reason": f"it took longer than all its models may ({self.limit / 3600:g} hours)"}
        code = process.returncode
        how = f"was killed by signal {-code}, perhaps as memory ran out"
        if code >= 0:  # its log goes with the replay
            how = f"ended with code {code}: {last_line(self.log) or 'it left no message'}"
        return about | {"reason": f"its process {how}"}

    def line(self, stdout: IO[bytes]) -> bytes:
        """A line of the process, or less where it died or takes too long."""
        deadline, found = monotonic() + self.limit, b""
        while not found.endswith(b"\n") and monotonic() < deadline:
            if select.select([stdout], [], [], LOOK)[0]:
                part = os.read(stdout.fileno(), 65536)
                if not part:
                    break
                found += part
        if not found.endswith(b"\n"):
            with suppress(subprocess.TimeoutExpired):
                assert self.process
                self.process.wait(LOOK)
        return found

    def start(self) -> "subprocess.Popen[bytes]":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tasks.replay.worker", str(self.spec_file)]
        environment = os.environ | threads_of(self.threads) | {FOLDER_VARIABLE: folder()}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=environment
            )

    def end(self) -> None:
        """See that the process does not go on."""
        self.over = True
        if self.process is not None:
            self.process.kill()
            self.process.wait()
