"""What the ingest tests share: writing an input, and reading what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.ingest.raw_tables import write_raw
from tasks.ingest.reading.inputs import Inputs, TableInput

CUTOFF = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 1, 2, tzinfo=UTC)
ROWS = [("1", "10", "2023-01-01T00:00:00Z", "4.5"), ("2", "20", "2023-01-02T00:00:00Z", "3")]
HEADER = "user_id,item_id,timestamp\n"
CSV = "user_id,item_id,timestamp,rating\n" + "".join(",".join(row) + "\n" for row in ROWS)


def write(path: Path, contents: bytes | str) -> TableInput:
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return TableInput(path=str(path))


def some_log(folder: Path) -> TableInput:
    """Interactions beside a table that is tested: the rows of `CSV` with types, which are read in less time."""
    users, items, times, ratings = zip(*ROWS, strict=True)
    instants = pa.array(map(datetime.fromisoformat, times), pa.timestamp("us", tz="UTC"))
    ids = {"user_id": pa.array(map(int, users)), "item_id": pa.array(map(int, items))}
    path = folder / "log.parquet"
    pq.write_table(pa.table(ids | {"timestamp": instants, "rating": pa.array(map(float, ratings))}), path)
    return TableInput(path=str(path))


def ingest(
    folder: Path, inputs: Inputs | TableInput, cutoff: datetime = CUTOFF, now: datetime = NOW
) -> tuple[dict[str, Any], Path]:
    """The summary, and the folder of raw tables."""
    out = folder / f"raw-{sum(1 for _ in folder.glob('raw-*'))}"
    out.mkdir()
    inputs = inputs if isinstance(inputs, Inputs) else Inputs(interactions=inputs)
    return write_raw(inputs, cutoff, now, out, threads=2), out


def read(folder: Path, table: str = "interactions") -> pa.Table:
    return pq.read_table(folder / f"{table}.parquet")


def column(folder: Path, name: str, table: str = "interactions") -> list[Any]:
    values: list[Any] = read(folder, table)[name].to_pylist()
    return values


def log_of(folder: Path, timestamps: list[str], **settings: str) -> TableInput:
    """A log of one user with these timestamps, as CSV."""
    rows = "".join(f"1,2,{text}\n" for text in timestamps)
    return write(folder / "log.csv", HEADER + rows).model_copy(update=settings)


def instants_of(folder: Path, table: TableInput) -> list[datetime | None]:
    """The timestamps of a log as they are read."""
    return column(ingest(folder, table)[1], "timestamp")
