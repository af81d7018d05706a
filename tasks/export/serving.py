"""Making the lists of an export: the winner's for everybody, and for the users of an arm those of its policy."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.base import Recommender
from recmodels.data import layout
from recmodels.data.arrays import Bools, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.experiments.assignment import MAIN
from recmodels.fallback import Lists, Ranker, serve
from recmodels.persistence import load
from recmodels.popularity import Popularity
from recmodels.ranking.rerank import Rules
from tasks.arms.tonight import PINNED, POPULARITY, ArmTonight, groups_of
from tasks.export.interleaved import Interleaved, numbers_of
from tasks.export.origins import Codes, Origins
from tasks.export.settings import ExportSettings
from tasks.store.events import log_event
from tasks.store.files import Json
from tasks.store.manifests import finished, whole
from tasks.store.paths import Night

CELLS = 2**22  # of users by candidates that are interleaved at a time: some 100 MB


@dataclass(frozen=True, eq=False)
class Lister:
    """Makes the lists of users with one model.

    Attributes:
        name: of the model.
        model: fitted on all of `data`.
        popular: what completes lists, fitted on the same.
        data: the night's interactions.
        settings: of the export.
        allowed: what may be listed: bool [n_items].
        rules: the rules of the lists, if there are any.
        explained: whether each item has its reason.
    """

    name: str
    model: Recommender
    popular: Popularity
    data: Dataset
    settings: ExportSettings
    allowed: Bools
    rules: Rules | None
    explained: bool = True

    def lists(self, users: Ints, model: Ranker | None = None, rules: Rules | None = None) -> Lists:
        """The lists of some users; by another `model`, or other `rules`, where they are given."""
        return serve(
            model or self.model,
            self.popular,
            self.data,
            users,
            self.settings.longest,
            allowed=self.allowed,
            repeats=self.settings.repeats,
            explain=self.explained,
            rules=rules or self.rules,
        )

    @classmethod
    def of(
        cls,
        night: Night,
        data: Dataset,
        model: Recommender,
        name: str,
        settings: ExportSettings,
        plan: Rules | None,
        explained: bool = True,
        popular: Popularity | None = None,
    ) -> "Lister":
        """Makes a night's lists of the available items, or those that the translation of its rules (`plan`) allows.

        `popular` completes them, if it is fitted already.
        """
        if plan is None:
            allowed = pq.read_table(night.prepared / layout.ITEMS, columns=["available"])["available"].to_numpy()
        else:
            allowed = plan.allowed
        return cls(name, model, popular or Popularity().fit(data), data, settings, allowed, plan, explained)


@dataclass(frozen=True, eq=False)
class Serving:
    """Makes the lists of an export.

    Attributes:
        main: what makes the lists of `main`.
        arms: the other arms, by name, in the order of their codes, which begin with 1.
        models: what is fitted for them, by name.
        codes: of the arm of each user [n_users]; None where there are no arms.
        user_ids: the site's own, in the order of the features; needed where two models are interleaved.
        seed: of the lots.
    """

    main: Lister
    arms: Mapping[str, ArmTonight] = field(default_factory=dict)
    models: Mapping[str, Recommender] = field(default_factory=dict)
    codes: Longs | None = None
    user_ids: pa.Array | None = None
    seed: str = ""

    def lists(self, users: Ints) -> "Served":
        """The lists of some users, and how their rows came there."""
        main, k = self.main, self.main.settings.longest
        if self.codes is None:
            return Served(main.lists(users), Origins.of_one(main.name, len(users), k))
        arm = self.codes[users]
        names = list(dict.fromkeys([main.name, POPULARITY, *self.models, PINNED]))
        whole, policy = _nothing(users, k), np.zeros((len(users), k), np.int8)
        for way, codes in self._ways().items():
            rows = np.flatnonzero(np.isin(arm, codes))
            if len(rows):
                lists, policies = self._made(way, users[rows], names)
                policy[rows] = policies
                _put(lists, whole, rows)
        propensity = np.ones((len(users), k), np.float32)
        origins = Origins([MAIN, *self.arms], arm.astype(np.int8), names, policy, propensity)
        return Served(whole, origins)

    def explored(self, users: Ints) -> Bools | None:
        """Which users are explored: those of all arms but `no_exploration` [n]; None where there are no arms."""
        if self.codes is None:
            return None
        left = [code for code, one in enumerate(self.arms.values(), 1) if one.policy == "no_exploration"]
        return ~np.isin(self.codes[users], left)

    def _ways(self) -> dict["Way", list[int]]:
        """The ways in which lists are made, and the codes of the arms that each is for."""
        ways: dict[Way, list[int]] = {Way("main", None): [0]}
        for code, arm in enumerate(self.arms.values(), 1):
            there = arm.own_model is None or arm.own_model in self.models
            way = Way(arm.policy, arm.own_model) if there and not arm.as_main else Way("main", None)
            ways.setdefault(Way("main", None) if way.policy == "no_exploration" else way, []).append(code)
        return ways

    def _made(self, way: "Way", users: Ints, names: list[str]) -> tuple[Lists, Codes]:
        """Lists of some users, and the codes among `names` of the policy of each place."""
        shape = (len(users), self.main.settings.longest)
        if way.policy == "interleave":
            return self._interleaved(str(way.model), users, names)
        if way.policy == POPULARITY:
            return self.main.lists(users, self.main.popular), np.full(shape, names.index(POPULARITY), np.int8)
        if way.model is None:
            return self.main.lists(users), np.zeros(shape, np.int8)
        return self.main.lists(users, self.models[way.model]), np.full(shape, names.index(way.model), np.int8)

    def _interleaved(self, model: str, users: Ints, names: list[str]) -> tuple[Lists, Codes]:
        main, k = self.main, self.main.settings.longest
        whole, policy = _nothing(users, k), np.zeros((len(users), k), np.int8)
        rules = main.rules and replace(main.rules, min_score=None)  # it is of the models' scores, not of places
        step = max(1, CELLS // max(k, *((rules.pool, len(rules.caps)) if rules else (0,))))
        for start in range(0, len(users), step):
            part = users[start : start + step]
            both = self._teams(model, part)
            lists = main.lists(part, both, rules)
            _put(lists, whole, np.arange(start, start + len(part)))
            code = np.where(both.teams(part, lists.items) == 1, names.index(model), 0)
            code = np.where(lists.cold, names.index(POPULARITY), code)  # neither of the two has put these there
            policy[start : start + len(part)] = np.where(lists.pinned, names.index(PINNED), code)
        return whole, policy

    def _teams(self, model: str, users: Ints) -> Interleaved:
        assert self.user_ids is not None
        known = np.sort(users)
        numbers = numbers_of(self.user_ids.take(pa.array(known)).to_pylist(), self.seed)
        main, both = self.main, (self.main.model, self.models[model])
        return Interleaved(both, known, numbers, main.data.n_items, main.settings.longest, main.rules)


class Served(NamedTuple):
    """Lists, and how their rows came there."""

    lists: Lists
    origins: Origins


class Way(NamedTuple):
    """How lists are made: a policy, and the model that it needs."""

    policy: str
    model: str | None


def arms_again(manifest: Json, night: Night) -> tuple[dict[str, ArmTonight], dict[str, Recommender]]:
    """The arms of an export that is made anew between nights, and what was fitted for them.

    An arm whose model is not there any more is as `main`: its lists must lose what has gone all the same.
    """
    arms, models = groups_of(manifest), {}
    known = manifest.get("inputs", {}).get("arms", {})
    for name, arm in arms.items():
        model = arm.own_model
        if model is None or model in models:
            continue
        folder = night.arm_model(model)
        there = whole(folder)
        if there is None or there["output"] != known.get(model):
            log_event("refilter", "note", f"{folder} is no longer what it was: new lists of the arm {name} are main's")
            arms[name] = arm.model_copy(update={"as_main": f"its model {model} is no longer there."})
        else:
            models[model] = load(folder, mapped=True)
    return arms, models


def seed_of(run_date: date) -> str:
    """What lots of a night are drawn by."""
    return f"interleave {run_date}"


def output_of(model: Path) -> str | None:
    """By what a fitted model is known; None where there is none."""
    manifest = finished(model)
    return manifest["output"] if manifest else None


def _put(lists: Lists, whole: Lists, rows: Longs) -> None:
    """Fill in the lists of some users."""
    for name in ("items", "scores", "cold", "reasons", "pinned"):
        getattr(whole, name)[rows] = getattr(lists, name)


def _nothing(users: Ints, k: int) -> Lists:
    """Lists that are filled in."""
    shape = (len(users), k)
    none, false = np.full(shape, -1, np.int32), np.zeros(shape, np.bool_)
    scores = np.full(shape, -np.inf, np.float32)
    return Lists(users, none, scores, false, none.copy(), false.copy())
