"""Where trainings leave what others go on with: parts, on nights that give their work to an engine, and else arrays."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from recmodels.data.layout import Split
from recmodels.engine.choice import EngineChoice
from tasks.store.engine_parts import engine_parts
from tasks.store.paths import Night

TRAININGS = "train"
"""Of all trainings of a night, which share the parts of the data that they are on."""

SHARED = "shared"
"""Of the trainings on one machine, see `recmodels.parted.shared`."""

SHARED_FROM = 2**20
"""Rows from which on it is worth while."""


@contextmanager
def parts_of_trainings(night: Night, engine: EngineChoice | None, fresh: bool = False) -> Iterator[None]:
    """Keep them for the block; where it ends by an error they stay, for a night that goes on."""
    with engine_parts(night, TRAININGS, fresh=fresh) if engine else nullcontext():
        yield


@contextmanager
def shared_by_trainings(night: Night, wanted: bool) -> Iterator[None]:
    """A folder for the block, in which trainings of this machine leave what they read, as arrays, for the others."""
    if not wanted:
        yield
        return
    with engine_parts(night, SHARED, fresh=True) as folder:
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def shared_folder(night: Night, split: Split, rows: int) -> Path | None:
    """That folder for a training on so many rows; None where nothing is shared (one model is fitted on all data)."""
    folder = night.parts(SHARED)
    return folder if split == "train" and rows >= SHARED_FROM and folder.is_dir() else None
