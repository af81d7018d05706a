"""Stage 5, evaluate: a candidate's lists against what the users did in the holdout."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from recmodels.candidate_lists import read_lists, read_truth
from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints
from recmodels.data.parquet import arrow_table, read_columns
from recmodels.messages import counted
from recmodels.metrics import beyond_accuracy as beyond
from recmodels.metrics import diversity
from recmodels.metrics import ranking as metrics
from tasks.evaluate.backtests import with_tonight
from tasks.evaluate.domains import domain_figures
from tasks.evaluate.reranking import reranking
from tasks.evaluate.slices import SLICED, figures, item_slices, means, recall_of, user_slices
from tasks.evaluate.summary import Figure, ModelSummary, SliceFigure, Trained
from tasks.lists.reader import ranks_nothing, read_available
from tasks.store.files import Json
from tasks.store.manifests import Manifest, Recipe, outputs, told, up_to_date
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of
from tasks.train.jobs import TrainingJob
from tasks.train.settings import PRIMARY, EvaluationSettings

RATINGS = ("rmse", "mae")  # of the ratings in the holdout, by models that predict ratings
BASELINE = "popularity"  # its scores are counts, which may be equal
VARIED = 50_000  # lists whose diversity is measured, drawn at random where there are more


@stage_task("evaluate-{job.name}")
def evaluate(job: TrainingJob, lists: Manifest, prepared: Manifest) -> Manifest:
    """Measure `toplists/<name>/`; per-user metrics and the summary go to `metrics/<name>/`."""
    night, name, settings = job.night, job.name, job.evaluation

    def build(out: Path) -> Json:
        described = night.features / "train"
        summary = write_metrics(night.toplists(name), night.prepared, settings, job.seed, out, described)
        made = lists.get("summary", {})  # of the candidate's process
        ratings = {metric: Figure(value=made[metric]) for metric in RATINGS if metric in made}
        backtests = with_tonight(summary, made["windows"], prepared) if made.get("windows") else None
        by_rules = reranking(night, name, settings, job.rules) if job.rules.rerank else None
        more = {
            "metrics": summary.metrics | ratings,
            "backtests": backtests,
            "reranking": by_rules,
            "trained": trained_of(made),
            "ranks_nothing": job.recommender != BASELINE and ranks_nothing(night.toplists(name)),
            "message": "; ".join([summary.message, *(part.clause for part in (backtests, by_rules) if part)]),
        }
        return summary.model_copy(update=more).json_ready()

    return logged_stage(f"evaluate {name}", night.metrics(name), build, **recipe(job, lists, prepared), fresh=job.fresh)


def trained_of(made: Json) -> Trained:
    """Where a candidate was trained and how long, by what its lists say: where the model was there, by its `fit`."""
    return Trained.of(made | made.get("fit", {}))


def measured(job: TrainingJob, lists: Manifest, prepared: Manifest) -> Manifest | None:
    """What `evaluate` would return at once, as it is all there."""
    return up_to_date(job.night.metrics(job.name), recipe(job, lists, prepared))


def recipe(job: TrainingJob, lists: Manifest, prepared: Manifest) -> Recipe:
    """What a candidate's metrics are made from."""
    return {
        "code": code_of(__name__),
        # Lists may be the same though the features are others that they are measured by.
        "inputs": told(lists=lists) | outputs(prepared=prepared),
        "parameters": job.evaluation.model_dump() | {"seed": job.seed},
    }


def write_metrics(
    toplists: Path, prepared: Path, settings: EvaluationSettings, seed: int, out: Path, features: Path | None = None
) -> ModelSummary:
    """Write `per_user.parquet` (a row a measured user) and return each metric's mean with its interval.

    With the `features` of the training split, figures beyond accuracy and slices as well.
    """
    users, truth = read_truth(prepared)
    available = read_available(prepared) | (settings.candidates == "all")
    items = read_lists(toplists, users, settings.k)
    hits, found, truth = metrics.matched(items, truth)
    per_user = metrics.of_hits(hits, np.diff(truth.indptr))
    whole = {"coverage": metrics.coverage(items, int(available.sum()))}
    slices: list[SliceFigure] = []
    if features is not None:
        per_user |= _beyond_accuracy(items, hits, features, seed)
        shown = beyond.exposure(items, len(available))[available]
        whole |= {
            "gini": beyond.gini(shown),
            "personalisation": beyond.personalisation(items, len(available)),
            "identical_lists": beyond.identical_share(items),
        }
        row = np.repeat(np.arange(len(users)), np.diff(truth.indptr))
        for name, mask in item_slices(prepared, features, settings).items():
            recall = recall_of(mask, row, truth.indices, found, len(users))
            slices += figures(name, {"recall": recall}, seed, settings.confidence)
            if name.startswith("items:"):
                per_user[f"recall_{name.partition(':')[2]}"] = recall
        slices += domain_figures(toplists, prepared, users, truth, settings, seed)
        for name, mask in user_slices(prepared, features, users, settings).items():
            slices += figures(name, {metric: per_user[metric][mask] for metric in SLICED}, seed, settings.confidence)
    pq.write_table(arrow_table({"user_index": users, **per_user}), out / "per_user.parquet")
    in_slices = {name for name in per_user if name.startswith("recall_")} - set(metrics.METRICS)
    of_users = {name: value for name, value in per_user.items() if name not in in_slices}
    summary = {name: figure for name, (figure, _) in means(of_users, seed, settings.confidence).items()}
    summary |= {name: Figure(value=value) for name, value in whole.items() if np.isfinite(value)}
    ndcg = summary[PRIMARY]
    message = f"NDCG@{settings.k} {ndcg.value:.4f} [{ndcg.low:.4f}, {ndcg.high:.4f}] over {counted(len(users), 'user')}"
    return ModelSummary(k=settings.k, users=len(users), metrics=summary, slices=slices, message=message)


def _beyond_accuracy(items: Ints, hits: Bools, features: Path, seed: int) -> dict[str, metrics.Metric]:
    """What each user's list is like apart from its accuracy; NaN where that has no meaning, or was not measured."""
    count = read_columns(features / layout.ITEM_FEATURES, ["interactions"])["interactions"]
    known = read_columns(features / layout.USER_FEATURES, ["interactions"])["interactions"]
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
