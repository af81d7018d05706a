"""TIFU-KNN: what a user, and the users nearest to them, have had most often and of late."""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy import sparse

from recmodels.base import SCORE_BYTES, positive_evidence
from recmodels.compute.work import mean_length
from recmodels.data.arrays import Csr, Doubles, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.data.events import events_of
from recmodels.knn.baskets import temporal_profiles
from recmodels.knn.intervals import due_shares, weighed_by_due
from recmodels.knn.profiles import Profiles, rows_of
from recmodels.options import FitOptions
from recmodels.parameters import Search, Seed
from recmodels.ranking.topk import top_k

USERS_AT_A_TIME = 256


@dataclass
class TIFUKNN(Profiles):
    """Next baskets by temporal item frequencies and nearest neighbors: strong where people buy the same again.

    A user's vector is the decayed mean of their baskets (`temporal_profiles`). Score of item i for user u =
    personal · v_u[i] + (1 - personal) · mean over u's nearest neighbors w of v_w[i], near by Euclidean distance. It
    needs single events (`features.events` in a night); without them each pair of user and item is one.

    Attributes:
        profiles_: float32 sparse [n_users, n_items], v.
        donors_: float32 sparse [m, n_items], the vectors of the users among whom neighbors are looked for.
        place_: int32 [n_users], where a user is among these, or -1.
        own_: As `profiles_`, weighed by what is due; None without.

    References:
        Hu, He, Gao & Zhang, "Modeling Personalized Item Frequency Information for Next-basket Recommendation", SIGIR
        2020.

    Example:
        >>> import numpy as np
        >>> from recmodels.data.dataset import Dataset
        >>> data = Dataset.from_arrays([0, 0, 1, 1, 2], [0, 1, 0, 1, 0])
        >>> TIFUKNN().fit(data).recommend(data, np.array([2]), k=1).items.tolist()
        [[1]]
    """

    neighbors: Annotated[int, Ge(1), Search(50, 1000, log=True)] = 300
    """How many nearest users count."""
    personal: Annotated[float, Ge(0), Le(1), Search(0.0, 1.0)] = 0.7
    """How much the user's own vector counts beside the neighbors'."""
    groups: Annotated[int, Ge(1), Search(1, 20)] = 7
    """How many groups the baskets of a user are parted into."""
    basket_decay: Annotated[float, Gt(0), Le(1), Search(0.5, 1.0)] = 0.9
    """How much less each earlier basket of a group counts."""
    group_decay: Annotated[float, Gt(0), Le(1), Search(0.3, 1.0)] = 0.7
    """How much less each earlier group counts."""
    basket_days: Annotated[float, Gt(0)] = 1.0
    """What a user has within so many days (counted from 1970) is a basket."""
    due: Annotated[float, Ge(0), Search(0.0, 3.0)] = 0.0
    """Power of the share of an item's interval that has passed (`due_shares`), which the user's own part of scores is
    multiplied by; 0: what was had just now may be listed at once."""
    most_donors: Annotated[int, Ge(1)] = 20_000
    """Neighbors are looked for among so many users, drawn at random where there are more."""
    seed: Seed = 0

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        shape = data.n_users, data.n_items
        events = events_of(data, options.events)
        self.profiles_: Csr = temporal_profiles(
            events, self.basket_days, self.groups, self.basket_decay, self.group_decay, shape
        )
        known = np.flatnonzero(np.diff(self.profiles_.indptr))
        chosen = np.sort(np.random.default_rng(self.seed).permutation(known)[: self.most_donors])
        self.donors_: Csr = self.profiles_[chosen]
        self.place_: Ints = np.full(data.n_users, -1, np.int32)
        self.place_[chosen] = np.arange(len(chosen), dtype=np.int32)
        if self.due:  # after the donors: who is near whom does not depend on it
            self.own_: Csr | None = weighed_by_due(self.profiles_, due_shares(events, data.end, shape), self.due)
        else:
            self.own_ = None

    def for_users(self, users: Ints) -> Self:
        model = super().for_users(users)
        model.own_ = None if self.own_ is None else rows_of(self.own_, users)
        model.place_ = np.where(users >= 0, self.place_[users], np.int32(-1))
        return model

    def _score(self, data: Dataset, users: Ints) -> Floats:
        profiles, squares = self._profiles(data), _squares(self.donors_)
        parts = []
        for start in range(0, len(users), USERS_AT_A_TIME):
            some = users[start : start + USERS_AT_A_TIME]
            own = profiles[some]
            mine = own if self.own_ is None else self.own_[some]
            parts.append(
                self.personal * mine + (1 - self.personal) * (self._nearest(own, some, squares) @ self.donors_)
            )
        scores: Csr = sparse.vstack(parts, format="csr") if parts else self.donors_[:0]
        scores.sort_indices()
        return positive_evidence(scores.astype(np.float32))

    def _nearest(self, own: Csr, users: Ints, squares: Doubles) -> Csr:
        """The share of each donor in the mean of the neighbors of some users: float32 sparse [b, m]."""
        products = (own @ self.donors_.T).toarray().astype(np.float64)
        nearness = (2 * products - squares).astype(np.float32)  # less |own|², which is the same for all of them
        row = np.flatnonzero(self.place_[users] >= 0)
        nearness[row, self.place_[users[row]]] = -np.inf  # not themselves
        near = top_k(nearness, min(self.neighbors, nearness.shape[1])).items
        there = near >= 0
        count = there.sum(axis=1)
        indptr = np.concatenate([[0], np.cumsum(count)])
        share = np.repeat(1 / np.maximum(count, 1), count).astype(np.float32)
        return sparse.csr_array((share, near[there], indptr), shape=nearness.shape)

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        length = mean_length(n_users, n_interactions)
        donors = min(n_users, self.most_donors)
        return n_listed * (donors * (1 + length * length / max(n_items, 1)) + self.neighbors * length + n_items)

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        block = 32 * USERS_AT_A_TIME * min(n_users, self.most_donors)
        return 160 * n_interactions + 16 * n_users + block + 2 * SCORE_BYTES


def _squares(rows: Csr) -> Doubles:
    """The squared length of each row: [m]."""
    squares: Doubles = np.asarray(rows.astype(np.float64).power(2).sum(axis=1)).ravel()
    return squares
