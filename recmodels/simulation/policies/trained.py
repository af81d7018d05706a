"""A recommender as a policy: trained on the choices so far, and listing as the nightly run does."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy import sparse

from recmodels import registry
from recmodels.base import Recommender
from recmodels.compute import memory
from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.data.dataset import Dataset, Repeats
from recmodels.errors import ConfigError
from recmodels.exposure_prices import with_prices
from recmodels.fallback import serve
from recmodels.options import FitOptions, WarmStart
from recmodels.persistence import load, save
from recmodels.ranking.topk import TopK
from recmodels.simulation.behavior import NOTHING
from recmodels.simulation.known import Known
from recmodels.simulation.policies.base import Lists, Policy
from recmodels.simulation.policies.plain import Random
from recmodels.simulation.policies.reranking import Reranking

MODEL, FALLBACK = "model/", "fallback/"
VECTOR_CONTENT = "recmodels.simulation.vectors:VectorContent"

WARM = {"warm_epochs": 3, "warm_rate": 1.0}
"""How a training starts where the last one ended, by default: a simulation's data grow fast."""


class Trained(Policy):
    """A recommender of the registry, by its name and parameters.

    Users of whom it knows nothing, and places that it cannot fill, get what is popular, as in a nightly run. As long
    as nobody has chosen anything, lists are random.
    """

    def __init__(
        self,
        recommender: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        warm: bool = True,
        rules: Reranking | None = None,
        vectors: Floats | None = None,
    ) -> None:
        """A policy that has not learned yet.

        Args:
            recommender: a name of the registry, or `module:Class`.
            parameters: its hyper-parameters.
            name: of the policy, the recommender's by default.
            warm: whether a training starts from the last one, where the recommender can.
            rules: that its lists are chosen by; None: what it ranks highest.
            vectors: of the items, as an encoder of their texts or pictures gives them, in place of the words of their
                texts: float32 `[n_items, d]`. For `hybrid`, `transformer` with `content`, and `content`, which then
                is `VectorContent`.

        Raises:
            ConfigError: there is no such recommender or parameter, or a value is not legal.
        """
        self.name = name or recommender
        self.vectors = None if vectors is None else sparse.csr_array(np.asarray(vectors, np.float32))
        if vectors is not None and recommender == "content":
            recommender = VECTOR_CONTENT
        self.recommender, self.parameters, self.rules = recommender, dict(parameters or {}), rules
        kind = registry.kind_of(recommender)
        # The others are quick: a simulation's data grow too fast for that to be worth it.
        costly = kind.needs_torch and "warm_start" in kind.__dataclass_fields__
        self.warm = warm and (costly or "warm_start" in self.parameters)
        if self.warm:
            grown = {name: value for name, value in WARM.items() if name in kind.__dataclass_fields__}
            self.parameters = {"warm_start": "always"} | grown | self.parameters
        registry.create(recommender, self.parameters)
        self.model: Recommender | None = None
        self.fallback: Recommender | None = None
        self.trained_on: Bools = np.empty(0, np.bool_)  # [n_users]: who had a history then

    @property
    def about(self) -> str:
        """What it is, in a line."""
        of_vectors = "" if self.vectors is None else f" of {self.vectors.shape[1]} numbers an item"
        return f"{self.recommender} {dict(sorted(self.parameters.items()))} {self.rules or ''}".rstrip() + of_vectors

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:
        data = self.data(known)
        if not len(data):
            return
        model = registry.create(self.recommender, self.parameters, seed=int(rng.integers(2**31)))
        options = registry.fit_options(self.recommender, self.parameters)
        if self.warm and self.model is not None:
            options = FitOptions(warm_start=WarmStart(self.model, _the_same(data)))
        self.model = model.fit(data, options)
        if model.needs_torch:
            memory.give_back()  # night after night it would add up
        self.fallback = registry.create("popularity").fit(data)
        self.trained_on = np.diff(data.indptr) > 0

    def data(self, known: Known) -> Dataset:
        """What it is trained on, and makes lists for.

        Raises:
            ConfigError: the vectors are of more or fewer items.
        """
        if self.vectors is None:
            return known.data
        if self.vectors.shape[0] != len(known.out):
            raise ConfigError(
                f"{self.name}: there are vectors of {self.vectors.shape[0]} items, and {len(known.out)} items; "
                "give a row for each, in the order of their numbers."
            )
        return replace(known.data, terms=self.vectors)

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        if self.model is None or self.fallback is None:
            return Random().lists(night, known, k, rng)
        model, data = _AsTrained(self.model, self.trained_on), self.data(known)
        rules = None if self.rules is None else self.rules.rules(known)
        if rules is not None:
            rules = with_prices(rules, self.model, self.fallback, data, known.users, k, repeats=known.repeats)
        served = serve(
            model, self.fallback, data, known.users, k, allowed=known.out, repeats=known.repeats, rules=rules
        )  # fmt: skip
        items: Ints = np.full((len(known.here), k), NOTHING, np.int32)
        items[known.users] = served.items
        return Lists(items)

    def state(self) -> dict[str, np.ndarray]:
        if self.model is None or self.fallback is None:
            return {}
        parts = {MODEL: self.model, FALLBACK: self.fallback}
        files = {prefix + name: content for prefix, model in parts.items() for name, content in _files(model).items()}
        return files | {"trained_on": self.trained_on}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        if not state:
            self.model = self.fallback = None
            return
        self.model = _from_files(state, MODEL, registry.kind_of(self.recommender))
        self.fallback = _from_files(state, FALLBACK, registry.kind_of("popularity"))
        self.trained_on = state["trained_on"].astype(np.bool_)


