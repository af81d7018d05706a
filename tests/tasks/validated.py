"""What the tests of validation share: the folders of a night filled with raw tables, and good rows to be changed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.settings import ValidationSettings
from recmodels.errors import DataRefused
from tasks.validate.stage import write_valid

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)

CUTOFF = datetime(2026, 11, 25, tzinfo=UTC)

YESTERDAY = CUTOFF - timedelta(days=1)

STAMP = pa.timestamp("us", tz="UTC")

LENIENT = ValidationSettings(max_quarantined_share=1, min_users=1, min_items=1)


@dataclass
class Night:
    """The folders of a stage, filled with raw tables."""

    root: Path

    def __post_init__(self) -> None:
        for name in ("raw", "valid", "quarantine"):
            (self.root / name).mkdir(exist_ok=True)

    def raw(self, name: str, columns: dict[str, Any]) -> None:
        rows = len(next(iter(columns.values())))
        table = pa.table(columns)
        if name != "rejects":
            table = table.append_column("source_file", pa.array([f"{name}.csv"] * rows, pa.string()))
            table = table.append_column("source_row", pa.array(range(2, rows + 2), pa.int64()))
        pq.write_table(table, self.root / "raw" / f"{name}.parquet")

    def validate(self, rules: ValidationSettings = LENIENT, recent: list[int] | None = None, **more: Any) -> Any:
        raw, valid, quarantine = (self.root / name for name in ("raw", "valid", "quarantine"))
        return write_valid(raw, rules, CUTOFF, NOW, recent or [], valid, quarantine, **more)

    def refusal(self, rules: ValidationSettings = LENIENT, recent: list[int] | None = None, **more: Any) -> str:
        with pytest.raises(DataRefused) as refused:
            self.validate(rules, recent, **more)
        return str(refused.value)

    def read(self, path: str) -> pa.Table:
        return pq.read_table(self.root / f"{path}.parquet")

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    def pages(self) -> str:
        return "".join(path.read_text() for path in sorted(self.docs.glob("*.html")))


def interactions(**changed: list[Any]) -> dict[str, Any]:
    """Eight good interactions, with columns replaced from the first row on."""
    columns: dict[str, Any] = {
        "user_id": [1, 2, 3, 4, 1, 2, 3, 4],
        "item_id": [10, 20, 30, 40, 20, 30, 40, 10],
        "timestamp": [YESTERDAY - timedelta(hours=hour) for hour in range(8)],
        "rating": [3.0] * 8,
        "event": ["view"] * 8,
        "timestamp_text": [None] * 8,
        "rating_text": [None] * 8,
    }
    types = {"timestamp": STAMP, "rating": pa.float64()}
    filled = {name: changed[name] + values[len(changed[name]) :] for name, values in columns.items() if name in changed}
    return {
        name: pa.array(values, types.get(name, pa.string() if isinstance(values[-1], str | None) else pa.int64()))
        for name, values in {**columns, **filled}.items()
    }


CATALOGUE = {"item_id": pa.array([10, 20, 30, 40])}

KNOWN = LENIENT.model_copy(update={"require_known_items": True})

RATED = LENIENT.model_copy(update={"rating_min": 0.5, "rating_max": 5.0})
