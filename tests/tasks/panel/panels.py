"""Nights by hand, with what the panel reads of them: prepared tables, and an export that is published at five."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data.arrays import Ints
from tasks.features.settings import FeatureSettings
from tasks.panel.kept import PanelSummary
from tasks.panel.settings import PanelSettings
from tasks.panel.stage import panel
from tasks.store.files import Json, append_line, write_json
from tasks.store.manifests import Manifest
from tasks.store.paths import Night, Store

ITEMS = pa.table(
    {
        "item_id": ["a", "b", "c", "d"],
        "genre": ["x", "x", "y", "y"],
        "brand": ["Acme", "Acme", "Bolt", None],
        "available": [True, True, True, False],
    }
)
ROLES = FeatureSettings(roles={"genre": "category", "brand": "ignore"})


def cutoff(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def prepared(night: Night, log: list[tuple[int, int, float]], user_ids: list[Any], items: pa.Table = ITEMS) -> None:
    """The prepared tables from (user index, item index, days before the cutoff)."""
    (night.prepared / "full").mkdir(parents=True)
    numbers = pa.array(range(len(user_ids)), pa.int32())
    pq.write_table(pa.table({"user_index": numbers, "user_id": user_ids}), night.prepared / "users.parquet")
    pq.write_table(items, night.prepared / "items.parquet")
    users, chosen, days = zip(*log, strict=True)
    now = cutoff(night.run_date)
    table = {
        "user_index": pa.array(users, pa.int32()),
        "item_index": pa.array(chosen, pa.int32()),
        "timestamp": pa.array([now - timedelta(days=day) for day in days], pa.timestamp("us", "UTC")),
        "weight": pa.array([1.0] * len(log), pa.float32()),
    }
    pq.write_table(pa.table(table), night.prepared / "full" / "interactions.parquet")


def published(store: Store, day: date, lists: Ints, user_ids: list[Any], item_ids: list[str], **about: Any) -> Json:
    """Publish lists [n_users, k] of item indices, -1 in empty places, at five in the morning of a day."""
    user, place = np.nonzero(lists >= 0)
    topk = store.export(str(day)) / "topk"
    topk.mkdir(parents=True, exist_ok=True)
    table = {
        "user_id": pa.array(user_ids).take(pa.array(user)),
        "rank": (place + 1).astype(np.int16),
        "item_id": pa.array(item_ids).take(pa.array(lists[user, place])),
    }
    pq.write_table(pa.table(table), topk / "part-00000.parquet")
    manifest: Json = {"export_id": str(day), "run_date": str(day), "champion": "ease", "k": lists.shape[1], "files": []}
    manifest |= {"cutoff": cutoff(day).isoformat(), **about}
    write_json(store.export_manifest(str(day)), manifest)
    at = (cutoff(day) + timedelta(hours=5)).isoformat()
    append_line(store.root / "published.jsonl", {"at": at, "export_id": str(day), "instead_of": None, "by": "night"})
    return manifest


def measured(night: Night, export: Json, exposures: Any = None, **settings: Any) -> Manifest[PanelSummary]:
    """The panel of a night; `exposures` is the manifest of those that were logged."""
    return panel.fn(
        night,
        PanelSettings(**settings),
        ROLES,
        cutoff(night.run_date),
        {"output": "p"},
        exposures,
        export,  # type: ignore[typeddict-item]
    )