class MostPopular(Trained):
    """What most people chose, the same for everybody but for what they had."""

    def __init__(self, name: str = "most_popular", **parameters: Any) -> None:
        """With the parameters of the recommender `popularity`."""
        super().__init__("popularity", parameters, name=name)


class _AsTrained:
    """A model that knows users as they were when it was trained, unless it reads their history anew."""

    def __init__(self, model: Recommender, trained_on: Bools) -> None:
        self.model = model
        self.trained_on = None if model.why_not_folded() is None else trained_on

    @property
    def needs_history(self) -> bool:
        return self.model.needs_history

    def knows(self, data: Dataset, users: Ints) -> Bools:
        known = self.model.knows(data, users)
        return known if self.trained_on is None or not self.needs_history else known & self.trained_on[users]

    def recommend(
        self, data: Dataset, users: Ints, k: int, *, allowed: Bools | None = None, repeats: Repeats = False
    ) -> TopK:
        top = self.model.recommend(data, users, k, allowed=allowed, repeats=repeats)
        if self.trained_on is None or not self.needs_history:
            return top
        strange = ~self.knows(data, users)
        top.items[strange], top.scores[strange] = NOTHING, -np.inf
        return top

    def explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        return self.model.explain(data, users, top)


def _the_same(data: Dataset) -> dict[str, Ints]:
    """In a simulation, users, items and terms keep their rows."""
    sizes = {
        "users": data.n_users, "items": data.n_items,
        "terms": data.terms.shape[1], "user_terms": data.user_terms.shape[1],
    }  # fmt: skip
    return {name: np.arange(size, dtype=np.int32) for name, size in sizes.items()}


def _files(model: Recommender) -> dict[str, np.ndarray]:
    """The files that a model is saved in, as bytes."""
    with TemporaryDirectory() as folder:
        save(model, folder)
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): np.fromfile(path, np.uint8) for path in paths}


def _from_files(state: dict[str, np.ndarray], prefix: str, kind: type[Recommender]) -> Recommender:
    with TemporaryDirectory() as folder:
        for name, content in state.items():
            if name.startswith(prefix):
                path = Path(folder) / name.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                content.tofile(path)
        return load(folder, kind)
