"""The figures of past nights, which outlive their folders: a small table a night, with its hash beside it.

A table that is damaged is made again from the night's own folder, where that is still there, and is left out and named
otherwise: it never fails a later night.
"""

import hashlib
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.store.events import log_event
from tasks.store.files import place_copy, replaced, sha256
from tasks.store.manifests import whole
from tasks.store.paths import Night, Store

COMPARISON = "comparison.parquet"  # of a night's evaluation
ROWS = pa.schema(
    [
        ("run_date", pa.date32()),
        ("model", pa.string()),
        ("metric", pa.string()),
        ("k", pa.int32()),
        ("slice", pa.string()),
        ("users", pa.int64()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
    ]
)
PANEL = "history.parquet"  # of a night's panel: its figures as rows of the history


def keep(night: Night) -> None:
    """Copy a night's comparison into the history, with the figures of its panel where there are any, and note its hash,
    as `sha256sum --check` reads it.
    """
    path, panel = night.store.history(night.run_date), night.store.panel(night.run_date)
    noted = _hash_file(path)
    noted.unlink(missing_ok=True)
    if not (panel / PANEL).exists() or whole(panel) is None:
        place_copy(night.evaluation / COMPARISON, path)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        compared = pq.read_table(night.evaluation / COMPARISON)
        with replaced(path) as temporary:
            pq.write_table(
                pa.concat_tables([compared, pq.read_table(panel / PANEL, schema=compared.schema)]), temporary
            )
    with replaced(noted) as temporary:
        temporary.write_text(f"{sha256(path)}  {path.name}\n", encoding="utf-8")


def figures_of(store: Store, run_date: date, columns: list[str]) -> pa.Table | None:
    """Columns of a night's comparison; None where the history has none, or it is damaged."""
    path = store.history(run_date)
    if not path.exists():
        return None
    if (found := _whole(path, columns)) is None and mend(store, run_date):
        found = _whole(path, columns)
    if found is None:
        log_event("history", "note", f"{path} is damaged, and left out: run the night {run_date} again to have it")
        return None
    return found


def is_damaged(path: Path) -> bool:
    """Whether a table of the history is not what was written. Those of earlier releases have no hash to tell by."""
    return _whole(path) is None


def _whole(path: Path, columns: list[str] | None = None) -> pa.Table | None:
    """Columns of a table of the history, all without a choice; None where it is not what was written."""
    try:
        noted = _hash_file(path).read_bytes().partition(b" ")[0].decode()
    except (OSError, UnicodeDecodeError):
        noted = ""
    try:
        content = path.read_bytes()
        if len(noted) == 64 and hashlib.sha256(content).hexdigest() != noted:
            return None
        # Past nights are read by the dozen: a file's own reader takes a third of the time of a data set's.
        return pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)
    except (OSError, pa.ArrowException):
        return None


def mend(store: Store, run_date: date) -> bool:
    """Make a table of the history again from the night's folder, if that has it whole."""
    night = store.night(run_date)
    if whole(night.evaluation) is None:
        return False
    keep(night)
    log_event("history", "note", f"{store.history(run_date)} was damaged, and is made again")
    return True


def _hash_file(path: Path) -> Path:
    return path.with_suffix(".sha256")
