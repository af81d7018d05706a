"""A site of 30 users and 12 items over 60 days, and replays of it: what the tests of replays start from."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from expectations.settings import ValidationSettings
from tasks.compare.settings import GateSettings
from tasks.export.settings import ExportSettings
from tasks.features.settings import FeatureSettings
from tasks.prepare.settings import PrepareSettings
from tasks.replay.settings import ReplaySpec
from tasks.store.manifests import Manifest, run_stage
from tasks.store.paths import Night, Store
from tasks.train.settings import Candidate, EvaluationSettings

FIRST, DAYS = date(2026, 1, 1), 60
START = datetime(2026, 1, 1, tzinfo=UTC)
Event = tuple[int, str, float]


def log() -> list[Event]:
    """User, item and the day of it: each user comes every fifth day or so, and item 11 is new on day 40."""
    events = []
    for user in range(30):
        for n in range(8):
            item = (user * 5 + n * 7) % 11
            events.append((user, f"i{item}", (user * 3 + n * 7) % DAYS + user / 100))
        events.append((user, "i11", 40 + user / 2))
    return events


def valid_tables(night: Night, events: list[Event], *, until: datetime | None = None) -> Manifest:
    """The valid tables of events before an instant, as validation leaves them."""
    seen = [one for one in events if until is None or START + timedelta(days=one[2]) < until]

    def build(out: Path) -> dict[str, Any]:
        times = [START + timedelta(days=day) for _, _, day in seen]
        columns = {
            "user_id": [user for user, _, _ in seen],
            "item_id": [item for _, item, _ in seen],
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
            "source_row": list(range(len(seen))),
        }
        pq.write_table(pa.table(columns), out / "interactions.parquet")
        names = [f"i{n}" for n in range(12)]
        items = {"item_id": names, "title": [f"Title {n % 3} {n}" for n in range(12)], "genre": ["x", "y"] * 6}
        items["available_from"] = pa.array([START + timedelta(days=45 * (n == 5)) for n in range(12)])
        pq.write_table(pa.table(items), out / "items.parquet")
        return {"rows": len(seen)}

    return run_stage(night.valid, build, code="", inputs={}, parameters={"until": str(until), "n": len(events)})


def spec_of(root: Path, **given: Any) -> ReplaySpec:
    asked: dict[str, Any] = {
        "name": "test",
        "root": Store(root).replay("test").root,
        "first": date(2026, 1, 31),
        "last": date(2026, 2, 20),
        "every": 10,
        "horizon": 10,
        "timezone": "UTC",
        "validation": ValidationSettings(),
        "prepare": PrepareSettings(),
        "features": FeatureSettings(),
        "evaluation": EvaluationSettings(k=3),
        "export": ExportSettings(k=3),
        "gate": GateSettings(),
        "candidates": {"popularity": Candidate(), "item_knn": Candidate()},
        "seed": 0,
        "followed": 1000,
        "parallel": 2,
    }
    return ReplaySpec(**asked | given)
