"""Where the parts of a stage's work lie while the engine is at it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.store.files import read_json, write_json
from tasks.store.paths import Night

BEGAN = "began.json"
LASTS = timedelta(days=1)
"""After which work that was cut short is judged by another clock, and made anew where that makes a difference."""


@contextmanager
def engine_parts(night: Night, work: str, *, fresh: bool = False) -> Iterator[Path]:
    """A folder for the parts of some work, which goes when the block ends as it should.

    After an error, or where the process is killed, it stays, and what is in it is not made again by the next run of the
    night. Each `map` within the work has a folder of its own in it.

    Args:
        night: whose stage it is.
        work: its name, see `Night.parts`.
        fresh: make everything anew, also what a run that was cut short has left.
    """
    folder = night.parts(work)
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other stages may be at work beside this one
        night.all_parts.rmdir()


def began(folder: Path | None) -> datetime:
    """When the work of a folder of parts began: now, unless it goes on: the parts that are there were told that time.

    Args:
        folder: of `engine_parts`; None where there is none.
    """
    now = datetime.now(UTC)
    if folder is None:
        return now
    with suppress(KeyError, TypeError, ValueError):
        if timedelta() <= now - (then := datetime.fromisoformat((read_json(folder / BEGAN) or {})["at"])) < LASTS:
            return then
    write_json(folder / BEGAN, {"at": now.isoformat()})
    return now
