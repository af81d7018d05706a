"""Where each recommender's hyper-parameters are searched: one table, a row a parameter.

What is not named keeps its default, or what the site has configured. A space holds the default, so that a search
starts from it and never ends below it.
"""

from dataclasses import dataclass
from typing import TypeAlias

from recmodels.errors import ConfigError
from recmodels.registry import kind_of


@dataclass(frozen=True)
class Whole:
    """Whole numbers from low to high; on a logarithmic scale where only the order of magnitude counts."""

    low: int
    high: int
    log: bool = False

    def holds(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high


@dataclass(frozen=True)
class Real:
    """Numbers from low to high."""

    low: float
    high: float
    log: bool = False

    def holds(self, value: object) -> bool:
        return isinstance(value, float) and self.low <= value <= self.high


@dataclass(frozen=True)
class OneOf:
    """One of some values."""

    values: tuple[str | float | int | bool | None, ...]

    def holds(self, value: object) -> bool:
        return value in self.values


Range: TypeAlias = Whole | Real | OneOf
Space: TypeAlias = dict[str, Range]

OF_PAIRS: Space = {
    "factors": Whole(16, 256, log=True),
    "epochs": Whole(3, 30, log=True),
    "learning_rate": Real(0.02, 0.5, log=True),
    "regularization": Real(0.2, 10.0, log=True),
    "loss": OneOf(("softmax", "bpr", "warp", "bce")),
}

SPACES: dict[str, Space] = {
    "popularity": {"half_life_days": OneOf((None, 1.0, 3.0, 7.0, 14.0, 30.0, 90.0))},
    "item_knn": {
        "neighbors": Whole(20, 1000, log=True),
        "weighting": OneOf(("cosine", "jaccard", "tfidf", "bm25")),
        "shrinkage": Real(0.0, 100.0),
        "own_power": Real(0.0, 1.0),
        "popularity_power": Real(0.0, 1.0),
    },
    "user_knn": {
        "neighbors": Whole(50, 2000, log=True),
        "weighting": OneOf(("cosine", "jaccard", "tfidf", "bm25")),
        "shrinkage": Real(0.0, 100.0),
        "activity_power": Real(0.0, 1.0),
        "amplification": Real(0.5, 4.0),
    },
    "bpr": {
        "factors": Whole(16, 256, log=True),
        "epochs": Whole(10, 100, log=True),
        "learning_rate": Real(0.02, 1.0, log=True),
        "regularization": Real(0.001, 0.5, log=True),
    },
    "mf": {
        "factors": Whole(16, 256, log=True),
        "learning_rate": Real(0.002, 0.1, log=True),
        "regularization": Real(0.005, 0.5, log=True),
        "popularity": Real(0.0, 3.0),
    },
    "als": {
        "factors": Whole(16, 512, log=True),
        "regularization": Real(0.0005, 0.5, log=True),
        "frequency_power": Real(0.0, 1.0),
        "unobserved": Real(1.0, 200.0, log=True),
    },
    "ease": {"regularization": Real(10.0, 10_000.0, log=True)},
    "graph_filter": {
        "rank": Whole(32, 1024, log=True),
        "user_exponent": Real(0.0, 0.8),
        "item_exponent": Real(0.0, 0.8),
        "saturation": Real(0.3, 1.0),
        "remainder": Real(0.0, 1.0),
    },
    "transformer": {
        "width": OneOf((32, 64, 128, 256)),
        "layers": Whole(1, 4),
        "dropout": Real(0.0, 0.7),
        "temperature": Real(0.02, 0.3, log=True),
        "block": OneOf(("sasrec", "ligr", "bsarec")),
        "objective": OneOf(("next", "days")),
        "learning_rate": Real(2e-4, 1e-2, log=True),
        "weight_decay": Real(0.0, 1.0),
    },
    "hybrid": OF_PAIRS | {"dropout": Real(0.0, 0.9), "id_dropout": Real(0.0, 0.7), "content": OneOf((True, False))},
    "embedding": OF_PAIRS,
    "ncf": OF_PAIRS | {"dropout": Real(0.0, 0.9), "id_dropout": Real(0.0, 0.7), "hidden": Whole(4, 64, log=True)},
}


def space_of(name: str) -> Space:
    """Where the parameters of a recommender are searched. Raises ConfigError where there is nothing to search."""
    kind_of(name)
    if name not in SPACES:
        raise ConfigError(f"{name} has no parameters to tune; there are spaces for: {', '.join(SPACES)}.")
    return SPACES[name]
