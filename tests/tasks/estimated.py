"""A night that took as much longer than expected as it is told: what the tests of estimates start from."""

from datetime import date
from pathlib import Path
from typing import Any

from recmodels.registry import create
from tasks.estimates.formulas import model_cost, stage_cost
from tasks.estimates.measured import counts_of
from tasks.estimates.speeds import fitted
from tasks.store.files import write_json
from tasks.store.manifests import write_manifest
from tasks.store.paths import Night, Store

COUNTS: dict[str, Any] = {"message": "", "events": 10**7, "rows": 5 * 10**6, "users": 10**5, "items": 10**4}
COUNTS |= {"opted_out": 0}
SPLIT = {"rows": 5 * 10**6, "positives": 5 * 10**6}
HOLDOUT: dict[str, Any] = {
    "protocol": "days", "days": 7, "start": "", "users": 5000, "drawn_from": 5000, "warm_users": 5000, "left_out": 0,
    "pairs": 9000, "items": 1, "share": 0.2,
}  # fmt: skip


def manifest(folder: Path, summary: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    folder.mkdir(parents=True)
    about = {"inputs": {}, "parameters": parameters or {}, "code": "", "fingerprint": "", "output": "", "files": []}
    write_manifest(folder, about | {"summary": summary})


def a_night(
    store: Store, day: int, slower: float, status: str = "published", warm: dict[str, Any] | None = None
) -> Night:
    """A night whose ingest and item_knn took so many times as long as is expected of them, on one core.

    `warm`: what the training of item_knn says of its start.
    """
    night = store.night(date(2026, 3, day))
    write_json(night.summary, {"memory_bytes": 2**33})
    manifest(night.prepared, COUNTS | {"train": SPLIT, "full": SPLIT, "holdout": HOLDOUT})
    counts, speeds = counts_of(night), fitted()
    assert counts is not None
    cost = model_cost(create("item_knn"), speeds, counts)
    took = {"fit_cpu_seconds": slower * (cost.fit + 1) - 1, "list_seconds": slower * (cost.lists + 1) - 1}
    recipe = {"recommender": "item_knn", "params": {}, "seed": 0}
    manifest(night.toplists("item_knn"), took | ({"warm": warm} if warm else {}), recipe)
    expected = stage_cost("ingest", speeds.stages["ingest"], counts).seconds(1)
    lines = [
        {"stage": "ingest", "event": "done", "seconds": slower * (expected + 1) - 1},
        {"stage": "validate", "event": "skipped", "seconds": 900.0},
    ]
    write_json(night.summary, {"status": status, "stages": lines, "memory_bytes": 2**33})
    return night
