"""The rules that lists are chosen by, beyond what a model ranks highest: those of the nightly run, in a simulation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from recmodels.errors import ConfigError
from recmodels.ranking.exposure import Bounds
from recmodels.ranking.rerank import Rules
from recmodels.simulation.known import Known

NO_CAP = 1000  # as many items as a list can have


@dataclass(frozen=True)
class Reranking:
    """Rules of lists, as `recmodels.ranking.rerank` explains them; the defaults change nothing.

    Attributes:
        relevance_weight: relevance against diversity, 0 to 1; 1: the model's order.
        calibration: how much a user's mix of categories counts against relevance, 0 to 1.
        popularity_damping: how much popularity lowers relevance, 0 to 10.
        new_share: share of a list's places that go to new items, 0 to 1.
        new_days: an item is new for so many nights.
        max_per_category: the most items of one category in a list; None: any number.
        least: the least share of all lists' exposure that a category has, by category.
        most: the most, likewise.
        pool: items per user that a list is chosen from.
    """

    relevance_weight: float = 1.0
    calibration: float = 0.0
    popularity_damping: float = 0.0
    new_share: float = 0.0
    new_days: float = 30.0
    max_per_category: int | None = None
    least: Mapping[int, float] = field(default_factory=dict)
    most: Mapping[int, float] = field(default_factory=dict)
    pool: int = 100

    def __post_init__(self) -> None:
        """Raise ConfigError for a value out of its range."""
        shares = {f"least.{name}": share for name, share in self.least.items()}
        shares |= {f"most.{name}": share for name, share in self.most.items()}
        shares |= {name: getattr(self, name) for name in ("relevance_weight", "calibration", "new_share")}
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value}; give a number from 0 to 1.")
        if not 0 <= self.popularity_damping <= 10:
            raise ConfigError(f"popularity_damping is {self.popularity_damping}; give a number from 0 to 10.")
        for name, count in {"pool": self.pool, "max_per_category": self.max_per_category}.items():
            if count is not None and count < 1:
                raise ConfigError(f"{name} is {count}; give 1 or more.")

    def __str__(self) -> str:
        """What is not the default."""
        plain = Reranking()
        given = (entry.name for entry in fields(self) if getattr(self, entry.name) != getattr(plain, entry.name))
        return ", ".join(f"{name}={getattr(self, name)}" for name in given)

    def rules(self, known: Known) -> Rules:
        """The rules of a night."""
        n_categories = int(known.category.max(initial=-1)) + 1
        each = np.arange(len(known.category) + 1), known.category
        return Rules(
            allowed=known.out,
            pool=self.pool,
            relevance_weight=self.relevance_weight,
            new_share=self.new_share,
            new=known.born > known.night - self.new_days if self.new_share else None,
            categories=each if self.calibration or self.max_per_category else None,
            caps=np.full(n_categories, self.max_per_category or NO_CAP, np.int32),
            calibration=self.calibration,
            popularity_damping=self.popularity_damping,
            popularity=known.popularity() if self.popularity_damping else None,
            bounds=self._bounds(known) if self.least or self.most else None,
        )

    def _bounds(self, known: Known) -> Bounds:
        """Of the categories that have one, each a group."""
        bounded = np.array(sorted({*self.least, *self.most}))
        member = np.isin(known.category, bounded)
        indptr = np.concatenate([[0], np.cumsum(member)])
        indices = np.searchsorted(bounded, known.category[member]).astype(np.int32)
        least = np.array([self.least.get(category, 0.0) for category in bounded])
        most = np.array([self.most.get(category, 1.0) for category in bounded])
        return Bounds(indptr, indices, least, most)
