"""Stage 5, train: a candidate is fitted, and lists the measured users, in a subprocess of its own.

A subprocess, because it can be limited, timed out and killed without harm to the night, and because the same command
runs anywhere: `python -m recmodels.candidate SPEC.json`.
"""

from pathlib import Path
from typing import NamedTuple

from recmodels.data.layout import USERS, interactions_file, split_end
from recmodels.exploration.bootstrap import seed_of
from recmodels.parameters import current
from recmodels.registry import create, is_registered, kind_of
from tasks.lists.rules import FILE
from tasks.store.files import Json, read_json
from tasks.store.manifests import Manifest, Recipe, finished, manifest_of, outputs, run_stage, up_to_date, whole
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import PreparedSummary
from tasks.train.jobs import TrainingJob
from tasks.train.members import at_hand, code_of_job
from tasks.train.process import run_candidate


@stage_task("train-{job.name}")
def train(job: TrainingJob, prepared: Manifest, features: Manifest) -> Manifest:
    """Fit a candidate on the training split and list the holdout's users.

    The model goes to `models/<name>/`, the lists to `toplists/<name>/`, whose manifest is returned.

    Raises:
        NightrecError: it failed, ran out of time, or was killed.
    """
    night, rules, recipe = job.night, job.rules, recipe_of(job)
    by_rules = {"rules": str(night.list_rules / FILE)} if rules.rerank else {}
    backtests = _backtests_of(job, prepared)
    made = making(job, prepared, features)
    listed = listing(job, made.recipe, prepared)

    def fit_and_list(out: Path) -> Json:
        results: list[Json] = []

        def fit(model: Path) -> Json:
            spec = {"split": "train", "fit": True, "model": model, "lists": lists} | recipe | made.spec
            results.append(run_candidate(job, spec | backtests, prepared))
            return results[0]

        lists = {"out": str(out), "users": "holdout", "k": rules.k, "repeats": rules.repeats} | by_rules | _among(job)
        model = run_stage(night.model(job.name), fit, **made.recipe, fresh=job.fresh)
        if not results:  # the model is there already, only the lists are new
            known = {"split": "train", "fit": False, "model": night.model(job.name), "lists": lists}
            results.append(run_candidate(job, known | recipe | backtests, prepared) | {"fit": model["summary"]})
        return results[0]

    return logged_stage(f"train {job.name}", night.toplists(job.name), fit_and_list, **listed, fresh=job.fresh)


def trained(job: TrainingJob, prepared: Manifest, features: Manifest) -> Manifest | None:
    """What `train` would return at once, as it is all there."""
    return up_to_date(job.night.toplists(job.name), listing(job, making(job, prepared, features).recipe, prepared))


@stage_task("refit-{job.name}")
def refit(job: TrainingJob, prepared: Manifest, features: Manifest) -> Manifest:
    """Fit the night's winner on everything before the cutoff, to `champion/`; the model of an arm to `arm_models/`.

    A replicate is fitted on half of the users, to `replicates/`.
    """
    made = making(job, prepared, features)

    def fit(model: Path) -> Json:
        spec = {"split": "full", "fit": True, "model": model} | recipe_of(job) | made.spec
        return run_candidate(job, spec, prepared)

    stage = job.label.replace("-", " ", 1)
    return logged_stage(stage, job.fitted(job.night), fit, **made.recipe, fresh=job.fresh)


def refitted(job: TrainingJob, prepared: Manifest, features: Manifest) -> Manifest | None:
    """What `refit` would return at once, as it is all there."""
    return up_to_date(job.fitted(job.night), making(job, prepared, features).recipe)


class Making(NamedTuple):
    """What a job's model is made from, and what its process is told of it besides."""

    recipe: Recipe
    spec: Json


def making(job: TrainingJob, prepared: Manifest, features: Manifest) -> Making:
    start = earlier(job)
    inputs, members = _with_members(job, outputs(prepared=prepared, features=features) | _as_input(start))
    return Making({"code": code_of_job(job), "inputs": inputs, "parameters": recipe_of(job)}, start | members)


