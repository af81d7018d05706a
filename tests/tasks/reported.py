"""A night's comparison, export and record: what the tests of the report start from."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.compare.stage import COMPARISON
from tasks.store.files import Json, write_json
from tasks.store.paths import Night, Store
from tests.tasks.exported import with_manifest

EVIL = "<script>alert(1)</script>"


BEFORE = date(2026, 3, 30)


def compared(night: Night, beaten_by: list[str]) -> None:
    """Two models and a slice of each kind, as the stage leaves them."""
    rows: list[Json] = []
    for model, ndcg, coverage in (("ease", 0.25, 0.5), ("popularity_7d", 0.1, 0.75)):
        figure = {"run_date": night.run_date, "model": model, "k": 10, "users": 40}
        rows += [
            figure | {"metric": "ndcg", "slice": "all", "value": ndcg, "low": ndcg - 0.05, "high": ndcg + 0.05},
            figure | {"metric": "coverage", "slice": "all", "value": coverage, "low": None, "high": None},
            figure | {"metric": "ndcg", "slice": "history:1-4", "value": ndcg, "low": 0.0, "high": 0.5},
            figure | {"metric": "recall", "slice": f"category:{EVIL}$", "value": ndcg, "low": 0.0, "high": 0.5},
        ]
    night.evaluation.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=COMPARISON), night.evaluation / "comparison.parquet")
    history = night.store.history(night.run_date)
    history.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=COMPARISON), history)
    baseline = {"name": "popularity_7d", "value": 0.1, "beaten_by": beaten_by}
    decision: Json = {"winner": "ease", "reason": "the highest NDCG@10 of 2 models", "verdict": "first"}
    decision |= {"refused": None, "champion": None, "challengers": [], "baseline": baseline, "failed": {"als": EVIL}}
    write_json(night.evaluation / "decision.json", decision)


def export(night: Night, lists: dict[str, list[str]]) -> None:
    """An export with two places a user, each because of the item `x`."""
    rows = [
        {"user_id": user, "rank": place, "item_id": item, "model": "ease", "source": "personal", "reason_item_id": "x"}
        for user, items in lists.items()
        for place, item in enumerate(items, 1)
    ]
    folder = night.store.export(str(night.run_date)) / "topk"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "part-00000.parquet")
    with_manifest(night.store, str(night.run_date), champion="ease", k=2)


def published(night: Night, beaten_by: list[str]) -> None:
    compared(night, beaten_by)
    night.prepared.mkdir(parents=True)
    titles = pa.table({"item_id": ["a", "b", "c", "x"], "title": [EVIL, "Béla & Co", None, "X"]})
    pq.write_table(titles, night.prepared / "items.parquet")
    night.valid.mkdir()
    users = pa.table({"user_id": ["ann", "bob", "gone"], "opted_out": [False, None, True]})
    pq.write_table(users, night.valid / "users.parquet")
    export(Store(night.store.root).night(BEFORE), {"ann": ["b", "c"], "bob": ["b", "c"], "gone": ["a", "b"]})
    export(night, {"ann": ["b", "a"], "bob": ["b", "c"], "gone": ["a", "b"]})
    write_json(night.summary, {"status": "published", "winner": "ease", "reason": "best", "export_id": "2026-03-31"})
