"""The incumbent: the champion whose recipe readers' lists come from, which competes again tonight.

The recipe is read from the manifest of the last export before tonight, so a champion that has been dropped from the
configuration, or whose parameters there have changed, is still trained and measured with its challengers.
"""

from dataclasses import asdict
from datetime import date
from typing import Any

from recmodels.errors import ConfigError
from recmodels.registry import create, is_registered
from tasks.compare.decision import Incumbent
from tasks.store.exports import export_number
from tasks.store.files import Json, read_json
from tasks.store.paths import Store
from tasks.train.settings import Candidate

WEEK = 7  # days; the popularity of the last week always competes


def last_export(store: Store, run_date: date) -> Json | None:
    """The manifest of what readers were given before the night: the current export, or the newest of earlier nights."""
    pointer = read_json(store.pointer)
    if pointer and pointer["run_date"] < str(run_date):
        return read_json(store.export_manifest(pointer["export_id"]))
    found = [read_json(path) for path in store.export_manifest("x").parent.glob("*.json")]
    earlier = [manifest for manifest in found if manifest and manifest["run_date"] < str(run_date)]
    return max(earlier, key=lambda one: (one["run_date"], export_number(one["export_id"])), default=None)


def field(
    candidates: dict[str, Candidate], store: Store, run_date: date
) -> tuple[dict[str, Candidate], Incumbent | None, str]:
    """Tonight's candidates, with the incumbent's recipe and the popularity of the last week among them.

    Returns:
        The candidates by name, the incumbent (None before the first export), and the name of the popularity baseline.
    """
    tonight, incumbent = dict(candidates), None
    if manifest := last_export(store, run_date):
        name = manifest["champion"]
        recipe = manifest.get("recipe") or {}
        if not recipe and name in candidates:  # an export of an earlier version
            recipe = {"recommender": candidates[name].recommender or name, "params": candidates[name].parameters}
        if recipe and _known(recipe):
            incumbent = Incumbent(
                name=named(tonight, name, recipe["recommender"], recipe["params"]),
                published_as=name,
                export_id=manifest["export_id"],
                recommender=recipe["recommender"],
                params=recipe["params"],
            )
    return tonight, incumbent, named(tonight, f"popularity_{WEEK}d", "popularity", {"days": WEEK})


def named(candidates: dict[str, Candidate], name: str, recommender: str, params: dict[str, Any]) -> str:
    """The name of the candidate with a recipe, which is added where nobody has it."""
    same = [
        other
        for other, one in candidates.items()
        if _recipe_of(other, one) == (recommender, full_parameters(recommender, params))
    ]
    if same:
        return name if name in same else same[0]
    while name in candidates:
        name += "_standing"
    candidates[name] = Candidate(recommender=recommender, parameters=params)
    return name


def _recipe_of(name: str, candidate: Candidate) -> tuple[str, dict[str, Any]]:
    recommender = candidate.recommender or name
    return recommender, full_parameters(recommender, candidate.parameters)


def full_parameters(recommender: str, params: dict[str, Any]) -> dict[str, Any]:
    """All parameters, the defaults included."""
    return asdict(create(recommender, params))


def _known(recipe: Json) -> bool:
    """Whether this version can still train a recipe: a stored name alone does not import a site's own class."""
    if not is_registered(recipe["recommender"]):
        return False
    try:
        create(recipe["recommender"], recipe["params"])
    except ConfigError:
        return False
    return True
