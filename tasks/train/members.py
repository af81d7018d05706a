"""Ensembles among tonight's candidates: what they are made of, and which models of the night they take as they are."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recmodels.registry import create, kind_of
from tasks.store.events import log_event
from tasks.store.files import Json
from tasks.store.manifests import Manifest, whole
from tasks.store.paths import Night
from tasks.train.code import code_that_trains
from tasks.train.jobs import TrainingJob
from tasks.train.settings import Candidate

if TYPE_CHECKING:
    from recmodels.ensemble.model import Ensemble  # its kernels take a while to load

ENSEMBLE = "ensemble"


def with_members(candidates: dict[str, Candidate], others: Mapping[str, Candidate] = {}) -> dict[str, Candidate]:
    """The candidates, every enabled ensemble with its members: those named, or the others that are cheap to train.

    Those that are named may be among `others`, which do not compete. An ensemble that is alone keeps to the members
    that it has by default, with their own defaults.

    Raises:
        ConfigError: a member is neither a candidate nor a recommender, or is an ensemble itself.
    """
    kinds = {name: candidate.recommender or name for name, candidate in candidates.items()}
    ensembles = [name for name, candidate in candidates.items() if candidate.enabled and kinds[name] == ENSEMBLE]
    if not ensembles:
        return candidates
    from recmodels.ensemble.model import MEMBERS

    cheap = [name for name, candidate in candidates.items() if candidate.enabled and kinds[name] in MEMBERS]
    complete = dict(candidates)
    for name in ensembles:
        candidate = candidates[name]
        parameters = dict(candidate.parameters)
        if parameters.get("members") is None and len(cheap) > 1:
            parameters["members"] = cheap
        known = {**others, **candidates}
        recipes = {name: _recipe(name, known[name]) for name in parameters.get("members") or [] if name in known}
        parameters["recipes"] = recipes | parameters.get("recipes", {})
        complete[name] = candidate.model_copy(update={"parameters": parameters})
        _made_of(parameters).made()
    return complete


def with_site(candidates: dict[str, Candidate], site: Json) -> dict[str, Candidate]:
    """The candidates, every ensemble with what the site says of its data (`FeatureSettings.for_ensembles`), unless it
    has its own.
    """
    return {
        name: candidate.model_copy(update={"parameters": site | candidate.parameters})
        if (candidate.recommender or name) == ENSEMBLE
        else candidate
        for name, candidate in candidates.items()
    }


def refuse_wrong_columns(night: Night, candidates: Mapping[str, Candidate], site: Json) -> None:
    """Check what ensembles see of the site's own tables, before anything is trained.

    Where there is no ensemble to see what the `site` says for them, a note says so.

    Raises:
        ConfigError: a column or a query is wrong.
    """
    ensembles = [
        one.parameters for name, one in candidates.items() if one.enabled and (one.recommender or name) == ENSEMBLE
    ]
    if site and not ensembles:
        names = " and ".join(f"features.{name}" for name in ("pairs", "context") if name in site)
        log_event("features", "note", f"nothing comes of {names}: no ensemble is trained, whose trees would look at it")
    for parameters in ensembles:
        if any(parameters.get(one) for one in ("item_columns", "user_columns", "pairs")):
            from recmodels.data.dataset import Dataset
            from recmodels.data.site_tables import StoredTables

            nobody = Dataset.load(night.features, "train", users=np.empty(0, np.int32))
            _made_of(parameters).check_site(nobody, StoredTables(night.features))


def is_ensemble(job: TrainingJob) -> bool:
    return job.recommender == ENSEMBLE


def in_turn(jobs: Sequence[TrainingJob]) -> tuple[list[TrainingJob], list[TrainingJob]]:
    """The jobs that need no other, and the ensembles, which come after them."""
    return [job for job in jobs if not is_ensemble(job)], [job for job in jobs if is_ensemble(job)]


def without_failed(ensembles: Sequence[TrainingJob], failed: dict[str, str]) -> list[TrainingJob]:
    """The jobs of ensembles, each without the members that failed tonight."""
    jobs = []
    for job in ensembles:
        missing = [name for name in _made_of(job.candidate.parameters).made() if name in failed]
        if missing:
            log_event(f"train {job.name}", "note", f"goes without {', '.join(missing)}, which failed")
        jobs.append(job.model_copy(update={"without": missing, "concurrency": min(job.concurrency, len(ensembles))}))
    return jobs


def with_recipes(job: TrainingJob, candidates: Mapping[str, Candidate]) -> TrainingJob:
    """The job of an ensemble whose members are trained as these candidates are, where it has them."""
    parameters = job.candidate.parameters
    recipes = parameters.get("recipes", {})
    changed = recipes | {name: _recipe(name, candidates[name]) for name in recipes if name in candidates}
    update = {"parameters": {**parameters, "recipes": changed}}
    return job.model_copy(update={"candidate": job.candidate.model_copy(update=update)})


def at_hand(job: TrainingJob, inputs: Json) -> dict[str, Manifest]:
    """The members of an ensemble that tonight's candidates have trained on the same inputs, by name."""
    if job.recommender != ENSEMBLE or job.replicate is not None:
        return {}
    ensemble = _made_of(job.candidate.parameters)
    found = {}
    for name, member in ensemble.made().items():
        recipe = ensemble.recipes.get(name, {"recommender": name, "params": {}}) | {"seed": job.seed}
        manifest = whole(job.night.model(name))
        if name in job.without or manifest is None:
            continue
        made_from = {what: output for what, output in manifest["inputs"].items() if what != "earlier"}
        if (manifest["parameters"], made_from, manifest["code"]) == (
            recipe,
            inputs,
            code_that_trains(type(member)),
        ):
            found[name] = manifest
    return found


def code_of_job(job: TrainingJob) -> str:
    """The version of the code that a job depends on; that of an ensemble covers its members."""
    members = _made_of(job.candidate.parameters).made() if job.recommender == ENSEMBLE else {}
    return code_that_trains(kind_of(job.recommender), *map(type, members.values()))


def _made_of(parameters: dict[str, Any]) -> "Ensemble":
    from recmodels.ensemble.model import Ensemble

    ensemble = create(ENSEMBLE, parameters)
    assert isinstance(ensemble, Ensemble)
    return ensemble


def _recipe(name: str, candidate: Candidate) -> Json:
    return {"recommender": candidate.recommender or name, "params": candidate.parameters}
