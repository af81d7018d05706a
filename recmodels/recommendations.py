"""Lists as a person reads them: under the data's own ids, with the reason of each recommendation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Ints
from recmodels.data.ids import Ids, named
from recmodels.ranking.topk import TopK

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Recommendations(TopK):
    """What `Recommender.recommend` returns: `items` and `scores` [n, k] by index, and the users they are for."""

    users: Ints  # [n]
    ids: Ids | None  # of the data
    reasons: Callable[[TopK], Ints]  # finds the item of the user's history that contributed most: [n, k], -1 for none

    def to_pandas(self, explain: bool = True) -> "pd.DataFrame":
        """A row a recommendation: user, rank (from 1), item, score and reason, in the order of the lists.

        Users, items and reasons are the data's own ids, or indices where it has none. The reason is the item of the
        user's history that contributed most, missing where the model can name none; without `explain` the column is
        left out, which saves the time of finding them.
        """
        import pandas as pd

        users, items = (None, None) if self.ids is None else (self.ids.users, self.ids.items)
        row, place = np.nonzero(self.items >= 0)
        columns: dict[str, Any] = {
            "user": named(users, self.users[row]),
            "rank": place + 1,
            "item": named(items, self.items[row, place]),
            "score": self.scores[row, place],
        }
        frame = pd.DataFrame(columns)
        if explain:
            found = self.reasons(self)[row, place]
            reason: pd.Series[Any] = pd.Series(named(items, np.maximum(found, 0)))
            if reason.dtype.kind in "iu":
                reason = reason.astype("Int64")  # whole numbers, some of them missing
            frame["reason"] = reason.mask(found < 0)
        return frame


@dataclass(frozen=True, eq=False)
class SimilarItems(TopK):
    """What `Recommender.similar_items` returns: for each item, the items most similar to it [n, k] by index."""

    queries: Ints  # [n]
    ids: NDArray[Any] | None  # [n_items], the ids of the data that the model was fitted on

    def to_pandas(self) -> "pd.DataFrame":
        """A row a pair: item, rank (from 1), similar_item and score."""
        import pandas as pd

        row, place = np.nonzero(self.items >= 0)
        return pd.DataFrame(
            {
                "item": named(self.ids, self.queries[row]),
                "rank": place + 1,
                "similar_item": named(self.ids, self.items[row, place]),
                "score": self.scores[row, place],
            }
        )
