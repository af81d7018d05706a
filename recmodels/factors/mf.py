"""MF: biased matrix factorization of ratings (Koren, Bell and Volinsky, "Matrix Factorization Techniques", 2009)."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt

from recmodels.base import SCORE_BYTES
from recmodels.compute.work import A_VECTOR
from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.parameters import Search, Seed
from recmodels.sampling import normal_rows
from recmodels.scoring.dot_product import DotProduct
from recmodels.scoring.ratings import Baseline, RatingPredictor


@dataclass
class MF(DotProduct, RatingPredictor):
    r"""Biased matrix factorization of ratings.

    Rating r_ui = mean + b_u + b_i + p_u·q_i, trained by stochastic gradient descent on the squared error. All ratings
    count, also of pairs excluded from training (`Dataset.rated`); where there are none, the weights take their place.
    The learning rate falls linearly to 0.

    As a list, the highest predicted ratings are items that few have rated, and rated well; a user's next item is one
    of those that many interact with: so lists are ordered by b_i + p_u·q_i + popularity · ln n_i, n_i being how many
    rated i. The same seed gives the same factors for any number of threads (`recmodels.factors.sgd`).

    Attributes:
        user_factors_: float32 [n_users, factors], p; zeros for users without ratings.
        item_factors_: float32 [n_items, factors], q; zeros for items without ratings.
        item_vectors_: float32 [n_items, factors + 1], q and what else orders lists; zeros for items without
            interactions to train on.
        baseline_: float32 [3 + n_users + n_items], the range and mean of ratings, b_u and b_i (`Baseline.packed`).

    References:
        Koren, Bell & Volinsky, "Matrix Factorization Techniques for Recommender Systems", IEEE Computer 2009.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], rating=[5, 1, 5, 1, 5])
        >>> predicted = MF(factors=2).fit(data).predict(data, np.array([2]), np.array([1]))
        >>> round(float(predicted[0]), 1)
        2.3
    """

    needs_others: ClassVar[bool] = False

    factors: Annotated[int, Ge(1), Search(16, 256, log=True)] = 100
    """Length of the vectors."""
    epochs: Annotated[int, Ge(1)] = 60
    """How often every rating is taken."""
    learning_rate: Annotated[float, Gt(0), Search(0.002, 0.1, log=True)] = 0.02
    """Step of the first epoch."""
    regularization: Annotated[float, Ge(0), Search(0.005, 0.5, log=True)] = 0.08
    """Pull of the vectors towards 0 at each step."""
    bias_regularization: Annotated[float, Ge(0)] = 0.15
    """Pull of the biases towards 0 at each step."""
    popularity: Annotated[float, Ge(0), Search(0.0, 3.0)] = 1.0
    """Lists alone: rating points that an item with e times as many ratings gains."""
    seed: Seed = 0

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        from recmodels.factors import sgd

        rng = np.random.default_rng(self.seed)
        rated = data.rated or (data.user_index, data.item_index, data.weight)
        mean, blocks = np.float32(rated[2].mean(dtype=np.float64)), sgd.blocks_for(data.n_users, data.n_items)
        users, items = (
            normal_rows(rng, 0.2 / np.sqrt(self.factors), n, self.factors) for n in (data.n_users, data.n_items)
        )
        user_bias, item_bias = np.zeros(data.n_users, np.float32), np.zeros(data.n_items, np.float32)
        for _, done in options.rounds(self.epochs):
            user_block, item_block = (rng.integers(0, blocks, n).astype(np.int8) for n in (data.n_users, data.n_items))
            by_user, by_item, source, starts = sgd.cells(rated[0], rated[1], user_block, item_block, blocks)
            rate = np.float32(self.learning_rate * (1 - done))
            given = (
                by_user, by_item, rated[2][source], starts, mean, users, items, user_bias, item_bias,
                rate, np.float32(self.regularization), np.float32(self.bias_regularization),
            )  # fmt: skip
            sgd.each_cell(partial(sgd.mf_cell, *given), blocks)
        if not (np.isfinite(users).all() and np.isfinite(items).all()):
            raise NightrecError(f"MF diverged with learning_rate {self.learning_rate}; give a smaller one.")
        known_users = np.bincount(rated[0], minlength=data.n_users)
        known_items = np.bincount(rated[1], minlength=data.n_items)
        users[known_users == 0] = items[known_items == 0] = 0  # without ratings: the mean is the best guess
        lowest, highest = float(rated[2].min()), float(rated[2].max())
        self.baseline_: Floats | None = Baseline(lowest, highest, float(mean), user_bias, item_bias).packed()
        self.user_factors_, self.item_factors_ = users, items
        trained = np.bincount(data.item_index, minlength=data.n_items) > 0  # others are never listed
        prior = item_bias + np.float32(self.popularity) * np.log(np.maximum(known_items, 1)).astype(np.float32)
        self.item_vectors_: Floats = np.append(items, prior[:, None], axis=1) * trained[:, None]

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        if data.n_users != len(self.user_factors_):
            raise ValueError(f"The data have {data.n_users} users, the model was fitted on {len(self.user_factors_)}.")
        return np.append(self.user_factors_[users], np.ones((len(users), 1), np.float32), axis=1)

    def _predict(self, data: Dataset, users: Ints, items: Ints) -> Floats:
        taste = np.einsum("nf,nf->n", self.user_factors_[users], self.item_factors_[items])
        predicted: Floats = self._baseline(data).at(users, items) + taste
        return predicted

    def _similarity_vectors(self) -> Floats:
        return self.item_vectors_[:, :-1]  # without popularity

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        return self.epochs * n_interactions * 3.0 * (self.factors + A_VECTOR)  # a score, and two steps

    def rounds(self) -> int:
        return self.epochs

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        return 3 * 4 * (self.factors + 1) * (n_users + n_items) + max(28 * n_interactions, SCORE_BYTES)
