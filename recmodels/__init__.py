"""Recommenders as a plain library: data in, ranked lists out.

    from recmodels import EASE, Dataset

    data = Dataset.from_pandas(frame, user="customer", item="sku", time="ts")
    model = EASE(regularization=500).fit(data)
    model.recommend(data, users=["c17", "c42"], k=10).to_pandas()

The names below are the public API; a module is imported when one of its names is first used, so that a model of numpy
costs no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recmodels.answering import Answer, Answering
    from recmodels.apart import Apart
    from recmodels.base import Recommender
    from recmodels.content import Content
    from recmodels.data.dataset import Dataset
    from recmodels.ensemble.model import Ensemble
    from recmodels.errors import ConfigError, DataRefused, NightrecError
    from recmodels.evaluation import Comparison, Evaluation, compare, evaluate
    from recmodels.factors.als import ALS
    from recmodels.factors.bpr import BPR
    from recmodels.factors.mf import MF
    from recmodels.knn.item_knn import ItemKNN
    from recmodels.knn.transitions import Transitions
    from recmodels.knn.user_knn import UserKNN
    from recmodels.linear.ease import EASE
    from recmodels.linear.graph_filter import GraphFilter
    from recmodels.options import FitOptions
    from recmodels.pairwise.hybrid import Embedding, Hybrid
    from recmodels.pairwise.ncf import NCF
    from recmodels.persistence import load, save
    from recmodels.popularity import Popularity
    from recmodels.recommendations import Recommendations, SimilarItems
    from recmodels.registry import create
    from recmodels.transformer.model import Transformer

_MODULES = {
    "ALS": "factors.als",
    "Answer": "answering",
    "Answering": "answering",
    "Apart": "apart",
    "BPR": "factors.bpr",
    "Comparison": "evaluation",
    "ConfigError": "errors",
    "Content": "content",
    "DataRefused": "errors",
    "Dataset": "data.dataset",
    "EASE": "linear.ease",
    "Embedding": "pairwise.hybrid",
    "Ensemble": "ensemble.model",
    "Evaluation": "evaluation",
    "FitOptions": "options",
    "GraphFilter": "linear.graph_filter",
    "Hybrid": "pairwise.hybrid",
    "ItemKNN": "knn.item_knn",
    "MF": "factors.mf",
    "NCF": "pairwise.ncf",
    "NightrecError": "errors",
    "Popularity": "popularity",
    "Recommendations": "recommendations",
    "Recommender": "base",
    "SimilarItems": "recommendations",
    "Transformer": "transformer.model",
    "Transitions": "knn.transitions",
    "UserKNN": "knn.user_knn",
    "compare": "evaluation",
    "create": "registry",
    "evaluate": "evaluation",
    "load": "persistence",
    "save": "persistence",
}

__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "MF",
    "NCF",
    "Answer",
    "Answering",
    "Apart",
    "Comparison",
    "ConfigError",
    "Content",
    "DataRefused",
    "Dataset",
    "Embedding",
    "Ensemble",
    "Evaluation",
    "FitOptions",
    "GraphFilter",
    "Hybrid",
    "ItemKNN",
    "NightrecError",
    "Popularity",
    "Recommendations",
    "Recommender",
    "SimilarItems",
    "Transformer",
    "Transitions",
    "UserKNN",
    "compare",
    "create",
    "evaluate",
    "load",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"recmodels.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'recmodels' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
