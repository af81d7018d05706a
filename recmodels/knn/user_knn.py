"""User-based nearest neighbors: what the most similar users interact with, sparse from end to end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy import sparse

from recmodels.base import SCORE_BYTES
from recmodels.compute.work import mean_length, neighbors_work
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions
from recmodels.parameters import Renamed, Search
from recmodels.ranking.topk import TopK
from recmodels.scoring.ratings import Baseline, RatingPredictor, neighbor_deviations
from recmodels.scoring.similarity import Measure, Weighting, centered, nearest, weighted_rows
from recmodels.scoring.sparse_product import USERS_AT_A_TIME, SparseProduct


@dataclass
class UserKNN(SparseProduct, RatingPredictor):
    r"""User-based nearest neighbors: what the most similar users interact with.

    Score of item i for user u = Σ over u's nearest neighbors v of s_uv^amplification w_vi, over n_i^discount. With x_u
    the row of user u, weighted as `recmodels.scoring.similarity` defines, s_uv = x_u·x_v / (|x_u| |x_v|^2q +
    shrinkage); q = 1/2 is the cosine, a smaller q favors active neighbors. Amplification lets many neighbors count
    without drowning the closest. n_i is the number of users of i. `jaccard` has no powers; `pearson` compares ratings
    where there are some, centered by the user's mean: a user whose ratings are all equal is similar to nobody, and n
    items in common are trusted by (n - 1) / (n - 1 + shrinkage).

    Ratings: b_ui + Σ_v s_uv (r_vi - b_vi) / (rating_shrinkage + Σ_v s_uv) over the neighbors v of u that have rated i,
    b being the baseline of `recmodels.scoring.ratings`.

    Attributes:
        similarity_: float32 sparse [n_users, n_users]; row u holds u's neighbors.
        factor_: float32 [n_items], n_i^-discount.
        baseline_: float32 [3 + n_users + n_items], `Baseline.packed`; None without ratings.

    References:
        Resnick et al., "GroupLens: An Open Architecture for Collaborative Filtering of Netnews", CSCW 1994 (pearson).
        Breese, Heckerman & Kadie, "Empirical Analysis of Predictive Algorithms for Collaborative Filtering", UAI 1998
        (amplification).
        Herlocker et al., "An Algorithmic Framework for Performing Collaborative Filtering", SIGIR 1999.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> UserKNN().fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    neighbors: Annotated[int, Ge(1), Search(50, 2000, log=True)] = 400
    """How many similar users are kept for each user."""
    weighting: Annotated[Weighting | Literal["pearson"], Search(values=get_args(Weighting))] = "tfidf"
    """Which similarity: see `recmodels.scoring.similarity`."""
    shrinkage: Annotated[float, Ge(0), Search(0.0, 100.0)] = 0.0
    """A similarity that rests on so many items (for the cosines: in units of weight squared) is halved."""
    min_support: Annotated[int, Ge(1)] = 1
    """Users with fewer items in common are not neighbors."""
    activity_power: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.4
    """q: power of the squared norm of the neighbor; 0.5: no favor to users with long histories."""
    amplification: Annotated[float, Gt(0), Search(0.5, 4.0)] = 2.0
    """Power of the similarity in the score."""
    discount: Annotated[float, Ge(0)] = 0.0
    """Power of the popularity of an item that its score is divided by."""
    k1: Annotated[float, Ge(0)] = 1.2
    """BM25 alone: how soon a larger weight of a pair adds no more."""
    b: Annotated[float, Ge(0), Le(1)] = 0.75
    """BM25 alone: how much interactions count less in long rows, from 0 to 1."""
    rating_shrinkage: Annotated[float, Ge(0)] = 0.1
    """Ratings alone: added to the sum of similarities, which pulls predictions towards the baseline."""

    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ({"neighbors": 100}, {"neighbors": 25})
    renamed: ClassVar[Mapping[str, Renamed]] = {"doubt": "rating_shrinkage"}

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        self.baseline_ = Baseline.of(data).packed() if data.rated is not None else None
        powers = (0.5, self.activity_power)
        if self.weighting == "pearson":
            rows = centered(data.matrix if data.ratings is None else data.ratings)
            measure = Measure("pearson", self.shrinkage, self.min_support)
        else:
            rows = weighted_rows(data.matrix, self.weighting, self.k1, self.b)
            kind: Literal["dot", "jaccard"] = "jaccard" if self.weighting == "jaccard" else "dot"
            measure = Measure(kind, self.shrinkage, self.min_support, powers)
        self.similarity_: Csr = nearest(rows, measure, self.neighbors)
        popularity = np.maximum(np.bincount(data.item_index, minlength=data.n_items), 1)
        self.factor_: Floats = (popularity ** -float(self.discount)).astype(np.float32)  # [n_items]

    def _neighbors(self, data: Dataset, users: Ints) -> Csr:
        """The neighbors of a batch of users, amplified: [b, n_users]."""
        if data.n_users != self.similarity_.shape[0]:
            raise ValueError(
                f"The data have {data.n_users} users, the model was fitted on {self.similarity_.shape[0]}."
            )
        near: Csr = self.similarity_[users]
        near.data **= np.float32(self.amplification)
        return near

    def _product(self, data: Dataset, users: Ints) -> tuple[Csr, Csr, Floats]:
        return self._neighbors(data, users), data.matrix, self.factor_

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        """For each recommendation the item j of the user's history that contributed most, -1 where none can be named.

        A similarity is a sum over the items that two users share, so a score is one over the items of the history:
        Σ_v s_uv^amplification w_vi (share of j in the sum that is s_uv). Ties go to the smaller item index.
        """
        from recmodels.compute.jit import parallel_for
        from recmodels.knn import kernels
        from recmodels.scoring.kernels import parts

        reasons = np.full(top.items.shape, -1, np.int32)
        if self.weighting == "pearson":
            values = centered(data.matrix if data.ratings is None else data.ratings)
        else:
            values = weighted_rows(data.matrix, self.weighting, self.k1, self.b)
        if self.weighting == "jaccard":  # every item in common counts the same
            values = sparse.csr_array((np.ones_like(values.data), values.indices, values.indptr), shape=values.shape)
        for start in range(0, len(users), USERS_AT_A_TIME):
            some = users[start : start + USERS_AT_A_TIME]
            near, weights = parts(self._neighbors(data, some)), parts(data.matrix)
            given = some, top.items[start : start + USERS_AT_A_TIME], near, parts(values), weights, data.n_items
            found = reasons[start : start + USERS_AT_A_TIME]
            parallel_for(partial(kernels.shared_reasons, *given, found), range(kernels.TASKS))
        return reasons

    def _predict(self, data: Dataset, users: Ints, items: Ints) -> Floats:
        residuals: Csr = self._residuals(data).T.tocsr()  # [n_items, n_users]
        deviations = neighbor_deviations(self.similarity_, residuals, users, items, self.rating_shrinkage)
        return self._baseline(data).at(users, items) + deviations

    def why_not_folded(self) -> str:
        return "knows users by those who were found to be like them in training"

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return neighbors_work(n_items, n_interactions, n_users, self.neighbors)

    def list_products(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return mean_length(n_users, n_interactions) * min(self.neighbors, n_users)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 8 * n_users * min(self.neighbors, n_users) + max(3 * 12 * n_interactions, SCORE_BYTES)
