"""Mansoury et al. (2020): what is accepted of lists makes lists more popular, fewer items are listed, and a minority's
profiles move further."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recmodels.data.arrays import Doubles, Ints
from recmodels.simulation.policies import Trained
from recmodels.simulation.published.accepting import Accepting, drift
from recmodels.simulation.run import NightSeen, simulate
from tests.benchmarks.findings.effects import Effect, Sign, over

TITLE = "Mansoury et al. 2020: popularity bias amplified"
SEEDS = 20
COSTLY = {"bpr": 5}  # seeds of a model that takes longer than all others together
ROUNDS = 20
MODELS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "user_knn": {},
    "bpr": {"factors": 16, "epochs": 10},
}


def movielens(folder: Path) -> Accepting:
    """All ratings of MovieLens 100K as interactions; women are group 1, some 29 %."""
    import pandas as pd

    ratings, items, users = (pd.read_csv(folder / "ml-100k" / f"{name}.csv") for name in ("inter", "item", "user"))
    ratings = ratings.sort_values("timestamp", kind="stable")
    genres = items["class"].fillna("").str.get_dummies(" ").to_numpy(np.float64)
    user = ratings["user_id"].map({name: place for place, name in enumerate(users["user_id"])})
    item = ratings["item_id"].map({name: place for place, name in enumerate(items["item_id"])})
    return Accepting.of(
        user.to_numpy(np.int32), item.to_numpy(np.int32), genres / np.maximum(genres.sum(axis=1, keepdims=True), 1),
        (users["gender"] == "F").to_numpy(np.int32),
    )  # fmt: skip


@dataclass
class Run:
    """What came of a model, round by round."""

    popularity: list[float] = field(default_factory=list)  # of the lists, by the log as it is then: a share of users
    popularity_before: list[float] = field(default_factory=list)  # by the log before the first round
    listed: list[float] = field(default_factory=list)  # items that are in any list, as a share of all
    drift: list[Doubles] = field(default_factory=list)  # of each user, after the round
    sizes: Ints = field(default_factory=lambda: np.empty(0, np.int32))  # of the profiles at first
    group: Ints = field(default_factory=lambda: np.empty(0, np.int32))


def run(behavior: Accepting, model: str, seed: int, *, repeats: bool, rounds: int = ROUNDS) -> Run:
    """`repeats`: whether lists may hold what users had."""
    n_users, n_items = behavior.consumed.shape
    at_first, before = behavior.profiles(), behavior.consumed.mean(axis=0)
    found = Run(sizes=behavior.consumed.sum(axis=1).astype(np.int32), group=behavior.world.group)
    found.drift.append(np.zeros(n_users))

    def observe(seen: NightSeen) -> None:
        listed = seen.lists.items[seen.lists.items >= 0]
        now = np.bincount(seen.known.choices.item, minlength=n_items) / n_users
        found.popularity.append(float(now[listed].mean()))
        found.popularity_before.append(float(before[listed].mean()))
        found.listed.append(len(np.unique(listed)) / n_items)
        found.drift.append(drift(at_first, behavior.profiles()))

    policy = Trained(model, MODELS[model], warm=False)
    simulate(behavior, policy, rounds, k=10, repeats=repeats, seed=seed, observe=observe)
    return found


def measured(
    seed: int, make: Callable[[int], Accepting], models: list[str] | None = None, rounds: int = ROUNDS
) -> dict[str, Any]:
    """All values of a seed, by what they are of; drifts are of each user."""
    values: dict[str, Any] = {}
    for model in models or [one for one in MODELS if one not in COSTLY or seed < COSTLY[one]]:
        for repeats in (True, False):
            of = run(make(seed), model, seed, repeats=repeats, rounds=rounds)
            way = f"{model}, {'anything listed' if repeats else 'only what is new to a user'}"
            values[f"{way}: popularity"] = of.popularity[-1] - of.popularity[0]
            values[f"{way}: popularity before"] = of.popularity_before[-1] - of.popularity_before[0]
            values[f"{way}: listed"] = of.listed[-1] - of.listed[0]
            values[f"{way}: drift"] = of.drift[-1]
            values[f"{way}: drift later"] = float((of.drift[-1] - of.drift[rounds // 2]).mean())
            values |= {"sizes": of.sizes, "group": of.group}
    return values


def effects(runs: list[dict[str, Any]]) -> list[Effect]:
    def one(name: str) -> Doubles:
        return over(runs, name)[0]

    found: list[Effect] = []
    group, sizes = (np.asarray(runs[0][name]) for name in ("group", "sizes"))
    suffix = ", anything listed: popularity"
    for model in (name.removesuffix(suffix) for name in runs[0] if name.endswith(suffix)):
        way = f"{model}, anything listed"
        rises: Sign | None = "+"
        falls: Sign | None = "-"
        if model == "popularity":  # it lists the same ten to everybody, whatever happens
            rises = falls = None
        now, before, listed = (one(f"{way}: {name}") for name in ("popularity", "popularity before", "listed"))
        found += [
            Effect.over(f"{way}: popularity of lists in the log of the day, last - first round", now, "+"),
            Effect.over(f"{way}: popularity of lists in the log before all rounds", before, rises),
            Effect.over(f"{way}: share of items in any list", listed, falls),
            Effect.over(f"{way}: drift of profiles, last - middle round (nats)", one(f"{way}: drift later"), "+"),
            *_groups(way, one(f"{way}: drift").mean(axis=0), group, sizes, "+"),
        ]
    suffix = ", only what is new to a user: popularity"
    for model in (name.removesuffix(suffix) for name in runs[0] if name.endswith(suffix)):
        way = f"{model}, only what is new to a user"
        now, before, listed = (one(f"{way}: {name}") for name in ("popularity", "popularity before", "listed"))
        found += [
            Effect.over(f"{way}: popularity of lists in the log of the day, last - first round", now),
            Effect.over(f"{way}: popularity of lists in the log before all rounds", before),
            Effect.over(f"{way}: share of items in any list", listed),
            *_groups(way, one(f"{way}: drift").mean(axis=0), group, sizes),
        ]
    return found


def _groups(way: str, of: Doubles, group: Ints, sizes: Ints, claimed: Sign | None = None) -> list[Effect]:
    """How much further the minority moves: as it is, and beside others of the same size of profile."""
    strata = np.searchsorted(np.quantile(sizes, np.linspace(0, 1, 11)[1:-1]), sizes)
    usual = np.array([of[strata == one].mean() if (strata == one).any() else 0.0 for one in range(10)])
    beside = of - usual[strata]
    one, other = group == 1, group == 0
    return [
        Effect.between(f"{way}: drift of the minority - the majority, over users", of[one], of[other], claimed),
        Effect.between(f"{way}: the same beside users with as many items", beside[one], beside[other]),
    ]
