"""Copies of an export that are made file by file, wherever the night's engine has room."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from recmodels.engine.current import engine
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Bucket, Engine, Function
from recmodels.errors import ConfigError
from tasks.store.events import current_stage, log_event
from tasks.store.files import TEMPORARY, Json, read_json

ANSWER = "answer.json"


def by_nodes(function: Function, buckets: Sequence[Bucket], exports: Path, *, reached: bool = True) -> list[Json]:
    """Have a function copy the files of some buckets: what it leaves as `ANSWER` in each part.

    Nodes need the address and the password in their own environment. Where they lack them, or do not reach the place,
    this machine copies all files.

    Args:
        function: copies a bucket's files; called twice for a bucket, as after a loss, it leaves the same.
        buckets: with different names.
        exports: the folder of the exports.
        reached: whether nodes may reach the place at all; a disk of this machine they do not.

    Raises:
        NightrecError: what the function raised.
        OSError: the place does not answer this machine either.
    """
    theirs = engine()
    if reached and theirs.machines().kind != "local":
        try:
            return _answers(theirs, function, buckets, exports)
        except (ConfigError, OSError) as error:
            why = str(error).rstrip(".") if isinstance(error, ConfigError) else "they do not reach the place"
            log_event(current_stage.get() or "copies", "note", f"the nodes copy nothing, this machine does: {why}")
    return _answers(LocalEngine(), function, buckets, exports)


def _answers(engine: Engine, function: Function, buckets: Sequence[Bucket], exports: Path) -> list[Json]:
    attempt = uuid.uuid4().hex  # what was copied before may be gone there: it counts for nothing
    with TemporaryDirectory(dir=exports, prefix=TEMPORARY) as folder:
        parts = engine.map(function, buckets, Path(folder), code=attempt)
        return [read_json(part / ANSWER) or {} for part in parts]
