"""A model of each domain by itself: what a site with several domains has without any transfer between them."""

from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self
from weakref import ReferenceType, ref

import numpy as np

from recmodels import registry
from recmodels.base import SCORE_BYTES, Recommender
from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.events import EventsOfItems
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.parameters import Seed
from recmodels.ranking.rerank import scaled


@dataclass
class Apart(Recommender):
    """Recommends items of each domain by a model that was fitted on the domain alone.

    Score x_ui = (n_ud + 1) / Σ_e (n_ue + 1) · (s_ui - min s_u) / (max s_u - min s_u) for an item i of the domain d, s
    being the scores of the domain's model and n_ud how many items of the domain user u has. Within a domain the order
    is that of its model; mixed lists have most of what the user does most. A user has no scores in a domain in which
    they have done nothing yet: popular items are shown there.

    Beside the same recommender on all domains it tells what learning from the others gains or costs, by domain. A site
    without domains has one.

    Attributes:
        models_: The fitted models by domain, `0`, `1` and so on; domains without interactions have none.
        codes_: The domain of each item: int32 [n_items].
    """

    of: str = "item_knn"
    """The recommender that each domain has."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """Its hyper-parameters."""
    seed: Seed = 0

    delegates: ClassVar[bool] = False

    def made_of(self) -> list[Recommender]:
        return [self._made()]

    def _made(self) -> Recommender:
        if self.of in ("apart", "ensemble"):
            raise ConfigError(f"apart: of is {self.of}, which is made of others itself; name one recommender.")
        return registry.create(self.of, self.parameters, seed=self.seed)

    def _check(self) -> None:
        self._made()

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        self.codes_: Ints = np.zeros(data.n_items, np.int32) if data.domains is None else data.domains.codes
        n_domains = int(self.codes_.max()) + 1
        minutes = options.minutes and options.minutes / n_domains
        share = FitOptions(
            minutes=minutes, device=options.device, gpus=options.gpus, site=options.site, contexts=options.contexts
        )
        log = options.events
        self.models_: dict[str, Recommender] = {}
        for code in range(n_domains):
            own = self.codes_ == code
            part = data.of_items(own)
            if len(part):
                events = None if log is None else EventsOfItems(log, own)
                self.models_[str(code)] = self._made().fit(part, replace(share, events=events))

    def for_users(self, users: Ints) -> Self:
        return self._with({name: model.for_users(users) for name, model in self.models_.items()})

    def in_contexts(self) -> dict[str, Self]:
        parts = {name: model.in_contexts() for name, model in self.models_.items()}
        contexts = dict.fromkeys(context for part in parts.values() for context in part)
        return {
            context: self._with({name: part[context] for name, part in parts.items() if context in part})
            for context in contexts
        }

    def _with(self, models: dict[str, Recommender]) -> Self:
        """This model with others in place of some of its own."""
        model = copy(self)
        model.models_ = self.models_ | models
        return model

    def _score(self, data: Dataset, users: Ints) -> Floats:
        scores = np.full((len(users), data.n_items), -np.inf, np.float32)
        counts = {}
        for name, part in self._parts(data).items():
            model, items = self.models_[name], np.flatnonzero(self.codes_ == int(name))
            own = model._score(part, users)[:, items]
            own[~model.knows(part, users)] = -np.inf
            counts[name] = np.diff(part.indptr)[users] + 1
            scores[:, items] = counts[name][:, None] * scaled(own)
        total = np.sum(list(counts.values()), axis=0)
        scores /= total[:, None]
        return scores

    def _parts(self, data: Dataset) -> dict[str, Dataset]:
        """The data of each domain alone, which stay for the next batch of users."""
        kept: tuple[ReferenceType[Dataset], dict[str, Dataset]] | None = vars(self).get("_kept")
        if kept is None or kept[0]() is not data:
            parts = {name: data.of_items(self.codes_ == int(name)) for name in self.models_}
            kept = ref(data), parts
            vars(self)["_kept"] = kept
        return kept[1]

    def _affinity(self, sources: Ints, targets: Ints) -> Floats | None:
        found = np.zeros(len(sources), np.float32)
        for name, model in self.models_.items():
            here = (self.codes_[sources] == int(name)) & (self.codes_[targets] == int(name))
            if not here.any():
                continue
            affinity = model._affinity(sources[here], targets[here])
            if affinity is None:
                return None
            found[here] = affinity
        return found

    def _similar(self, items: Ints) -> Floats | None:
        found = np.full((len(items), len(self.codes_)), -np.inf, np.float32)
        for name, model in self.models_.items():
            rows = np.flatnonzero(self.codes_[items] == int(name))
            if not len(rows):
                continue
            similarity = model._similar(items[rows])
            if similarity is None:
                return None
            found[rows] = np.where(self.codes_ == int(name), similarity, -np.inf)
        return found

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return self._made().work(n_users, n_items, n_interactions)

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        return 2.0 * n_listed * n_items

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        copies = 32 * n_interactions  # of the data, a domain after the other, and all where lists are made
        return self._made().memory_needed(n_users, n_items, n_interactions) + copies + 3 * SCORE_BYTES
