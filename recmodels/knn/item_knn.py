"""Item-based nearest neighbours: items that the same users have, sparse from end to end."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import numpy as np
from annotated_types import Ge, Le

from recmodels.base import SCORE_BYTES, positive_evidence
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions
from recmodels.parameters import Search
from recmodels.scoring.ratings import Baseline, RatingPredictor, neighbors_say
from recmodels.scoring.similarity import Measure, Weighting, centred, nearest, weighed
from recmodels.scoring.sparse_product import SparseProduct


@dataclass
class ItemKNN(SparseProduct, RatingPredictor):
    r"""Score of item i for user u = sum over the items j of u's history of w_uj s_ji, over j's nearest neighbours i.

    With x_i the column of item i, weighted as `recmodels.scoring.similarity` defines,
    s_ji = x_j·x_i / (|x_j|^2p |x_i|^2q + shrinkage); powers p = q = 1/2 are the cosine (Sarwar et al., 2001). A smaller
    q favours popular neighbours, which is what lists are better for (asymmetric cosine: Aiolli, 2013). `jaccard` has no
    powers; `pearson` (centred by the item's mean) and `adjusted_cosine` (by the user's) compare ratings where there are
    some, and trust a similarity that n users support by the share (n - 1) / (n - 1 + shrinkage) (Koren, 2010).

    Ratings: b_ui + Σ_j s_ij (r_uj - b_uj) / (doubt + Σ_j s_ij) over the neighbours j of i that u has rated (Koren,
    2010, section 2.2), b being the baseline of `recmodels.scoring.ratings`.
    """

    neighbors: Annotated[int, Ge(1), Search(20, 1000, log=True)] = 100
    """How many similar items are kept for each item."""
    weighting: Annotated[Weighting | Literal["pearson", "adjusted_cosine"], Search(values=get_args(Weighting))] = (
        "tfidf"
    )
    """Which similarity: see `recmodels.scoring.similarity`."""
    shrinkage: Annotated[float, Ge(0), Search(0.0, 100.0)] = 0.0
    """How many users (in units of weight squared for the cosines) it takes to half believe a pair."""
    own_power: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.5
    """p: power of the squared norm of the item in the history."""
    popularity_power: Annotated[float, Ge(0), Search(0.0, 1.0)] = 0.2
    """q: power of the squared norm of the item that is recommended; 0.5: no favour to popular items."""
    k1: Annotated[float, Ge(0)] = 1.2
    """BM25 alone: how soon more weight of the same pair adds nothing."""
    b: Annotated[float, Ge(0), Le(1)] = 0.75
    """BM25 alone: how much less an item of many users says of each, from 0 to 1."""
    doubt: Annotated[float, Ge(0)] = 0.1
    """Ratings alone: similarity added to the neighbours', which speaks for the baseline."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        self.baseline_ = Baseline.of(data).packed() if data.rated is not None else None
        if self.weighting in ("pearson", "adjusted_cosine"):
            values = data.matrix if data.ratings is None else data.ratings
            of_item = self.weighting == "pearson"
            rows = centred(values.T.tocsr()) if of_item else centred(values).T.tocsr()
            measure = Measure("pearson", self.shrinkage)
        else:
            rows = weighed(data.matrix.T.tocsr(), self.weighting, self.k1, self.b)
            kind: Literal["dot", "jaccard"] = "jaccard" if self.weighting == "jaccard" else "dot"
            measure = Measure(kind, self.shrinkage, powers=(self.own_power, self.popularity_power))
        self.similarity_: Csr = nearest(rows, measure, self.neighbors)  # [n_items, n_items]: row j holds j's neighbours

    def _product(self, data: Dataset, users: Ints) -> tuple[Csr, Csr, Floats]:
        return data.matrix[users], self.similarity_, np.ones(data.n_items, np.float32)

    def _affinity(self, sources: Ints, targets: Ints) -> Floats:
        return np.asarray(self.similarity_[sources, targets], dtype=np.float32)

    def _similar(self, items: Ints) -> Floats:
        return positive_evidence(self.similarity_[items])

    def _predict(self, data: Dataset, users: Ints, items: Ints) -> Floats:
        said = neighbors_say(self.similarity_, self._residuals(data), items, users, self.doubt)
        return self._baseline(data).at(users, items) + said

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        kept = 8 * n_items * min(self.neighbors, n_items)  # twice: the kernel's tables, then without empty places
        return 3 * 12 * n_interactions + 2 * kept + SCORE_BYTES
