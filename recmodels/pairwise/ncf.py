"""Neural collaborative filtering: a product of vectors and a network, added."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from recmodels.base import SCORE_BYTES
from recmodels.compute.work import dense
from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.pairwise.model import PairModel
from recmodels.parameters import Search

if TYPE_CHECKING:  # torch takes seconds to load: only what computes with it does
    from recmodels.pairwise.training import PairTrainer

HIDDEN_UNITS = 2**20  # of the first layer that exist at a time, while a catalogue is scored: 4 MB


@dataclass
class NCF(PairModel):
    r"""NeuMF: score x_ui = p_u·q_i + b_i + w·relu(B relu(a_u + a_i) + c), with a_u, a_i of `hidden` numbers.

    The first layer of the paper's network takes the two vectors side by side, W [m_u, m_i] = W_u m_u + W_i m_i. With
    trained vectors these halves, a_u and a_i, are trained themselves: what is left for each pair is a sum and the
    second layer, half as wide. The vectors are sums of features as those of `hybrid` are, with the same losses; plain
    NeuMF is `history = false`, `content = false`, and `loss = "bce"` as published.

    Parameters and attributes are those of `PairModel`; the vectors are factors, the bias, and a of `hidden` numbers.

    References:
        He et al., "Neural collaborative filtering", WWW 2017.
        Rendle et al., "Neural collaborative filtering vs. matrix factorization revisited", RecSys 2020.
    """

    negatives: Annotated[int, Ge(1)] | None = 2048
    """Negatives that each group of users draws: each costs a pass of the network."""
    hidden: Annotated[int, Ge(1), Search(4, 64, log=True)] = 16
    """Width of the network's first layer."""

    def _trainer(self, data: Dataset, device: str) -> "PairTrainer":
        from recmodels.pairwise.ncf_training import NCFTrainer

        return NCFTrainer(self, data, device, self.hidden)

    @property
    def _keeps_scores(self) -> bool:
        return True  # of softmax, too, as the network's share is no product

    def _score(self, data: Dataset, users: Ints) -> Floats:
        items = self.item_vectors_
        vectors = self._user_vectors(data, users)
        f = self.factors + 1
        B, c, w = (self.network_[name] for name in ("inner.weight", "inner.bias", "outer.weight"))
        scores = np.empty((len(users), len(items)), np.float32)
        step = max(1, HIDDEN_UNITS // self.hidden)
        for row, user in enumerate(vectors):  # a row at a time, so that no batch changes a bit of it
            scores[row] = items[:, :f] @ user[:f]
            for start in range(0, len(items), step):
                first = np.maximum(items[start : start + step, f:] + user[f:], 0)
                scores[row, start : start + step] += np.maximum(first @ B.T + c, 0) @ w[0]
        scores[:, ~items.any(axis=1)] = -np.inf
        return scores

    def _affinity(self, sources: Ints, targets: Ints) -> None:
        return None  # the network's share has no addend for each item

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        negatives = min(self.n_negatives(n_users), n_items)
        hidden = 3 * dense(n_users * negatives, self.hidden, self.hidden)
        return super().work(n_users, n_items, n_interactions) + self.epochs * hidden

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        return dense(n_listed * n_items, self.hidden, self.hidden)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        hidden = 4 * 3 * 2 * self.hidden * min(self.n_negatives(n_users), n_items) * 2 * 64
        return super().memory_needed(n_users, n_items, n_interactions) + hidden + SCORE_BYTES
