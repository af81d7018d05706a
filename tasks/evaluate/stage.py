"""Stage 5, evaluate: a candidate's lists against what the users did in the holdout."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints
from recmodels.metrics import beyond_accuracy as beyond
from recmodels.metrics import diversity
from recmodels.metrics import ranking as metrics
from tasks.evaluate.backtests import over_windows, spread
from tasks.evaluate.reranking import effect, reranking
from tasks.evaluate.slices import SLICED, figures, item_slices, means, recall_of, user_slices
from tasks.lists.reader import read_available, read_lists, read_truth
from tasks.store.files import Json
from tasks.store.manifests import Manifest, outputs
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of
from tasks.train.jobs import PRIMARY, EvaluationSettings, TrainingJob

RATINGS = ("rmse", "mae")  # of the ratings in the holdout, by models that foresee ratings
VARIED = 50_000  # lists whose diversity is looked at, drawn at random where there are more


@stage_task("evaluate-{job.name}")
def evaluate(job: TrainingJob, lists: Manifest, prepared: Manifest) -> Manifest:
    """Measure ``toplists/<name>/``; per-user metrics and the summary go to ``metrics/<name>/``."""
    night, name, rules = job.night, job.name, job.evaluation

    def build(out: Path) -> Json:
        described = night.features / "train"
        summary = write_metrics(night.toplists(name), night.prepared, rules, job.seed, out, described)
        made = lists.get("summary", {})
        summary["metrics"] |= {metric: {"value": made[metric]} for metric in RATINGS if metric in made}
        if made.get("windows"):
            summary["windows"] = over_windows(summary, made["windows"], prepared)
            summary["message"] += f"; {spread(summary['windows'])}"
        if job.rules.rerank:
            summary |= {"reranking": reranking(night, name, rules.k)}
            summary["message"] += f"; {effect(summary['reranking'])}"
        return summary | {"trained": {key: made[key] for key in ("host", "device", "fit_seconds") if key in made}}

    return logged_stage(
        f"evaluate {name}",
        night.metrics(name),
        build,
        code=code_of(__name__),
        inputs=outputs(lists=lists, prepared=prepared),
        parameters=rules.model_dump() | {"seed": job.seed},
        fresh=job.fresh,
    )


def write_metrics(
    toplists: Path, prepared: Path, rules: EvaluationSettings, seed: int, out: Path, features: Path | None = None
) -> dict[str, Any]:
    """Write ``per_user.parquet`` (a row a measured user) and return each metric's mean with its interval.

    With the ``features`` of the training window, figures beyond accuracy and slices as well.
    """
    users, truth = read_truth(prepared)
    available = read_available(prepared) | (rules.candidates == "all")
    items = read_lists(toplists, users, rules.k)
    per_user = metrics.per_user(items, truth)
    whole = {"coverage": metrics.coverage(items, int(available.sum()))}
    slices: list[Json] = []
    if features is not None:
        hits, found, truth = metrics.matched(items, truth)
        per_user |= beyond_accuracy(items, hits, prepared, features, seed)
        shown = beyond.exposure(items, len(available))[available]
        whole |= {
            "gini": beyond.gini(shown),
            "personalisation": beyond.personalisation(items, len(available)),
            "identical_lists": beyond.identical_share(items),
        }
        row = np.repeat(np.arange(len(users)), np.diff(truth.indptr))
        for name, mask in item_slices(prepared, features, rules).items():
            recall = recall_of(mask, row, truth.indices, found, len(users))
            slices += figures(name, {"recall": recall}, seed, rules.confidence)
            if name.startswith("items:"):
                per_user[f"recall_{name.partition(':')[2]}"] = recall
        for name, mask in user_slices(prepared, features, users, rules).items():
            slices += figures(name, {metric: per_user[metric][mask] for metric in SLICED}, seed, rules.confidence)
    pq.write_table(pa.table({"user_index": users, **per_user}), out / "per_user.parquet")
    told_apart = {name for name in per_user if name.startswith("recall_")} - set(metrics.METRICS)  # as slices of items
    counted = {name: value for name, value in per_user.items() if name not in told_apart}
    summary: dict[str, Any] = {
        name: {key: figure[key] for key in ("value", "low", "high")}
        for name, figure in means(counted, seed, rules.confidence).items()
    }
    summary |= {name: {"value": value} for name, value in whole.items() if np.isfinite(value)}
    ndcg = summary[PRIMARY]
    told = f"NDCG@{rules.k} {ndcg['value']:.4f} [{ndcg['low']:.4f}, {ndcg['high']:.4f}] over {len(users):,} users"
    return {"k": rules.k, "users": len(users), "metrics": summary, "slices": slices, "message": told}


def beyond_accuracy(items: Ints, hits: Bools, prepared: Path, features: Path, seed: int) -> dict[str, metrics.Metric]:
    """What each user's list is like beside its accuracy; NaN where that has no meaning, or was not looked at."""
    count = pq.read_table(features / layout.ITEM_FEATURES, columns=["interactions"])["interactions"].to_numpy()
    known = pq.read_table(features / layout.USER_FEATURES, columns=["interactions"])["interactions"].to_numpy()
    n_users = int((known > 0).sum())
    measured = {
        "average_popularity": beyond.average_popularity(items, count, n_users),
        "novelty": beyond.novelty(items, count, n_users),
        "cold_share": beyond.cold_share(items, count),
        "serendipity": beyond.serendipity(items, hits, count),
    }
    terms = layout.read_terms(features / layout.TERMS, len(count))
    if terms.nnz:
        some = np.sort(np.random.default_rng(seed).permutation(len(items))[:VARIED])
        measured["diversity"] = np.full(len(items), np.nan)
        measured["diversity"][some] = diversity.intra_list(items[some], terms)
    return measured