def listing(job: TrainingJob, model: Recipe, prepared: Manifest) -> Recipe:
    """What a candidate's lists are made from: what its model is, and what decides who is listed and how."""
    made_by = _rules_as_input(job.night.list_rules) if job.rules.rerank else {}
    more = job.rules.model_dump() | _among(job) | _backtests_of(job, prepared) | made_by
    return {**model, "parameters": {**model["parameters"], **more}}


def _among(job: TrainingJob) -> Json:
    return {"unavailable": True} if job.evaluation.candidates == "all" else {}


def earlier(job: TrainingJob) -> Json:
    """The newest model of an earlier night that a candidate with a warm start goes on from, if there is one.

    It must be of the same recipe. For the comparison both nights hold out their last days, and the earlier one was
    trained on nothing that tonight's measures. A replicate starts from nothing that has seen the other users.
    """
    if job.replicate is not None:
        return {}
    warm_start = getattr(create(job.recommender, job.candidate.parameters), "warm_start", "no")
    if warm_start == "no" or (job.split == "train" and warm_start != "always"):
        return {}
    for night in reversed(job.night.store.all_nights()):
        folder = job.fitted(night)
        if (
            night.run_date < job.run_date
            and (manifest := manifest_of(folder))
            and _by_current_names(manifest["parameters"]) == _by_current_names(recipe_of(job))
            and (night.prepared / USERS).exists()
            and (job.split == "full" or _ends_before(night, job.night))
            and whole(folder)
        ):
            return {"earlier": {"model": str(folder), "features": str(night.features)}}
    return {}


def _by_current_names(recipe: Json) -> Json:
    """A recipe whose parameters may have had other names when it was stored."""
    name = recipe["recommender"]
    if not is_registered(name):
        return recipe
    return recipe | {"params": current(kind_of(name), recipe["params"], name, note=False)}


def _ends_before(night: Night, later: Night) -> bool:
    """Whether what a night trains on for the comparison ends before what a later one measures, for all users."""
    protocols = {
        (read_json(one.prepared / "manifest.json") or {}).get("summary", {}).get("holdout", {}).get("protocol")
        for one in (night, later)
    }
    ends = [split_end(one.prepared / interactions_file("train")) for one in (night, later)]
    return protocols == {"days"} and ends[0] <= ends[1]


def _as_input(start: Json) -> Json:
    """What a training starts from, as one of its inputs."""
    if not start:
        return {}
    manifest = finished(Path(start["earlier"]["model"]))
    return {"earlier": manifest["output"] if manifest else None}


def _with_members(job: TrainingJob, inputs: Json) -> tuple[Json, Json]:
    """The inputs of a job, and what its process gets on top: for an ensemble, the members that are trained already."""
    if not (found := at_hand(job, inputs)) and not job.without:
        return inputs, {}
    models = {name: str(job.night.model(name)) for name in found}
    made_from = {"members": {name: manifest["output"] for name, manifest in found.items()}, "without": job.without}
    return inputs | made_from, {"models": models, "without": job.without}


def _rules_as_input(rules: Path) -> Json:
    """What the rules of the lists were made of, as ids become indices and days become ages."""
    manifest = finished(rules)
    return {"rules": manifest["output"]} if manifest else {}


def _backtests_of(job: TrainingJob, prepared: Manifest[PreparedSummary]) -> Json:
    """How many holdouts a candidate is measured on, and their length: that of tonight's."""
    if job.evaluation.backtests == 1:
        return {}
    days = prepared["summary"]["holdout"]["days"] or prepared["parameters"]["holdout_days"]
    return {"windows": job.evaluation.backtests, "window_days": days}


def recipe_of(job: TrainingJob) -> Json:
    """What a model is made from, apart from the data."""
    recipe: Json = {"recommender": job.recommender, "params": job.candidate.parameters, "seed": job.seed}
    if job.replicate is not None:
        recipe["bootstrap"] = seed_of(job.seed, str(job.run_date), job.replicate)
    return recipe
