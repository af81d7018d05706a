"""The arms of a night: what the settings mean by them tonight, and what becomes of an arm that cannot be had."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from recmodels.data.arrays import Longs
from recmodels.experiments.assignment import MAIN, arms_of
from recmodels.messages import sentence
from tasks.arms.settings import ArmsSettings
from tasks.arms.since import salt_digest
from tasks.compare.champion import full_parameters, is_known, named
from tasks.compare.decision import ComparisonSummary
from tasks.store.exports import current
from tasks.store.files import Json, read_json
from tasks.store.ids import age_order, is_export_id
from tasks.store.paths import Night
from tasks.train.settings import PRIMARY, Candidate

POPULARITY = "popularity"
"""A policy, and what rows are said to be put there by."""
PINNED = "pinned"
"""What pinned rows of interleaved lists are said to be put there by: neither of the two models gets the credit."""

Recipe = tuple[str, Json]


class ArmTonight(BaseModel):
    """An arm tonight.

    Attributes:
        share: of the users who are in it.
        policy: as the settings have it.
        model: the candidate, or the earlier champion, that makes its lists or half of them; None where it needs or has
            none tonight.
        as_main: why its users get the lists of main, though the policy is another; None where they do not.
        fault: whether that is a fault, and not how things are.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    policy: str
    model: str | None = None
    as_main: str | None = None
    fault: bool = False

    @property
    def own_model(self) -> str | None:
        """The model that is fitted for it."""
        return None if self.as_main else self.model

    @property
    def apart(self) -> bool:
        """Whether its lists are not the winner's."""
        return not self.as_main and (self.model is not None or self.policy == POPULARITY)


class ArmsTonight(BaseModel):
    """All of them, by name, in the order of the settings."""

    model_config = ConfigDict(frozen=True)

    salt: str
    groups: dict[str, ArmTonight]

    @property
    def names(self) -> list[str]:
        """Of all arms, `main` first: by their places in it they are coded."""
        return [MAIN, *self.groups]

    @property
    def models(self) -> list[str]:
        """What is fitted for them."""
        return list(dict.fromkeys(name for arm in self.groups.values() if (name := arm.own_model)))

    def codes(self, user_ids: list[int | str]) -> Longs:
        """The place among `names` of each user's arm."""
        found = arms_of(user_ids, {name: arm.share for name, arm in self.groups.items()}, self.salt)
        codes = np.zeros(len(found), np.int64)
        for place, name in enumerate(self.names):
            codes[found == name] = place
        return codes

    def without(self, failed: Mapping[str, str]) -> Self:
        """The arms where some models could not be fitted, and why: their users get the lists of main."""
        groups = {
            name: arm.model_copy(update={"as_main": failed[arm.model], "fault": True})
            if arm.own_model in failed and arm.model
            else arm
            for name, arm in self.groups.items()
        }
        return self.model_copy(update={"groups": groups})

    def json_ready(self) -> Json:
        """As an export's manifest has them: the salt as a digest, by which one sees that it is another."""
        groups = {name: arm.model_dump() for name, arm in self.groups.items()}
        return {"salt": salt_digest(self.salt), "groups": groups}


def groups_of(manifest: Json | None) -> dict[str, ArmTonight]:
    """The arms of an export, by its manifest; none of one without arms."""
    groups = ((manifest or {}).get("arms") or {}).get("groups", {})
    return {name: ArmTonight.model_validate(arm) for name, arm in groups.items()}


def remarks(manifest: Json | None, *, faults: bool) -> list[str]:
    """Sentences about arms of an export whose users get the lists of main: where that is a fault, or else."""
    found = {name: arm for name, arm in groups_of(manifest).items() if arm.as_main and arm.fault is faults}
    return [
        sentence(f"The users of the arm {name} got the lists of {MAIN}: {arm.as_main}") for name, arm in found.items()
    ]


