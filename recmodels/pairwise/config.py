"""The hyper-parameters of models that are trained on pairs of a user and an item."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray

from recmodels.data.arrays import Csr
from recmodels.options import WarmStarts
from recmodels.parameters import Search, Seed

MIN_NEGATIVES, MAX_NEGATIVES, MAX_SCORES = 512, 4096, 2**28
"""Negatives that a group of users draws, and scores of all users with theirs, by default."""

GROUP = 2048
"""Interactions of a group of users, who share negatives; more where they draw more. Without groups the steps of a large
site would draw a few thousand negatives for millions of interactions, and most items would be positives alone: as
Adagrad's steps are as long for small gradients as for large ones, rare items would rise above all others."""

STEPS, MIN_BATCH = 60, 2048
"""Steps of an epoch, and the fewest interactions of one: more steps overfit where there are many interactions."""


@dataclass
class PairConfig:
    """The features that vectors are sums of, and how they are trained."""

    factors: Annotated[int, Ge(1), Search(16, 256, log=True)] = 64
    """Length of the vectors."""
    loss: Annotated[Literal["softmax", "bpr", "warp", "bce"], Search()] = "softmax"
    """Against negatives: softmax cross-entropy, BPR, WARP or binary cross-entropy."""
    negatives: Annotated[int, Ge(1)] | None = None
    """Negatives that each group of users draws; all items, if it is as many. None: 4,096, or as many as 2²⁸ scores of
    all users allow, at least 512."""
    negative_exponent: float | None = None
    """Negatives are drawn by popularity to this power; 0: uniformly. None: 0.75 for softmax, which corrects for it, 0
    for the other losses."""
    popularity_exponent: float = 0.0
    """Interactions count by their item's popularity to minus this power (inverse propensity): above 0, the tail counts
    more."""
    weighted: bool = True
    """Whether interactions count by their weights."""
    batch: Annotated[int, Ge(1)] | None = None
    """Interactions in a step, of whole users; None: a 60th of all, at least 2,048."""
    epochs: Annotated[int, Ge(1), Search(3, 30, log=True)] = 8
    """Passes over all interactions."""
    learning_rate: Annotated[float, Gt(0), Search(0.02, 0.5, log=True)] = 0.1
    """Of Adagrad in the first epoch; it falls linearly to 0."""
    regularization: Annotated[float, Ge(0), Search(0.2, 10.0, log=True)] = 2.0
    """L2 penalty, against the sum of a step's losses: of a user's or an item's vectors an eighth of it for each of
    their interactions in the step, of terms' vectors all of it. With warp all of it for every vector that occurs."""
    history: bool = True
    """Whether the items of a user's history are features of the user."""
    content: bool = True
    """Whether an item's terms add to its vectors."""
    user_content: bool = True
    """Whether the columns of the user table add to users' vectors."""
    user_ids: bool = True
    """Whether users have vectors of their own."""
    dropout: Annotated[float, Ge(0), Lt(1), Search(0.0, 0.9)] = 0.5
    """Share of the users' histories that a step hides from their features."""
    id_dropout: Annotated[float, Ge(0), Lt(1), Search(0.0, 0.7)] = 0.1
    """Share of users, and of items, whose own vector a step drops."""
    warm_start: WarmStarts = "no"
    """Which trainings start from an earlier model: none; the final one, on all data; also those that are compared."""
    warm_epochs: Annotated[int, Ge(0)] | None = None
    """Passes over all interactions then; None: an eighth of `epochs`, at least one."""
    warm_rate: Annotated[float, Gt(0), Le(1)] = 0.25
    """The first learning rate then, as a share of `learning_rate`: 1 / `epochs` is that of a training's last pass."""
    seed: Seed = 0

    def epochs_from(self, *, warm: bool) -> int:
        """Passes over all interactions, from an earlier model or from nothing."""
        if not warm:
            return self.epochs
        return max(1, self.epochs // 8) if self.warm_epochs is None else self.warm_epochs

    def n_negatives(self, n_users: int) -> int:
        """How many negatives a group draws."""
        return self.negatives or max(MIN_NEGATIVES, min(MAX_NEGATIVES, MAX_SCORES // max(1, n_users)))

    def group(self, n_users: int) -> int:
        """How many interactions a group has."""
        return max(GROUP, self.n_negatives(n_users))

    def sampling_exponent(self) -> float:
        """The power of popularity by which negatives are drawn."""
        default = 0.75 if self.loss == "softmax" else 0.0
        return default if self.negative_exponent is None else self.negative_exponent


def normalized_history(history: Csr) -> Csr:
    """Histories as features: each row of weights [b, n_items] over the root of its sum."""
    sums: NDArray[np.float32] = np.asarray(history.sum(axis=1)).ravel()
    matrix: Csr = history.copy()
    matrix.data /= np.repeat(np.sqrt(sums), np.diff(history.indptr)).astype(np.float32)
    return matrix
