"""Content by dense vectors: what an encoder makes of the items' texts, where `content` compares their words."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from scipy import sparse

from recmodels.base import SCORE_BYTES
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import DataRefused
from recmodels.options import FitOptions
from recmodels.scoring.dot_product import DotProduct

TINY = float(np.finfo(np.float32).tiny)


@dataclass
class VectorContent(DotProduct):
    """Score of item i for user u = cos(p_u, v_i) + popularity log(1 + n_i) / log(1 + max n).

    v_i are the vectors of the items (the terms of the data, of which every one is given), less their mean if
    `centered`, as those of encoders have much in common. The profile p_u is the sum of w_uj 2^(-age / half_life_days)
    v_j over the items j of the user's history, n_i the weight of an item's interactions. Nothing else is learned, so
    items without any interaction are ranked by what they are.

    Attributes:
        item_vectors_: v, of length one, and what popularity adds: float32 [n_items, d + 1].

    References:
        Mu and Viswanath, "All-but-the-top: simple and effective postprocessing for word representations", ICLR 2018
            (`centered`).
    """

    folds_in: ClassVar[bool] = True

    popularity: Annotated[float, Ge(0)] = 0.0
    """How far the most popular item is ahead of one without interactions; 0: content alone."""
    half_life_days: Annotated[float, Gt(0)] | None = 30.0
    """An interaction counts half that is so much older than the user's last one; None: all count the same."""
    centered: bool = True
    """Whether the mean of all vectors is taken off each."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        if data.terms.nnz == 0:
            raise DataRefused("The items have no vectors to compare; give `vectors`, a row an item.")
        vectors = data.terms.toarray()
        if self.centered:
            vectors -= vectors.mean(axis=0)
        logs = np.log1p(np.bincount(data.item_index, data.weight, data.n_items))
        prior = self.popularity * logs / max(logs.max(), TINY)
        self.item_vectors_: Floats = np.column_stack([_unit(vectors), prior]).astype(np.float32)

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        history = data.matrix if self.half_life_days is None else _faded(data, self.half_life_days)
        profiles = history[users] @ self.item_vectors_[:, :-1]
        return np.column_stack([_unit(profiles), np.ones(len(users))]).astype(np.float32)

    def _similarity_vectors(self) -> Floats:
        return self.item_vectors_[:, :-1]

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return SCORE_BYTES + 16 * n_interactions + 16 * 1024 * n_items


def _faded(data: Dataset, half_life_days: float) -> Csr:
    """The weights of all interactions, halved every so many days before their user's last one: [n_users, n_items]."""
    last = data.timestamp[np.maximum(data.indptr[1:] - 1, 0)]
    age = (last[data.user_index] - data.timestamp) / MICROSECONDS_PER_DAY
    weight = (data.weight * 0.5 ** (age / half_life_days)).astype(np.float32)
    faded: Csr = sparse.csr_array((weight, data.item_index, data.indptr), shape=(data.n_users, data.n_items))
    return faded


def _unit(vectors: Floats) -> Floats:
    """Rows of length one; zeros stay."""
    unit: Floats = vectors / np.maximum(np.sqrt(np.square(vectors).sum(axis=1)), TINY)[:, None]
    return unit
