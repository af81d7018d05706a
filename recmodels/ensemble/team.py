"""A recommender that is made of others: which they are, how they are fitted, and what they know together."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from recmodels import registry
from recmodels.base import Recommender
from recmodels.compute import memory
from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError, NightrecError
from recmodels.options import FitOptions
from recmodels.persistence import load
from recmodels.ranking.topk import TopK

ENTRIES_AT_A_TIME = 2**20  # of the members' lists that are fused: some 200 MB


class Team(Recommender):
    """Members by their names, of which those with larger weights answer what only one can answer.

    Attributes:
        members_: The fitted recommenders by name, m of them.
        weights_: float64 [m].
    """

    usual: ClassVar[Sequence[str]]
    """The members where none are named."""

    members: list[str] | None
    recipes: dict[str, dict[str, Any]]
    method: str
    seed: int
    members_: dict[str, Recommender]
    weights_: Doubles

    def _names(self) -> list[str]:
        """The members, each once."""
        return list(dict.fromkeys(self.usual if self.members is None else self.members))

    def made(self) -> dict[str, Recommender]:
        """The members, not fitted yet.

        Raises ConfigError for a member that there is not, or that is an ensemble, and where fewer than two are named.
        """
        if self.members is not None and len(named := sorted(set(self.members))) < 2:
            raise ConfigError(f"ensemble: members names {', '.join(named) or 'none'}; it takes two at least.")
        return {name: self._made(name) for name in self._names()}

    def made_of(self) -> list[Recommender]:
        return list(self.made().values())

    def _made(self, name: str) -> Recommender:
        recipe = self.recipes.get(name, {})
        recommender = recipe.get("recommender", name)
        if recommender == "ensemble":
            raise ConfigError(f"ensemble: its member {name} is an ensemble, too; name the members of that one.")
        return registry.create(recommender, recipe.get("params", {}), seed=self.seed)

    def _trained(self, name: str, data: Dataset, options: FitOptions) -> Recommender:
        model = self._made(name)
        n_items = len(data.known_items)
        memory.require(model.memory_needed(data.n_users, n_items, len(data)), name, n_items)
        recipe = self.recipes.get(name, {})
        return model.fit(data, registry.fit_options(recipe.get("recommender", name), recipe.get("params", {}), options))

    def _fitted(self, name: str, data: Dataset, folder: Path | None, options: FitOptions) -> Recommender:
        """A member fitted to all of the data, from its folder if there is one."""
        if folder is None:
            return self._trained(name, data, options)
        model = load(folder)
        if model.n_items_ != data.n_items or model != self._made(name):
            raise NightrecError(f"{folder} holds another model.")
        return model

    @property
    def _fits(self) -> int:
        """How often each member is fitted: to what the fusion is not learned from, and to everything."""
        return 1 if self.method == "mean" else 2

    def knows(self, data: Dataset, users: Ints) -> Bools:
        """Those with a history, or of whom a member knows enough from the user table."""
        known = super().knows(data, users)
        for model in self.members_.values():
            if model.needs_history:
                known |= model.knows(data, users)
        return known

    def why_not_folded(self) -> str | None:
        for name, member in self.members_.items():
            if (why := member.why_not_folded()) is not None:
                return f"has the member {name}, which {why}"
        return None

    def _by_weight(self) -> Iterator[Recommender]:
        """The members by falling weight."""
        members = list(self.members_.values())
        return (members[place] for place in np.argsort(-self.weights_, kind="stable"))

    def _similar_items(self, items: Ints, k: int, allowed: Bools | None) -> TopK:
        """Those of the member with the largest weight that has similar items."""
        for model in self._by_weight():
            try:
                return model._similar_items(items, k, allowed)
            except NightrecError:
                continue
        raise NightrecError("Ensemble has no similarity of items.")

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        """The reason of the member with the largest weight that names one."""
        reasons = np.full(top.items.shape, -1, np.int32)
        for model in self._by_weight():
            open_ = (top.items >= 0) & (reasons < 0)
            if not open_.any():
                break
            asked = TopK(np.where(open_, top.items, -1).astype(np.int32), top.scores)
            reasons = np.where(open_, model._explain(data, users, asked), reasons)
        return reasons

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return sum(self._fits * model.work(n_users, n_items, n_interactions) for model in self.made().values())

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        return sum(model.list_work(n_listed, n_users, n_items, n_interactions) for model in self.made().values())

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        """The fitted members together, and the working memory of the one that takes most."""
        made = self.made().values()
        working = [model.memory_needed(0, 0, 0) for model in made]
        grown = sum(model.memory_needed(n_users, n_items, n_interactions) for model in made) - sum(working)
        return grown + max(working, default=0) + 512 * ENTRIES_AT_A_TIME
