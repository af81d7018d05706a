"""The incumbent: the champion whose recipe readers' lists come from, which competes again tonight.

The recipe is read from the manifest of the last export before tonight, so a champion that has been dropped from the
configuration, or whose parameters there have changed, is still trained and measured with its challengers.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import date
from typing import Any

from recmodels.errors import ConfigError
from recmodels.registry import create, is_registered
from tasks.compare.decision import Incumbent
from tasks.store.exports import current, manifest_of
from tasks.store.files import Json, read_json
from tasks.store.ids import age_order
from tasks.store.paths import Night, Store
from tasks.train.settings import Candidate

WEEK = 7  # days; the popularity of the last week always competes


def last_export(store: Store, run_date: date) -> Json | None:
    """The manifest of what readers were given before the night: the current export, or the newest of earlier nights.

    Those that were rolled back do not count. Where that manifest is gone or damaged, what its night says of it: readers
    have its lists all the same.
    """
    pointer = current(store)
    shown = pointer if pointer and pointer["run_date"] < str(run_date) else None
    if shown and (manifest := manifest_of(store, shown["export_id"])):
        return manifest
    gone = pointer.get("withdrawn", []) if pointer else []
    earlier = [name for name in store.export_ids() if age_order(name)[0] < str(run_date) and name not in gone]
    newest = next((manifest for name in reversed(earlier) if (manifest := manifest_of(store, name))), None)
    night = store.night(date.fromisoformat(shown["run_date"])) if shown else _last_published(store, run_date, gone)
    if night is None or (newest and not shown and newest["run_date"] >= str(night.run_date)):
        return newest
    told = _by_its_night(night, shown["export_id"] if shown else str(night.run_date))
    return told if told["recipe"] else newest or told


def _last_published(store: Store, run_date: date, gone: Collection[str]) -> Night | None:
    """The last night before one whose record says that it has published, and whose export was not rolled back."""
    days = {age_order(name)[0] for name in gone}
    nights = (
        night for night in reversed(store.all_nights()) if night.run_date < run_date and str(night.run_date) not in days
    )
    return next((night for night in nights if (read_json(night.summary) or {}).get("status") == "published"), None)


def _by_its_night(night: Night, export_id: str) -> Json:
    """What the folder of a night says of the export that it has left."""
    recipe = (read_json(night.champion / "manifest.json") or {}).get("parameters") or {}
    name = (read_json(night.evaluation / "decision.json") or {}).get("winner") or recipe.get("recommender")
    return {"export_id": export_id, "champion": name or "unknown", "recipe": recipe}


def field(
    candidates: dict[str, Candidate], store: Store, run_date: date
) -> tuple[dict[str, Candidate], Incumbent | None, str]:
    """Tonight's candidates, with the incumbent's recipe and the popularity of the last week among them.

    An incumbent whose recipe cannot be trained here is under a name that no candidate has.

    Returns:
        The candidates by name, the incumbent (None before the first export), and the name of the popularity baseline.
    """
    tonight, incumbent = dict(candidates), None
    if manifest := last_export(store, run_date):
        name = manifest["champion"]
        recipe = manifest.get("recipe") or {}
        if not recipe.get("recommender") and name in candidates:  # an export of an earlier version
            recipe = {"recommender": candidates[name].recommender or name, "params": candidates[name].parameters}
        recommender, params = recipe.get("recommender") or "", recipe.get("params") or {}
        known = recommender and is_known(recommender, params)
        incumbent = Incumbent(
            name=named(tonight, name, recommender, params) if known else _free(tonight, name),
            published_as=name,
            export_id=manifest["export_id"],
            recommender=recommender,
            params=params,
        )
    return tonight, incumbent, named(tonight, f"popularity_{WEEK}d", "popularity", {"days": WEEK})


def _free(candidates: dict[str, Candidate], name: str) -> str:
    """A name that no candidate has."""
    while name in candidates:
        name += "_standing"
    return name


def named(candidates: dict[str, Candidate], name: str, recommender: str, params: dict[str, Any]) -> str:
    """The name of the candidate with a recipe, which is added where nobody has it.

    It is trained where a candidate of its kind is, and for as long.
    """
    same = [
        other
        for other, one in candidates.items()
        if _recipe_of(other, one) == (recommender, full_parameters(recommender, params))
    ]
    if same:
        return name if name in same else same[0]
    like = _of_the_kind(candidates, name, recommender)
    name = _free(candidates, name)
    candidates[name] = like.model_copy(
        update={"recommender": recommender, "parameters": params, "required": False, "enabled": True}
    )
    return name


def _of_the_kind(candidates: dict[str, Candidate], name: str, recommender: str) -> Candidate:
    """A candidate of a recommender, that of a name first: where such a one is trained, and how long it may take."""
    same = {other: one for other, one in candidates.items() if (one.recommender or other) == recommender}
    return same.get(name) or next(iter(same.values()), Candidate())


def _recipe_of(name: str, candidate: Candidate) -> tuple[str, dict[str, Any]]:
    recommender = candidate.recommender or name
    return recommender, full_parameters(recommender, candidate.parameters)


def full_parameters(recommender: str, params: dict[str, Any]) -> dict[str, Any]:
    """All parameters, the defaults included."""
    return asdict(create(recommender, params))


def is_known(recommender: str, params: dict[str, Any]) -> bool:
    """Whether this version can still train a recipe: a stored name alone does not import a site's own class."""
    if not is_registered(recommender):
        return False
    try:
        create(recommender, params)
    except ConfigError:
        return False
    return True
