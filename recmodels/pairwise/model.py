"""Models whose vectors of users and items are sums over their features, trained on pairs."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from recmodels.base import SCORE_BYTES, Recommender, State
from recmodels.compute import device
from recmodels.compute.work import dense
from recmodels.data.arrays import Bools, Floats, Ints, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.pairwise.config import MIN_BATCH, STEPS, PairConfig, normalized_history
from recmodels.pairwise.saved import current_state
from recmodels.pairwise.vectors import TrainingTables

if TYPE_CHECKING:  # torch takes seconds to load: only what computes with it does
    from recmodels.pairwise.training import PairTrainer

AN_ITEM = 450  # steps like a multiplication that each step takes for an item, besides its vector
PAIRS = 2**16  # (history item, target) pairs whose vectors are copied out at a time


@dataclass
class PairModel(PairConfig, Recommender):
    """Scores by vectors that are sums of features, `width` numbers long: factors, the bias, and more of a subclass.

    Attributes:
        item_vectors_: Sums of each item's features, zeros without evidence: float32 [n_items, width].
        history_vectors_: What each item adds to the users with it in their history: float32 [n_items, width]; None
            without `history`.
        user_vectors_: The users' own vectors: float32 [n_users, width]; None without `user_ids`.
        user_term_vectors_: Of the terms of the user table: float32 [n_user_terms, width]; None without any.
        tables_: The embedding tables that a warm start takes rows from, by name: float32 [., width]; empty with
            `warm_start = "no"`.
        accumulators_: Adagrad's accumulators of their rows: float32 [.].
        network_: Parameters of the network that scores along, by name; empty without one.
    """

    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ({"factors": 32}, {"factors": 16})
    uses_gpu: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False
    needs_torch: ClassVar[bool] = True
    moved: ClassVar[Mapping[str, str]] = {"minutes": "set the candidate's timeout_minutes"}

    def _check(self) -> None:
        name = type(self).__name__
        if not (self.history or self.user_ids):
            raise ConfigError(f"{name}: without history and user_ids nothing is known of a user; set one of them.")

    @property
    def _keeps_scores(self) -> bool:
        """Whether a step holds the scores of all users with all negatives, and their gradients."""
        return self.loss != "softmax"

    @abstractmethod
    def _trainer(self, data: Dataset, device: str) -> "PairTrainer":
        """What trains the vectors on `data`."""

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        trainer = self._trainer(data, device.name())
        start, warm = options.warm_start, False
        if start is not None and isinstance(start.model, PairModel):
            tables = TrainingTables(start.model.tables_, start.model.accumulators_, start.model.network_)
            warm = trainer.start_from(tables, start.rows)
        trainer.run(self.epochs_from(warm=warm), options, self.warm_rate if warm else 1.0)
        self._keep(trainer)

    def _keep(self, trainer: "PairTrainer") -> None:
        vectors = trainer.fitted()
        self.item_vectors_: Floats = vectors.items
        self.history_vectors_: Floats | None = vectors.history
        self.user_vectors_: Floats | None = vectors.users
        self.user_term_vectors_: Floats | None = vectors.user_terms
        state = trainer.state()
        self.network_: dict[str, Floats] = state.network
        warm = self.warm_start != "no"
        self.tables_: dict[str, Floats] = state.values if warm else {}
        self.accumulators_: dict[str, Floats] = state.accumulators if warm else {}

    def _restore(self, state: State) -> None:
        super()._restore(current_state(state))

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        """Sums of what is known of users, who may have come after the training: float32 [b, width].

        Without `history` a user without features of their own gets the mean of the vectors of their items.
        """
        vectors = np.zeros((len(users), self.item_vectors_.shape[1]), np.float32)
        if self.user_vectors_ is not None:
            trained = np.flatnonzero(users < len(self.user_vectors_))
            vectors[trained] = self.user_vectors_[users[trained]]
        terms = self.user_term_vectors_
        if terms is not None:
            if data.user_terms.shape[1] != len(terms):
                raise ValueError(
                    f"The data have {data.user_terms.shape[1]} terms of users, the model was fitted with {len(terms)}."
                )
            vectors += data.user_terms[users] @ terms
        history = data.matrix[users]
        if self.history_vectors_ is not None:
            vectors += normalized_history(history) @ self.history_vectors_
        else:
            unknown = np.flatnonzero(~vectors.any(axis=1))
            sums = np.maximum(np.asarray(history[unknown].sum(axis=1)).ravel(), np.finfo(np.float32).tiny)
            vectors[unknown] = (history[unknown] @ self.item_vectors_) / sums[:, None]
        vectors[:, self.factors] = 1  # times the item's bias
        return vectors

    def knows(self, data: Dataset, users: Ints) -> Bools:
        """Users with a history, and those with terms in the user table, if it was a feature in training: bool [n]."""
        known = super().knows(data, users)
        if self.user_term_vectors_ is not None:
            known |= row_lengths(data.user_terms.indptr, users) > 0
        return known

    def why_not_folded(self) -> str | None:
        return "knows users by vectors of their own alone" if self.history_vectors_ is None else None

    def for_users(self, users: Ints) -> Self:
        if self.user_vectors_ is None:
            return self
        known = (users >= 0) & (users < len(self.user_vectors_))
        model = copy(self)
        model.user_vectors_ = self.user_vectors_[np.where(known, users, 0)] * known[:, None]
        return model

    def _affinity(self, sources: Ints, targets: Ints) -> Floats | None:
        if self.history_vectors_ is None:
            return None
        history, items, f = self.history_vectors_, self.item_vectors_, self.factors
        parts = (slice(start, start + PAIRS) for start in range(0, len(sources), PAIRS))
        return np.concatenate(
            [np.einsum("nf,nf->n", history[sources[part], :f], items[targets[part], :f]) for part in parts]
        )

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        """Of each epoch: users' scores of their group's negatives, the sums of features, and all items in each step."""
        negatives = min(self.n_negatives(n_users), n_items)
        scores, sums = 3 * dense(n_users, self.factors, negatives), 4.0 * n_interactions * self.factors
        steps = n_interactions / (self.batch or max(MIN_BATCH, n_interactions / STEPS))
        return self.epochs * (scores + sums + steps * n_items * (2 * self.factors + AN_ITEM))

    def rounds(self) -> int:
        return self.epochs

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        rows = n_users * self.user_ids + n_items * (1 + self.history)
        pairs = self.batch or max(MIN_BATCH, n_interactions // STEPS)
        negatives = min(self.n_negatives(n_users), n_items)
        step = 3 * 4 * negatives * min(n_users, self.batch or 2048 + n_users // 60) * self._keeps_scores
        step += 3 * 4 * (self.factors + 1) * negatives * (pairs // self.group(n_users))  # the vectors of all groups'
        copies = 3 if self.warm_start == "no" else 4  # tables and vectors, of which an earlier model has both
        return copies * 4 * (self.factors + 1) * rows + max(8 * n_interactions + step, SCORE_BYTES)
