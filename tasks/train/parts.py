"""Where the parts of trainings lie, on nights that give their work to an engine."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from recmodels.engine.choice import EngineChoice
from tasks.store.engine_parts import engine_parts
from tasks.store.paths import Night

TRAININGS = "train"
"""Of all trainings of a night, which share the parts of the data that they are on."""


@contextmanager
def parts_of_trainings(night: Night, engine: EngineChoice | None, fresh: bool = False) -> Iterator[None]:
    """Keep them for the block; where it ends by an error they stay, for a night that goes on."""
    with engine_parts(night, TRAININGS, fresh=fresh) if engine else nullcontext():
        yield
