"""The engine that every machine has: its own cores."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

from recmodels.compute.cores import sharing, threads
from recmodels.compute.memory import total
from recmodels.engine import parts
from recmodels.engine.too_large import is_memory, out_of_memory
from recmodels.engine.watching import Progress, watcher
from recmodels.engine.work import ONE_CORE, Bucket, Function, Machines, Needs, Work


class LocalEngine:
    """Works on buckets in threads of this process, as many at a time as have room, each with its share of the cores.

    Args:
        cores: to work with, if not with all that this process may use.
    """

    def __init__(self, cores: int | None = None) -> None:
        self.limit = cores

    def machines(self) -> Machines:
        return Machines("local", nodes=1, cores=self.cores)

    @property
    def cores(self) -> int:
        return min(threads(), self.limit or threads())

    def map(
        self,
        function: Function,
        buckets: Sequence[Bucket],
        to: Path,
        *,
        code: str,
        needs: Needs = ONE_CORE,
        fetch: bool = True,
    ) -> list[Path]:
        to.mkdir(parents=True, exist_ok=True)
        room = total() // needs.memory if needs.memory else self.cores
        at_a_time = max(1, min(int(self.cores / needs.cores), room, len(buckets)))
        share, memory = max(1, self.cores // at_a_time), needs.memory or total() // at_a_time

        name, tell = parts.name_of(function), watcher()
        failed = Event()  # nobody begins another bucket then
        alone: list[Bucket] = []  # that had too little memory beside others
        found: list[Bucket] = []  # that had their part

        def make(bucket: Bucket, cores: int, memory: int) -> None:
            out, made_from = to / bucket.name, parts.fingerprint(function, bucket, code, parts.digest)
            if parts.done(out, made_from):
                found.append(bucket)
            else:
                with sharing(cores):
                    parts.make(function, Work(bucket.inputs, bucket.arguments, out, memory), made_from)

        def attempt(bucket: Bucket) -> bool:
            if failed.is_set():
                return False
            try:
                make(bucket, share, memory)
            except BaseException as error:
                if isinstance(error, Exception) and is_memory(error):
                    alone.append(bucket)
                    return False
                failed.set()
                raise
            return True

        done = 0
        tell.progressed(Progress(name, done, len(buckets), len(found)))
        pool = ThreadPoolExecutor(at_a_time, thread_name_prefix="bucket")
        try:
            for ended in as_completed([pool.submit(attempt, bucket) for bucket in buckets]):
                if ended.result():
                    done += 1
                    tell.progressed(Progress(name, done, len(buckets), len(found)))
        finally:
            failed.set()  # the caller may have been interrupted
            pool.shutdown(cancel_futures=True)
        for bucket in alone:
            try:
                make(bucket, self.cores, memory // 2)
            except Exception as error:
                if is_memory(error):
                    raise out_of_memory(name, bucket.name, memory // 2) from None
                raise
            done += 1
            tell.progressed(Progress(name, done, len(buckets), len(found)))
        return [to / bucket.name for bucket in buckets]
