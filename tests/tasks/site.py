"""A small site's valid tables, written as the stages before would write them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86_400_000_000  # µs
CUTOFF = datetime(2026, 3, 31, tzinfo=UTC)
END = int(CUTOFF.timestamp()) * 1_000_000
RUN_DATE = date(2026, 3, 31)


def events(rows: list[tuple[Any, ...]], **more: list[Any]) -> pa.Table:
    """Interactions from (user, item, days before the cutoff)."""
    users, items, days = ([row[column] for row in rows] for column in range(3))
    times = pa.array([END - round(day * DAY) for day in days], pa.timestamp("us", "UTC"))
    return pa.table({"user_id": users, "item_id": items, "timestamp": times, **more})


def write_valid_tables(folder: Path, **tables: pa.Table) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder
