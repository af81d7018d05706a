"""The places of the ids that a part of an export has among all that there are."""

import bisect
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Longs


class Ids:
    """All ids, of which a part of an export holds a range.

    A table of all ids takes as long to make as looking up as many, and each part would make its own: only the ids
    between the least and the greatest of a part are looked at.
    """

    def __init__(self, ids: pa.Array) -> None:
        """`ids` are in any order, and a null one is nobody's."""
        order = pc.array_sort_indices(ids).slice(0, len(ids) - ids.null_count)  # nulls are last
        self.places: Longs = order.to_numpy().astype(np.int64)
        self.ascending = ids.take(order)

    def indices(self, column: pa.ChunkedArray) -> Longs:
        """The place of each value among the ids, -1 for one that is none of them."""
        ends = pc.min_max(column).as_py()
        if ends["min"] is None:
            return np.full(len(column), -1, np.int64)
        first = bisect.bisect_left(range(len(self.places)), ends["min"], key=self._id)
        last = bisect.bisect_right(range(len(self.places)), ends["max"], key=self._id)
        if first == last:
            return np.full(len(column), -1, np.int64)
        found = pc.index_in(column, value_set=self.ascending.slice(first, last - first))
        at = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        return np.where(at < 0, -1, self.places[np.maximum(at, 0) + first])

    def _id(self, at: int) -> Any:
        return self.ascending[at].as_py()
