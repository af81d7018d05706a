"""User-based nearest neighbours: what the users most like this one have, sparse from end to end."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, get_args

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy import sparse

from recmodels.base import SCORE_BYTES
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions
from recmodels.parameters import Search
from recmodels.ranking.topk import TopK
from recmodels.scoring.ratings import Baseline, RatingPredictor, neighbors_say
from recmodels.scoring.similarity import Measure, Weighting, centred, nearest, weighed
from recmodels.scoring.sparse_product import USERS_AT_A_TIME, SparseProduct


@dataclass
class UserKNN(SparseProduct, RatingPredictor):
    r"""Score of item i for user u = sum over u's nearest neighbours v of s_uv^amplification w_vi, over n_i^discount.

    With x_u the row of user u, weighted as `recmodels.scoring.similarity` defines, s_uv = x_u·x_v / (|x_u| |x_v|^2q +
    shrinkage); q = 1/2 is the cosine (Herlocker et al., 1999), a smaller q favours active neighbours. Amplification is
    that of Breese, Heckerman and Kadie (1998): it lets many neighbours speak without drowning the closest. n_i is how
    many users have i. `jaccard` has no powers; `pearson` compares ratings where there are some, centred by the user's
    mean: a user who rates everything alike is similar to nobody (Resnick et al., 1994), and n items in common are
    trusted by the share (n - 1) / (n - 1 + shrinkage) (Koren, 2010).

    Ratings: b_ui + Σ_v s_uv (r_vi - b_vi) / (doubt + Σ_v s_uv) over the neighbours v of u that have rated i, b being
    the baseline of `recmodels.scoring.ratings`.
    """

    neighbors: Annotated[int, Ge(1), Search(50, 2000, log=True)] = 400
    """How many similar users are kept for each user."""
    weighting: Annotated[Weighting | Literal["pearson"], Search(values=get_args(Weighting))] = "tfidf"
    """Which similarity: see `recmodels.scoring.similarity`."""
    shrinkage: Annotated[float, Ge(0), Search(0.0, 100.0)] = 0.0
    """How many items in common (in units of weight squared for the cosines) it takes to half believe a pair."""
    min_support: Annotated[int, Ge(1)] = 1
    """Users with fewer items in common are not neighbours."""
    activity_power: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.4
    """q: power of the squared norm of the neighbour; 0.5: no favour to users with long histories."""
    amplification: Annotated[float, Gt(0), Search(0.5, 4.0)] = 2.0
    """Power of the similarity in the score."""
    discount: Annotated[float, Ge(0)] = 0.0
    """Power of the popularity of an item that its score is divided by."""
    k1: Annotated[float, Ge(0)] = 1.2
    """BM25 alone: how soon more weight of the same pair adds nothing."""
    b: Annotated[float, Ge(0), Le(1)] = 0.75
    """BM25 alone: how much less a user of many items says with each, from 0 to 1."""
    doubt: Annotated[float, Ge(0)] = 0.1
    """Ratings alone: similarity added to the neighbours', which speaks for the baseline."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        self.baseline_ = Baseline.of(data).packed() if data.rated is not None else None
        powers = (0.5, self.activity_power)
        if self.weighting == "pearson":
            rows = centred(data.matrix if data.ratings is None else data.ratings)
            measure = Measure("pearson", self.shrinkage, self.min_support)
        else:
            rows = weighed(data.matrix, self.weighting, self.k1, self.b)
            kind: Literal["dot", "jaccard"] = "jaccard" if self.weighting == "jaccard" else "dot"
            measure = Measure(kind, self.shrinkage, self.min_support, powers)
        self.similarity_: Csr = nearest(rows, measure, self.neighbors)  # [n_users, n_users]: row u holds u's neighbours
        popularity = np.maximum(np.bincount(data.item_index, minlength=data.n_items), 1)
        self.factor_: Floats = (popularity ** -float(self.discount)).astype(np.float32)  # [n_items]

    def _neighbors(self, data: Dataset, users: Ints) -> Csr:
        """The neighbours of a batch of users, amplified: [b, n_users]."""
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
            values = centred(data.matrix if data.ratings is None else data.ratings)
        else:
            values = weighed(data.matrix, self.weighting, self.k1, self.b)
        if self.weighting == "jaccard":  # every item in common says the same
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
        said = neighbors_say(self.similarity_, residuals, users, items, self.doubt)
        return self._baseline(data).at(users, items) + said

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        kept = 8 * n_users * min(self.neighbors, n_users)  # twice: the kernel's tables, then without empty places
        return 3 * 12 * n_interactions + 2 * kept + SCORE_BYTES
