"""What is learned from the lists of past nights, a folder a night: their working files are gone before it is enough.

The files have users by their own ids. Whoever writes one replaces the night's earlier one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.store.events import log_event
from tasks.store.files import replaced
from tasks.store.paths import Store

EXPLORE = "explore"
"""The policy of rows that were drawn by exploration."""
PROPOSALS = "proposals.parquet"
"""What each candidate would have put into the place that exploration draws."""
EXPORT_ID, EPSILON = b"export_id", b"epsilon"
"""Schema metadata of the proposals: the export that they belong to, and the probability with which a place is drawn."""
SHOWN = "shown.parquet"
"""What was shown, as published, and what came of it."""
WAITING = "waiting.parquet"
"""What was shown too late for the night to know what came of it: the next one does."""
USED = "used.parquet"
"""What users did of what their lists had, where there are arms to compare."""
LEARNED = (PROPOSALS, SHOWN, WAITING, USED)


@contextmanager
def learned(store: Store, run_date: date, name: str) -> Iterator[Path]:
    """A place for a night's file that takes that of its earlier one when the block ends well."""
    folder = store.feedback(run_date)
    folder.mkdir(parents=True, exist_ok=True)
    with replaced(folder / name) as temporary:
        yield temporary


def learned_before(store: Store, run_date: date, name: str, days: int) -> dict[date, Path]:
    """A file of the nights in the days before one, oldest first; those that are damaged are named and left out."""
    first = run_date - timedelta(days=days)
    near = {day: folder / name for day, folder in store.feedbacks().items() if first <= day < run_date}
    found = {day: path for day, path in near.items() if path.exists()}
    for path in (damaged := [path for path in found.values() if is_damaged(path)]):
        log_event("feedback", "note", f"{path} is damaged, and left out: `nightrec doctor --fix` removes it")
    return {day: path for day, path in found.items() if path not in damaged}


def is_damaged(path: Path) -> bool:
    """Whether a file is no Parquet to its end."""
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return True
    return False