def arms_tonight(
    settings: ArmsSettings, comparison: ComparisonSummary, candidates: Mapping[str, Candidate], night: Night
) -> tuple[ArmsTonight, dict[str, Candidate]]:
    """What the settings mean by each arm tonight.

    Args:
        settings: with one group at least.
        comparison: of the night, with its winner.
        candidates: the night's, by name.
        night: its folder.

    Returns:
        The arms, and the candidates with an earlier champion among them if one is meant that does not compete.
    """
    known, groups = dict(candidates), {}
    for name, arm in settings.groups.items():
        tonight = ArmTonight(share=arm.share, policy=arm.policy)
        if arm.policy in ("challenger", "interleave"):
            tonight = _with_model(tonight, arm.model or _best_other(comparison), comparison)
        elif arm.policy == "last_champion":
            tonight = _with_last_champion(tonight, comparison, known, night)
        groups[name] = tonight
    return ArmsTonight(salt=settings.salt, groups=groups), known


def _best_other(comparison: ComparisonSummary) -> str | None:
    """The candidate that did best of those that were measured, and can be fitted, but for the winner."""
    others = [name for name in comparison.models if name not in (comparison.winner, *comparison.failed)]
    return max(others, key=lambda name: comparison.models[name][PRIMARY].value, default=None)


def _with_model(arm: ArmTonight, name: str | None, comparison: ComparisonSummary) -> ArmTonight:
    if name is None:
        return arm.model_copy(update={"as_main": "no other model than the winner was measured."})
    if name == comparison.winner:
        return arm.model_copy(update={"model": name, "as_main": f"its model {name} is the winner."})
    if why := comparison.failed.get(name):
        return arm.model_copy(update={"model": name, "as_main": f"its model {name} failed: {why}", "fault": True})
    if name not in comparison.models:
        return arm.model_copy(update={"model": name, "as_main": f"its model {name} did not compete.", "fault": True})
    return arm.model_copy(update={"model": name})


def _with_last_champion(
    arm: ArmTonight, comparison: ComparisonSummary, candidates: dict[str, Candidate], night: Night
) -> ArmTonight:
    winner = candidates[comparison.winner]
    found = _last_other(night, _full(winner.recommender or comparison.winner, winner.parameters))
    if found is None:
        return arm.model_copy(update={"as_main": "no other model was published before."})
    published_as, (recommender, params) = found
    if not is_known(recommender, params):
        why = f"{published_as}, which was published before, cannot be trained here any more."
        return arm.model_copy(update={"as_main": why, "fault": True})
    name = named(candidates, published_as, recommender, params)
    if name in comparison.failed:
        why = f"its model {name} failed: {comparison.failed[name]}"
        return arm.model_copy(update={"model": name, "as_main": why, "fault": True})
    return arm.model_copy(update={"model": name})


def _last_other(night: Night, winner: Recipe) -> tuple[str, Recipe] | None:
    """The last champion before tonight of another recipe than the winner's: what it was called, and its recipe.

    Exports that are gone count, as their manifests are kept; those that were rolled back do not.
    """
    pointer = current(night.store)
    withdrawn = pointer.get("withdrawn", []) if pointer else []
    for path in sorted((night.store.exports / "manifests").rglob("*.json"), key=_age, reverse=True):
        if not is_export_id(path.stem) or path.stem in withdrawn or _age(path)[0] >= str(night.run_date):
            continue
        manifest = read_json(path) or {}
        match manifest.get("recipe"):
            case {"recommender": str(recommender), "params": dict(params)} if _full(recommender, params) != winner:
                return str(manifest.get("champion")), (recommender, params)
    return None


def _age(manifest: Path) -> tuple[str, int]:
    return age_order(manifest.stem) if is_export_id(manifest.stem) else ("", 0)


def _full(recommender: str, params: Json) -> Recipe:
    """A recipe with all its parameters; as it is, where it cannot be trained here."""
    return recommender, full_parameters(recommender, params) if is_known(recommender, params) else params
