"""The engine that every machine has: its own cores."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

from recmodels.compute.cores import sharing, threads
from recmodels.compute.memory import total
from recmodels.engine import parts
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

        failed = Event()  # nobody begins another bucket then

        def make(bucket: Bucket) -> None:
            if failed.is_set():
                return
            try:
                out, made_from = to / bucket.name, parts.fingerprint(function, bucket, code, parts.digest)
                if not parts.done(out, made_from):
                    with sharing(share):
                        parts.make(function, Work(bucket.inputs, bucket.arguments, out, memory), made_from)
            except BaseException:
                failed.set()
                raise

        tell, name = watcher(), parts.name_of(function)
        tell.progressed(Progress(name, 0, len(buckets)))
        pool = ThreadPoolExecutor(at_a_time, thread_name_prefix="bucket")
        try:
            for done, finished in enumerate(as_completed([pool.submit(make, bucket) for bucket in buckets]), 1):
                finished.result()
                tell.progressed(Progress(name, done, len(buckets)))
        finally:
            failed.set()  # the caller may have been interrupted
            pool.shutdown(cancel_futures=True)
        return [to / bucket.name for bucket in buckets]
