"""A small site that has published twice, and what it has shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.published.pseudonyms import check_of, hashed
from tasks.store.files import append_line, write_json
from tasks.store.paths import Night, Store
from tests.tasks.site import CUTOFF, RUN_DATE, events

STAMP = pa.timestamp("us", "UTC")
FIRST, SECOND = "2026-03-29", "2026-03-30"
LISTS = {  # user -> items of the first export; the second one has them the other way round
    1: ["a", "b", "c"],
    2: ["b", "c", "a"],
}


def site(root: Path) -> Night:
    """A night with three users, of whom 3 has opted out, and with two exports: an old one, and one with all columns."""
    night = Store(root).night(RUN_DATE)
    for folder in (night.prepared, night.valid):
        folder.mkdir(parents=True)
    pq.write_table(
        pa.table({"user_index": pa.array([0, 1], pa.int32()), "user_id": [1, 2]}), night.prepared / "users.parquet"
    )
    items = {"item_index": pa.array([0, 1, 2], pa.int32()), "item_id": ["a", "b", "c"]}
    pq.write_table(pa.table(items), night.prepared / "items.parquet")
    pq.write_table(events([]), night.valid / "interactions.parquet")
    publish(night.store, FIRST, LISTS)
    more = {"arm": "test", "policy": "explore", "propensity": 0.25}
    publish(night.store, SECOND, {user: items[::-1] for user, items in LISTS.items()}, more)
    return night


def publish(
    store: Store, export_id: str, lists: dict[int, list[str]], more: dict[str, Any] | None = None, key: str = ""
) -> None:
    """An export by hand, published at five in the morning."""
    rows = [
        {
            "user_id": hashed(user, key.encode()) if key else user,
            "rank": rank,
            "item_id": item,
            "model": "ease",
            **(more or {}),
        }
        for user, items in lists.items()
        for rank, item in enumerate(items, 1)
    ]
    topk = store.export(export_id) / "topk"
    topk.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    table = table.set_column(1, "rank", table["rank"].cast(pa.int16()))
    pq.write_table(table, topk / "part-00000.parquet")
    day = datetime.fromisoformat(export_id).replace(tzinfo=UTC)
    about = {"export_id": export_id, "run_date": export_id, "champion": "ease", "files": [], "cutoff": day.isoformat()}
    about |= {"hash_key_env": "SITE_KEY", "hash_key_check": check_of(key.encode())} if key else {}
    write_json(store.export_manifest(export_id), about)
    at = (day + timedelta(hours=5)).isoformat()
    append_line(store.root / "published.jsonl", {"at": at, "export_id": export_id, "instead_of": None, "by": "night"})


def show(night: Night, *rows: tuple[Any, ...], **more: list[Any]) -> None:
    """Exposures from (user, item, rank, export or None, hours before the cutoff)."""
    users, items, ranks, exports, hours = zip(*rows, strict=True)
    times = pa.array([CUTOFF - timedelta(hours=hour) for hour in hours], STAMP)
    columns = {"user_id": list(users), "item_id": list(items), "rank": pa.array(ranks, pa.int32()), "timestamp": times}
    if any(exports):
        columns["export_id"] = pa.array(exports, pa.string())
    pq.write_table(pa.table({**columns, **more}), night.valid / "exposures.parquet")
