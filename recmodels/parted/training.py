"""One training in parts: maps over buckets on the engine, and between them what the driver makes of the parts.

All steps follow from what the training is made from, so each has a name that tells whether it has been done: one that
was cut short goes on where it was.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.data.dataset import Dataset
from recmodels.data.layout import PREPARED
from recmodels.data.stored import PIECE, StoredDataset
from recmodels.engine import parts, sizes
from recmodels.engine.current import asked_for, engine
from recmodels.engine.sizes import MOST, ROWS, bucket_count
from recmodels.engine.work import ONE_CORE, Bucket, Function, Needs, Work
from recmodels.parted.arrays import write_arrays

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class PartedTraining:
    """The folder of a training, and what it is made from.

    Attributes:
        folder: of its parts, a folder a step.
        shared: of parts that other trainings on the same data use as well.
        key: a digest of all that its result follows from.
    """

    folder: Path
    shared: Path
    key: str

    def map(
        self,
        function: Function,
        buckets: Sequence[Bucket],
        step: str,
        *,
        needs: Needs = ONE_CORE,
        fetch: bool = True,
    ) -> list[Path]:
        """Have the engine work on the buckets of a step; returns the parts, in their order.

        That a step is done is remembered, so that what only it has read can be dropped, and its own parts when nobody
        reads them any more.
        """
        done = self.folder / f"{step}.done"
        if not done.exists():
            engine().map(function, buckets, self.folder / step, code=code(), needs=needs, fetch=fetch)
            done.touch()
        return [self.folder / step / bucket.name for bucket in buckets]

    def keep(self, step: str, make: Callable[[], Arrays]) -> Path:
        """A part that this process makes, for the buckets of further steps; it is made once.

        Args:
            step: its name, which no other step has.
            make: the arrays, see `recmodels.parted.arrays`.
        """
        return made(self.folder / step, f"{self.key} {step}", lambda out: write_arrays(out, make()))

    def drop(self, step: str) -> None:
        """Remove the parts of a step that have been made use of."""
        shutil.rmtree(self.folder / step, ignore_errors=True)


@contextmanager
def parted_training(
    folder: Path | None, name: str, data: Dataset, made_from: Mapping[str, Any]
) -> Iterator[PartedTraining | None]:
    """A training of that name in a folder that others share; its own parts go when the block ends as it should.

    Args:
        folder: of trainings on any data; None, and there is no such training: it is not in parts.
        name: of the model.
        data: that it is trained on.
        made_from: what else its result follows from, as JSON can say it.
    """
    if folder is None:
        yield None
        return
    about = digest_of(data)
    key = hashlib.sha256(json.dumps([name, about, code(), made_from], sort_keys=True).encode()).hexdigest()
    training = PartedTraining(folder / f"{name}-{key[:16]}", folder / f"data-{about[:16]}", key)
    training.folder.mkdir(parents=True, exist_ok=True)
    yield training
    shutil.rmtree(training.folder, ignore_errors=True)


def ranges(starts: NDArray[np.integer[Any]], rows: int, at_most: int = MOST) -> list[tuple[int, int]]:
    """The buckets of some work: ranges of users, items or rows, with about as much work each.

    Args:
        starts: the work that comes before each of n, and all of it: [n + 1].
        rows: of the data, from which alone the number of buckets follows.
        at_most: how many buckets.
    """
    return sizes.ranges(starts, min(bucket_count(rows, ROWS), at_most))


def held_rows(n_interactions: int) -> int:
    """How many rows a process holds that trains a model in parts, if an engine is asked for; else it holds all."""
    return min(n_interactions, PIECE) if asked_for() else n_interactions


def made(part: Path, made_from: str, write: Callable[[Path], None]) -> Path:
    """A part that this process writes, unless it is there."""
    fingerprint = hashlib.sha256(made_from.encode()).hexdigest()
    if not parts.done(part, fingerprint):
        part.parent.mkdir(parents=True, exist_ok=True)
        parts.make(lambda work: write(work.out), Work({}, {}, part, 0), fingerprint)
    return part


def digest_of(data: Dataset) -> str:
    """Of who interacted with what, when and how much, and of the ratings; of data on the disk by its files."""
    if isinstance(data, StoredDataset) and data.on_disk:
        left_out = b"" if data.excluded is None else data.excluded.tobytes()
        files = json.dumps([data.split, parts.digests(data.features / PREPARED)], sort_keys=True)
        return hashlib.sha256(files.encode() + left_out).hexdigest()
    digest = hashlib.sha256(f"{data.n_users} {data.n_items} {data.end}".encode())
    for column in (data.user_index, data.item_index, data.timestamp, data.weight, *(data.rated or ())):
        digest.update(column.data)
    return digest.hexdigest()


@cache
def code() -> str:
    """A digest of the models' code, as every machine that works on their parts has it."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
