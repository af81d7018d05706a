"""A small store that is written by hand: a few nights as they end, without their working files."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tasks.store.exports import write_export_manifest
from tasks.store.files import write_json
from tasks.store.paths import Store

FIRST = date(2026, 3, 1)
SPITE = "<script>alert(1)</script>\x1b[31m\u202e"


def figures(ndcg: float) -> dict[str, dict[str, float]]:
    return {
        "ndcg": {"value": ndcg, "low": ndcg - 0.01, "high": ndcg + 0.01},
        "coverage": {"value": 0.5},
        "gini": {"value": 0.75},
        "novelty": {"value": 6.0},
    }


def night(store: Store, number: int, model: str = "als", ndcg: float = 0.1, **more: Any) -> date:
    """Write the record of the n-th night, and its export where it was published."""
    day = FIRST + timedelta(days=number)
    record: dict[str, Any] = {
        "run_date": str(day), "status": "published", "reason": "the champion stays", "seconds": 61.0, "winner": model,
        "started_at": f"{day}T03:30:00+00:00", "k": 10, "interactions": 1000 + number, "quarantined": 10, "rows": 500,
        "users": 50, "models": {model: figures(ndcg), "popularity_7d": figures(0.05)}, "export_id": str(day),
        "gate": {"winner": model, "reason": "the champion stays", "verdict": "stays", "churn": {model: 0.25}},
    }  # fmt: skip
    record |= more
    write_json(store.night(day).summary, record)
    if record["status"] == "published":
        published(store, day, model)
    return day


def published(store: Store, day: date, model: str) -> None:
    """The export of a night, without lists."""
    store.export(str(day)).mkdir(parents=True)
    about: Mapping[str, Any] = {"export_id": str(day), "run_date": str(day), "champion": model, "files": []}
    write_export_manifest(store, dict(about))
    pointer = {
        "export_id": str(day), "run_date": str(day), "path": str(day), "manifest": f"manifests/{day}.json",
        "manifest_sha256": "0" * 64, "published_at": f"{day}T04:00:00+00:00",
    }  # fmt: skip
    write_json(store.pointer, pointer)


def report(store: Store, day: date, text: str = "What the report says") -> None:
    """A page about a night, as `tasks.report.page` leaves one."""
    path = store.report(day)
    path.parent.mkdir(exist_ok=True)
    page = (
        f"<!doctype html><html lang=en><head><style>p {{}}</style></head><body><main><h1>Night {day}</h1><p>{text}</p>"
    )
    path.write_text(f"{page}</main></body></html>")
    tables = [{"table": "interactions", "rows_in": 1000, "rows": 990, "refused": 10, "rejects": 0, "share": 0.01}]
    reasons = [{"table": "interactions", "reason": f"item_id is {SPITE}", "rows": 10}]
    data = {"tables": tables, "reasons": reasons, "notes": [], "newest": f"{day}T00:00:00+00:00"}
    write_json(path.with_suffix(".json"), {"data": data})


def a_store(root: Path) -> Store:
    """Nights of all kinds: two models, a dry run, a failed one, a day without any, and one that is damaged."""
    store = Store(root)
    for number in range(3):
        day = night(store, number, ndcg=0.1 + number / 100)
        if number:
            report(store, day)
    night(store, 3, "ease", 0.14)
    night(store, 4, status="compared", export_id=None)
    why = f"the data were refused: {SPITE}"
    report(store, night(store, 6, status="failed", reason=why, winner=None, export_id=None, gate=None))
    store.report(FIRST + timedelta(days=6)).unlink()
    damaged = store.night(FIRST + timedelta(days=7)).summary
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"run_date": ')
    return store
