"""Models whose users and items are sums over what is known of them, learnt from pairs."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from recmodels.base import SCORE_BYTES, Recommender
from recmodels.compute import device
from recmodels.data.arrays import Bools, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.pairwise.config import PairRecipe, of_length

if TYPE_CHECKING:  # torch takes seconds to load: only what computes with it does
    from recmodels.pairwise.training import PairTraining

AT_A_TIME = 2**16  # pairs whose vectors are copied out at a time
LOSSES = "softmax", "bpr", "warp", "bce"
STARTS = "no", "refit", "always"


@dataclass
class PairModel(PairRecipe, Recommender):
    """Learns `item_vectors_`, `user_vectors_` (their own), `user_term_vectors_` (of what the user table says of them)
    and `had_vectors_` (what an item says of its users).
    """

    uses_gpu: ClassVar[bool] = True
    moved: ClassVar[tuple[str, ...]] = ("minutes",)

    def _check(self) -> None:
        name = type(self).__name__
        if self.loss not in LOSSES:
            raise ConfigError(f"{name}: loss {self.loss!r}; there are: {', '.join(LOSSES)}.")
        if self.warm_start not in STARTS:
            raise ConfigError(f"{name}: warm_start {self.warm_start!r}; there are: {', '.join(STARTS)}.")
        if not (self.history or self.user_ids):
            raise ConfigError(f"{name}: without history and user_ids nothing is known of a user; set one of them.")

    @abstractmethod
    def _training(self, data: Dataset, where: str) -> "PairTraining":
        """What learns from `data`."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        self._check()
        training = self._training(data, device.name())
        warm = options.warm_start is not None and training.start_from(options.warm_start)
        training.run(self.warm_epochs if warm else self.epochs, options.minutes)
        self._keep(training)
        if self.warm_start != "no":
            vars(self).update(training.state())

    def _keep(self, training: "PairTraining") -> None:
        for side, vectors in training.learnt().items():
            vars(self)[f"{side.removesuffix('s')}_vectors_"] = vectors

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        """Sums of what is known of users, who may have come after the training: float32 [b, width].

        Where users are known by their own vectors alone, one without takes the mean of those of their items.
        """
        items: Floats = vars(self)["item_vectors_"]
        own: Floats | None = vars(self).get("user_vectors_")
        vectors = np.zeros((len(users), items.shape[1]), np.float32)
        if own is not None:
            there = np.flatnonzero(users < len(own))
            vectors[there] = own[users[there]]
        terms: Floats | None = vars(self).get("user_term_vectors_")
        if terms is not None:
            if data.user_terms.shape[1] != len(terms):
                raise ValueError(f"The data have {data.user_terms.shape[1]} terms of users, learnt were {len(terms)}.")
            vectors += data.user_terms[users] @ terms
        history = data.matrix[users]
        if self.history:
            vectors += of_length(history) @ vars(self)["had_vectors_"]
        else:
            lost = np.flatnonzero(~vectors.any(axis=1))
            sums = np.maximum(np.asarray(history[lost].sum(axis=1)).ravel(), np.finfo(np.float32).tiny)
            vectors[lost] = (history[lost] @ items) / sums[:, None]
        vectors[:, self.factors] = 1  # times the item's bias
        return vectors

    def knows(self, data: Dataset, users: Ints) -> Bools:
        """Users with a history, and those of whom the user table says something, if it did in training: bool [n]."""
        known = super().knows(data, users)
        if "user_term_vectors_" in vars(self):
            known |= np.diff(data.user_terms.indptr)[users] > 0
        return known

    def _affinity(self, sources: Ints, targets: Ints) -> Floats | None:
        if not self.history:
            return None
        had, items, f = vars(self)["had_vectors_"], vars(self)["item_vectors_"], self.factors
        parts = (slice(start, start + AT_A_TIME) for start in range(0, len(sources), AT_A_TIME))
        return np.concatenate(
            [np.einsum("nf,nf->n", had[sources[part], :f], items[targets[part], :f]) for part in parts]
        )

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        rows = n_users * self.user_ids + n_items * (1 + self.history)
        step = 3 * 4 * min(self.rivals(n_users), n_items) * min(n_users, self.batch or 2048 + n_users // 60)
        copies = 4 if self.warm_start == "no" else 6
        return copies * 4 * (self.factors + 1) * rows + 16 * n_interactions + step + 2 * SCORE_BYTES
