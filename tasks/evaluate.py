"""Stage 5, evaluate: a candidate's lists against what the users did in the holdout."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recmodels import dataset as layout
from recmodels import diversity, metrics
from recmodels.candidate import LISTS, PLAIN
from tasks.orders import EvaluationRules, Order
from tasks.stage import stage_task, told_stage
from tasks.store import Json, Manifest, Night, outputs

PRIMARY = "ndcg"


@stage_task("evaluate-{order.name}")
def evaluate(order: Order, lists: Manifest, prepared: Manifest) -> Manifest:
    """Measure ``toplists/<name>/``; per-user metrics and the summary go to ``metrics/<name>/``."""
    night, name, rules = order.night, order.name, order.evaluation

    def build(out: Path) -> Json:
        summary = write_metrics(night.toplists(name), night.prepared, rules, order.seed, out)
        made = lists.get("summary", {})
        if order.rules.rerank:
            summary |= {"reranking": reranking(night, name, rules.k)}
            summary["told"] += f"; {effect(summary['reranking'])}"
        return summary | {"trained": {key: made[key] for key in ("host", "device", "fit_seconds") if key in made}}

    return told_stage(
        f"evaluate {name}",
        night.metrics(name),
        build,
        inputs=outputs(lists=lists, prepared=prepared),
        parameters=rules.model_dump() | {"seed": order.seed},
        fresh=order.fresh,
    )


def reranking(night: Night, name: str, k: int) -> Json:
    """What the rules of the lists cost and gain: figures of the lists as they are and as they were without rules."""
    holdout = pq.read_table(night.prepared / layout.HOLDOUT, columns=["user_index", "item_index"])
    available = pq.read_table(night.prepared / layout.ITEMS, columns=["available"])["available"]
    users, row = np.unique(holdout["user_index"].to_numpy(), return_inverse=True)
    shape = (len(users), len(available))
    truth = sp.csr_array((np.ones(len(row), np.bool_), (row, holdout["item_index"].to_numpy())), shape=shape)
    terms = layout.read_terms(night.features / "train" / layout.TERMS, len(available))
    found: Json = {}
    for when, file in (("without", PLAIN), ("with", LISTS)):
        items = read_lists(night.toplists(name), users, k, file)
        variety = diversity.intra_list(items, terms)
        found[when] = {
            PRIMARY: float(metrics.per_user(items, truth)[PRIMARY].mean()),
            "diversity": float(np.nanmean(variety)) if np.isfinite(variety).any() else None,
            "coverage": metrics.coverage(items, pc.sum(available).as_py()),
        }
    return found


def effect(found: Json) -> str:
    """The rules' cost and gain in one clause."""
    before, after = found["without"], found["with"]
    figures = [f"{name} {before[name]:.4f} to {after[name]:.4f}" for name in before if before[name] is not None]
    return f"by the rules: {', '.join(figures)}".replace("ndcg", "NDCG")


def write_metrics(toplists: Path, prepared: Path, rules: EvaluationRules, seed: int, out: Path) -> dict[str, Any]:
    """Write ``per_user.parquet`` (a row a measured user) and return each metric's mean with its interval."""
    holdout = pq.read_table(prepared / layout.HOLDOUT, columns=["user_index", "item_index"])
    available = pq.read_table(prepared / layout.ITEMS, columns=["available"])["available"]
    users, truth_row = np.unique(holdout["user_index"].to_numpy(), return_inverse=True)
    pairs = (truth_row, holdout["item_index"].to_numpy())
    truth = sp.csr_array((np.ones(len(truth_row), np.bool_), pairs), shape=(len(users), len(available)))
    items = read_lists(toplists, users, rules.k)
    per_user = metrics.per_user(items, truth)
    pq.write_table(pa.table({"user_index": users, **per_user}), out / "per_user.parquet")
    summary: dict[str, Any] = {}
    for name, values in per_user.items():
        low, high = metrics.bootstrap_interval(values, seed=seed, level=rules.confidence)
        summary[name] = {"value": float(values.mean()), "low": low, "high": high}
    summary["coverage"] = {"value": metrics.coverage(items, pc.sum(available).as_py())}
    ndcg = summary[PRIMARY]
    told = f"NDCG@{rules.k} {ndcg['value']:.4f} [{ndcg['low']:.4f}, {ndcg['high']:.4f}] over {len(users):,} users"
    return {"k": rules.k, "users": len(users), "metrics": summary, "told": told}


def read_lists(toplists: Path, users: np.ndarray[Any, np.dtype[np.int32]], k: int, file: str = LISTS) -> layout.Ints:
    """The items of each user's list, -1 where it ends early: int32 [n_users, k]. ``users`` ascend."""
    table = pq.read_table(toplists / file, columns=["user_index", "rank", "item_index"])
    items = np.full((len(users), k), -1, np.int32)
    row = np.searchsorted(users, table["user_index"].to_numpy())
    rank = table["rank"].to_numpy() - 1
    within = rank < k
    items[row[within], rank[within]] = table["item_index"].to_numpy()[within]
    return items
