"""Models that know each user by a sparse vector over items, which they have learned."""

from copy import copy
from typing import Self

import numpy as np
from scipy import sparse

from recmodels.base import Recommender
from recmodels.data.arrays import Bools, Csr, Ints, empty_matrix, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.ranking.topk import TopK


def rows_of(profiles: Csr, users: Ints) -> Csr:
    """The rows of some users, empty for -1."""
    rows: Csr = sparse.vstack([profiles, empty_matrix(1, profiles.shape[1])], format="csr")[users]  # -1 is the last
    return rows


class Profiles(Recommender):
    """A model with `profiles_`, float32 sparse [n_users, n_items]: what a user has had, however it counts."""

    needs_others = False
    profiles_: Csr

    def _profiles(self, data: Dataset) -> Csr:
        if data.n_users != self.profiles_.shape[0]:
            raise ValueError(f"The data have {data.n_users} users, the model was fitted on {self.profiles_.shape[0]}.")
        return self.profiles_

    def knows(self, data: Dataset, users: Ints) -> Bools:
        """Users with a vector: whoever has a history may have no event of those that count (`features.event_kinds`)."""
        return super().knows(data, users) & (row_lengths(self._profiles(data).indptr, users) > 0)

    def for_users(self, users: Ints) -> Self:
        model = copy(self)
        model.profiles_ = rows_of(self.profiles_, users)
        return model

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        """An item that the user has had is its own reason."""
        had = self._profiles(data)[users].tocoo()
        keys = had.row.astype(np.int64) * data.n_items + had.col
        asked = np.arange(len(users), dtype=np.int64)[:, None] * data.n_items + top.items
        return np.where((top.items >= 0) & np.isin(asked, keys), top.items, np.int32(-1)).astype(np.int32)
