"""Item-based nearest neighbors: items with users in common, sparse from end to end."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from annotated_types import Ge, Le

from recmodels.base import SCORE_BYTES, positive_evidence
from recmodels.compute.work import mean_length, neighbors_work
from recmodels.data.arrays import Bools, Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.knn.popularity_power import USUAL, chosen_power
from recmodels.options import FitOptions, WarmStarts
from recmodels.parameters import Renamed, Search
from recmodels.parted.training import held_rows, parted_training
from recmodels.ranking.topk import TopK
from recmodels.scoring.item_parts import nearest_items
from recmodels.scoring.kept_neighbors import nearest_after
from recmodels.scoring.parted_ratings import packed_baseline
from recmodels.scoring.ratings import RatingPredictor, neighbor_deviations
from recmodels.scoring.recency import Recency, histories_and_rows, recent_first
from recmodels.scoring.similarity import Measure, Weighting, centered, weighted_rows
from recmodels.scoring.sparse_product import SparseProduct, stored_reasons, stored_similar
from recmodels.scoring.unchanged import kept_rows, weights_of_items
from recmodels.scoring.weighted_parts import WeightedParts, Weights

POWERS = ("auto", 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)  # of popularity, that tuning tries
SAME = ("neighbors", "weighting", "shrinkage", "own_power", "popularity_power", "k1", "b")
"""Hyper-parameters of an earlier model that is gone on from."""


@dataclass
class ItemKNN(SparseProduct, RatingPredictor):
    r"""Item-based nearest neighbors: items that users of the history's items interact with too.

    Score of item i for user u = Σ over the items j of u's history of w_uj s_ji, over j's nearest neighbors i. With x_i
    the column of item i, weighted as `recmodels.scoring.similarity` defines, s_ji = x_j·x_i / (|x_j|^2p |x_i|^2q +
    shrinkage); powers p = q = 1/2 are the cosine. A smaller q favors popular neighbors, which is what lists are better
    for. `jaccard` has no powers; `pearson` (centered by the item's mean) and `adjusted_cosine` (by the user's) compare
    ratings where there are some, and trust a similarity that n users support by (n - 1) / (n - 1 + shrinkage).

    Ratings: b_ui + Σ_j s_ij (r_uj - b_uj) / (rating_shrinkage + Σ_j s_ij) over the neighbors j of i that u has rated,
    b being the baseline of `recmodels.scoring.ratings`.

    Attributes:
        popularity_power_: q as it was used; not there for `pearson` and `adjusted_cosine`.
        similarity_: float32 sparse [n_items, n_items]; row j holds j's neighbors.
        item_weights_: float32 [n_items], of the interactions that each item had when it was compared with all others.
        baseline_: float32 [3 + n_users + n_items], `Baseline.packed`; None without ratings.

    References:
        Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms", WWW 2001.
        Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering", TKDD 2010 (ratings: 2.2).
        Aiolli, "Efficient Top-N Recommendation for Very Large Scale Binary Rated Datasets", RecSys 2013 (asymmetric
        cosine).

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> ItemKNN().fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    neighbors: Annotated[int, Ge(1), Search(20, 1000, log=True)] = 100
    """How many similar items are kept for each item."""
    weighting: Annotated[Weighting | Literal["pearson", "adjusted_cosine"], Search(values=get_args(Weighting))] = (
        "tfidf"
    )
    """Which similarity: see `recmodels.scoring.similarity`."""
    shrinkage: Annotated[float, Ge(0), Search(0.0, 100.0)] = 0.0
    """A similarity that rests on so many users (for the cosines: in units of weight squared) is halved."""
    own_power: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.5
    """p: power of the squared norm of the item in the history."""
    popularity_power: Annotated[float, Ge(0), Search(values=POWERS)] | Literal["auto"] = "auto"
    """q: power of the squared norm of the item that is recommended; 0.5: no favor to popular items. `auto`: 0.5 where
    lists of some users and items, whose latest interactions are held out, are better by it beyond doubt, else 0.2."""
    k1: Annotated[float, Ge(0)] = 1.2
    """BM25 alone: how soon a larger weight of a pair adds no more."""
    b: Annotated[float, Ge(0), Le(1)] = 0.75
    """BM25 alone: how much interactions count less in long columns, from 0 to 1."""
    recency: Recency = 0.0
    """Lists alone: how much less the earlier items of a history count: by (1 + items that came after)^-recency. 0: all
    alike."""
    rating_shrinkage: Annotated[float, Ge(0)] = 0.1
    """Ratings alone: added to the sum of similarities, which pulls predictions towards the baseline."""
    warm_start: WarmStarts = "always"
    """Which trainings start from an earlier model: none; the final one, on all data; also those that are compared."""
    warm_change: Annotated[float, Ge(0)] = 0.05
    """An item is compared with all others anew then if its interactions have changed by more than this share since it
    last was."""

    folds_in: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False
    delegates: ClassVar[bool] = True
    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ({"neighbors": 50}, {"neighbors": 20})
    renamed: ClassVar[Mapping[str, Renamed]] = {"doubt": "rating_shrinkage"}

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        earlier = self._earlier(options)
        measure, kept = self._measure(data, earlier), None
        if earlier is not None and options.warm_start is not None:
            kept = kept_rows(
                options.warm_start, earlier.similarity_, earlier.item_weights_, weights_of_items(data), self.warm_change
            )
        made_from = {"parameters": asdict(self), "start": None if kept is None else kept.digest}
        with parted_training(options.parts, "item_knn", data, made_from) as training:
            self.baseline_ = packed_baseline(data, training)
            match self.weighting:
                case "cosine" | "jaccard" | "tfidf" | "bm25" as weighting if training is not None:
                    weights, changed = Weights(weighting, self.k1, self.b), None if kept is None else kept.changed
                    weighted = WeightedParts.of(training, data, weights, changed)
                    self.similarity_: Csr = nearest_items(weighted, measure, self.neighbors, kept)
                case _:
                    self.similarity_ = nearest_after(training, self._rows(data), measure, self.neighbors, kept)
        self.item_weights_: Floats = weights_of_items(data) if kept is None else kept.weights

    def _measure(self, data: Dataset, earlier: "ItemKNN | None") -> Measure:
        """What is computed of the values of `_rows`."""
        if self.weighting in ("pearson", "adjusted_cosine"):
            return Measure("pearson", self.shrinkage)
        self.popularity_power_: float = self._power(data, earlier)
        kind: Literal["dot", "jaccard"] = "jaccard" if self.weighting == "jaccard" else "dot"
        return Measure(kind, self.shrinkage, powers=(self.own_power, self.popularity_power_))

    def _rows(self, data: Dataset) -> Csr:
        """What is compared: a row an item [n_items, n_users]."""
        match self.weighting:
            case "pearson":
                return centered(self._compared(data).T.tocsr())
            case "adjusted_cosine":
                return centered(self._compared(data)).T.tocsr()
            case weighting:
                return weighted_rows(data.matrix.T.tocsr(), weighting, self.k1, self.b)

    @staticmethod
    def _compared(data: Dataset) -> Csr:
        """The ratings, if there are some: [n_users, n_items]."""
        return data.matrix if data.ratings is None else data.ratings

    def _earlier(self, options: FitOptions) -> "ItemKNN | None":
        """An earlier model of the same similarity, if there is one; of ratings there is none: they change unseen."""
        earlier = None if options.warm_start is None else options.warm_start.model
        if self.weighting in ("pearson", "adjusted_cosine"):
            return None
        if not isinstance(earlier, ItemKNN) or not hasattr(earlier, "item_weights_"):
            return None
        return earlier if all(getattr(earlier, name) == getattr(self, name) for name in SAME) else None

    def _power(self, data: Dataset, earlier: "ItemKNN | None") -> float:
        """q, chosen by the data if it is not given, and has a part in the measure; as it was, if it was chosen."""
        if self.popularity_power != "auto":
            return self.popularity_power
        if earlier is not None:
            return earlier.popularity_power_
        if self.weighting == "jaccard":
            return USUAL
        return chosen_power(lambda power, trial: replace(self, popularity_power=power).fit(trial), data)

    def _history(self, data: Dataset, users: Ints) -> Csr:
        return recent_first(data, users, self.recency)

    def _product(self, data: Dataset, users: Ints) -> tuple[Csr, Csr, Floats]:
        return self._history(data, users), self.similarity_, np.ones(data.n_items, np.float32)

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return np.asarray(self.similarity_[sources, targets], dtype=np.float32)

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        histories, rows = histories_and_rows(data, users, self.recency)
        return stored_reasons(histories, self.similarity_, rows, top.items)

    def _similar(self, items: Ints) -> Floats:
        return positive_evidence(self.similarity_[items])

    def _similar_items(self, items: Ints, k: int, allowed: Bools | None) -> TopK:
        return stored_similar(self.similarity_, items, k, allowed)

    def _predict(self, data: Dataset, users: Ints, items: Ints) -> Floats:
        some, rows = np.unique(users, return_inverse=True)
        residuals = self._residuals_of(data, some)
        deviations = neighbor_deviations(
            self.similarity_, residuals, items, rows.astype(np.int32), self.rating_shrinkage
        )
        return self._baseline(data).at(users, items) + deviations

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return neighbors_work(n_users, n_interactions, n_items, self.neighbors)

    def list_products(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return mean_length(n_users, n_interactions) * min(self.neighbors, n_items)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        entry = 24 if self._by_parts else 64  # by item, by user, and the ratings; deviations in float64
        held = held_rows(n_interactions) if self._by_parts else n_interactions
        return 8 * n_items * min(self.neighbors, n_items) + max(entry * held, SCORE_BYTES)

    def process_memory(self, n_users: int, n_items: int, n_interactions: int, *, mapped: bool = False) -> int:
        held = held_rows(n_interactions) if self._by_parts else n_interactions
        return super().process_memory(n_users, n_items, held, mapped=mapped)

    @property
    def _by_parts(self) -> bool:
        """Whether a training in parts holds no interactions: those of ratings are compared in memory."""
        return self.weighting in get_args(Weighting)
