"""The engine that every machine has: its own cores."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from recmodels.compute.jit import threads
from recmodels.compute.memory import total
from recmodels.engine import parts
from recmodels.engine.work import ONE_CORE, Bucket, Function, Needs, Work


class LocalEngine:
    """Works on buckets in threads of this process, as many at a time as have room."""

    @property
    def cores(self) -> int:
        return threads()

    def map(
        self, function: Function, buckets: Sequence[Bucket], to: Path, *, code: str, needs: Needs = ONE_CORE
    ) -> list[Path]:
        to.mkdir(parents=True, exist_ok=True)
        room = total() // needs.memory if needs.memory else self.cores
        at_a_time = max(1, min(int(self.cores / needs.cores), room))

        def make(bucket: Bucket) -> Path:
            out, made_from = to / bucket.name, parts.fingerprint(function, bucket, code, parts.digest)
            if not parts.done(out, made_from):
                work = Work(bucket.inputs, bucket.arguments, out, needs.memory or total() // at_a_time)
                parts.make(function, work, made_from)
            return out

        with ThreadPoolExecutor(at_a_time) as pool:
            return list(pool.map(make, buckets))
