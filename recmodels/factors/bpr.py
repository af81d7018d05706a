"""BPR: factors that rank a user's history above other items (Rendle et al., "BPR", UAI 2009)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from recmodels.base import SCORE_BYTES
from recmodels.compute.work import A_VECTOR
from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions, WarmStart, WarmStarts
from recmodels.parameters import Search, Seed
from recmodels.sampling import normal_rows, propensity_weights, sampling_probabilities
from recmodels.scoring.dot_product import DotProduct

WARM_SHARE = 0.1  # of the epochs, that a warm start has by default


@dataclass
class BPR(DotProduct):
    r"""Bayesian personalized ranking: factors that rank items of the history above items outside it.

    Score x_ui = p_u·q_i + b_i, trained by gradient ascent on ln sigmoid(x_ui - x_uj) for items i of u's history and
    negatives j outside it. Each epoch takes every interaction once, with a fresh negative; items of the history are
    never drawn. Of `candidates` random ones the highest score is taken: the items that u would wrongly be shown teach
    most (dynamic negative sampling); 1 is BPR as published. The learning rate falls linearly to 0. Weights play no
    part, as in the paper, unless `weighted` is set. The same seed gives the same factors for any number of threads
    (`recmodels.factors.sgd`).

    Attributes:
        user_vectors_: float32 [n_users, factors + 1], p and a 1.
        item_vectors_: float32 [n_items, factors + 1], q and b; zeros for items without interactions.

    References:
        Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
        Zhang et al., "Optimizing Top-N Collaborative Filtering via Dynamic Negative Item Sampling", SIGIR 2013.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> BPR(factors=2).fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    needs_others: ClassVar[bool] = False
    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ({"factors": 32}, {"factors": 16})

    factors: Annotated[int, Ge(1), Search(16, 256, log=True)] = 64
    """Length of the vectors."""
    epochs: Annotated[int, Ge(1), Search(10, 100, log=True)] = 40
    """How often every interaction is taken."""
    learning_rate: Annotated[float, Gt(0), Search(0.02, 1.0, log=True)] = 0.2
    """Step of the first epoch."""
    regularization: Annotated[float, Ge(0), Search(0.001, 0.5, log=True)] = 0.05
    """Pull of vectors and biases towards 0 at each step."""
    candidates: Annotated[int, Ge(1)] = 4
    """Random items outside the history, of which the highest scored is the negative."""
    negative_exponent: float = 0.0
    """Negatives are drawn by popularity to this power; 0: uniformly."""
    popularity_exponent: float = 0.0
    """Propensity weights: interactions count by their item's popularity to minus this power."""
    weighted: bool = False
    """Whether interactions count by their weights."""
    warm_start: WarmStarts = "always"
    """Which trainings start from an earlier model: none; the final one, on all data; also those that are compared."""
    warm_epochs: Annotated[int, Ge(0)] | None = None
    """How often every interaction is taken then; None: a tenth of `epochs`, at least once."""
    warm_rate: Annotated[float, Gt(0), Le(1)] = 0.1
    """The first step then, as a share of `learning_rate`."""
    seed: Seed = 0

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        from recmodels.factors import sgd

        rng = np.random.default_rng(self.seed)
        blocks = sgd.blocks_for(data.n_users, data.n_items)
        known = data.known_items
        probabilities = sampling_probabilities(data, self.negative_exponent)
        weights = np.empty(0, np.float32)  # empty: all count the same
        if self.weighted or self.popularity_exponent:
            weights = propensity_weights(data, self.popularity_exponent, weighted=self.weighted)
        matrix = data.matrix
        users, items = (
            normal_rows(rng, 0.1 / np.sqrt(self.factors), n, self.factors) for n in (data.n_users, data.n_items)
        )
        bias = np.zeros(data.n_items, np.float32)
        warm = self._take_over(options.warm_start, users, items, bias)
        epochs, first_rate = (self._warm_epochs(), self.warm_rate) if warm else (self.epochs, 1.0)
        for _, done in options.rounds(epochs):
            user_block, item_block = (rng.integers(0, blocks, n).astype(np.int8) for n in (data.n_users, data.n_items))
            members = known[np.argsort(item_block[known], kind="stable")]
            member_starts = np.searchsorted(item_block[members], np.arange(blocks + 1))
            ends = np.cumsum(probabilities[members]) if self.negative_exponent else np.empty(0)
            by_user, by_item, source, starts = sgd.cells(
                data.user_index, data.item_index, user_block, item_block, blocks
            )
            rate = np.float32(first_rate * self.learning_rate * (1 - done))
            given = (
                by_user, by_item, weights[source] if len(weights) else weights, starts, members, member_starts, ends,
                matrix.indptr, matrix.indices, users, items, bias, rate, np.float32(self.regularization),
                self.candidates, int(rng.integers(2**62)),
            )  # fmt: skip
            sgd.each_cell(partial(sgd.bpr_cell, *given), blocks)
        if not (np.isfinite(users).all() and np.isfinite(items).all()):
            raise NightrecError(f"BPR diverged with learning_rate {self.learning_rate}; give a smaller one.")
        self.user_vectors_: Floats = np.append(users, np.ones((data.n_users, 1), np.float32), axis=1)
        self.item_vectors_: Floats = np.zeros((data.n_items, self.factors + 1), np.float32)  # the bias comes last
        self.item_vectors_[known] = np.append(items, bias[:, None], axis=1)[known]

    def _warm_epochs(self) -> int:
        return max(1, round(WARM_SHARE * self.epochs)) if self.warm_epochs is None else self.warm_epochs

    def _take_over(self, start: WarmStart | None, users: Floats, items: Floats, bias: Floats) -> bool:
        """Set the rows that an earlier model of as many factors has learned, if there is one; others stay random."""
        if start is None or not isinstance(start.model, BPR) or start.model.factors != self.factors:
            return False
        vectors = {"users": start.model.user_vectors_, "items": start.model.item_vectors_}
        for part, own in (("users", users), ("items", items)):
            known = start.known_rows(part, vectors[part][:, :-1])
            learned = known.any(axis=1)
            own[learned] = known[learned]
        bias[:] = start.known_rows("items", vectors["items"][:, -1])
        return True

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        if data.n_users != len(self.user_vectors_):
            raise ValueError(f"The data have {data.n_users} users, the model was fitted on {len(self.user_vectors_)}.")
        return self.user_vectors_[users]

    def _similarity_vectors(self) -> Floats:
        return self.item_vectors_[:, :-1]  # without the bias, which is popularity

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return self.epochs * n_interactions * (self.candidates + 3.0) * (self.factors + A_VECTOR)  # scores, three steps

    def rounds(self) -> int:
        return self.epochs

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        vectors = 4 * (self.factors + 1)
        cells = 12 * n_interactions  # twice: those of the last epoch until there are those of the next
        kept = vectors * (n_users + 3 * n_items)  # with their biases, once more
        return vectors * (n_users + n_items) + max(2 * cells, cells + kept, SCORE_BYTES)
