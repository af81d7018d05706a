"""Stage 5, train: a candidate is fitted, and lists the measured users, in a subprocess of its own.

A subprocess, because it can be limited, timed out and killed without harm to the night, and because the same command
runs anywhere: `python -m recmodels.candidate SPEC.json`.
"""

from pathlib import Path
from typing import NamedTuple

from recmodels.exploration.bootstrap import seed_of
from tasks.lists.rules import FILE
from tasks.store.files import Json
from tasks.store.manifests import (
    Manifest,
    Recipe,
    fingerprint_of,
    finished,
    manifest_of,
    outputs,
    run_stage,
    up_to_date,
)
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import PreparedSummary
from tasks.train.jobs import TrainingJob
from tasks.train.members import at_hand, code_of_job
from tasks.train.process import run_candidate
from tasks.train.warm import Start, earlier


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
            results.append(made.told(run_candidate(job, spec | backtests, prepared)))
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
        return made.told(run_candidate(job, spec, prepared))

    stage = job.label.replace("-", " ", 1)
    return logged_stage(stage, job.fitted(job.night), fit, **made.recipe, fresh=job.fresh)


def refitted(job: TrainingJob, prepared: Manifest, features: Manifest) -> Manifest | None:
    """What `refit` would return at once, as it is all there."""
    return up_to_date(job.fitted(job.night), making(job, prepared, features).recipe)


class Making(NamedTuple):
    """What a job's model is made from, and what its process is told of it besides."""

    recipe: Recipe
    spec: Json
    start: Start | None

    def told(self, result: Json) -> Json:
        """The result of the process, with what it started from."""
        return self.start.told(result) if self.start else result


def making(job: TrainingJob, prepared: Manifest, features: Manifest) -> Making:
    """What a training is made from. One that has been made from nothing tonight stays, with `--fresh` or without."""
    code, parameters = code_of_job(job), recipe_of(job)
    inputs, members = _with_members(job, outputs(prepared=prepared, features=features))
    from_nothing = Making({"code": code, "inputs": inputs, "parameters": parameters}, members, None)
    start = earlier(job, parameters, code)
    if start is None or _is_there(job.fitted(job.night), from_nothing.recipe):
        return from_nothing
    inputs = inputs | {"earlier": start.manifest["output"]}
    return Making({"code": code, "inputs": inputs, "parameters": parameters}, start.spec | members, start)


def _is_there(folder: Path, recipe: Recipe) -> bool:
    done = manifest_of(folder)
    return done is not None and done["fingerprint"] == fingerprint_of(folder, recipe)


def listing(job: TrainingJob, model: Recipe, prepared: Manifest) -> Recipe:
    """What a candidate's lists are made from: what its model is, and what decides who is listed and how."""
    made_by = _rules_as_input(job.night.list_rules) if job.rules.rerank else {}
    more = job.rules.model_dump() | _among(job) | _backtests_of(job, prepared) | made_by
    return {**model, "parameters": {**model["parameters"], **more}}


def _among(job: TrainingJob) -> Json:
    return {"unavailable": True} if job.evaluation.candidates == "all" else {}


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
