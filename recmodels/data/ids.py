"""The site's own ids of users and items, and the way between them and dense indices."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Ints


@dataclass(frozen=True, eq=False)
class Ids:
    """Ids by index; any values that can be compared and hashed."""

    users: NDArray[Any]  # [n_users]
    items: NDArray[Any]  # [n_items]

    def user_indices(self, users: Iterable[Any]) -> Ints:
        """Indices of user ids, int32 [n]. Raises ValueError for an id that is not there."""
        return indices_of(self.users, users, "user")

    def item_indices(self, items: Iterable[Any]) -> Ints:
        """Indices of item ids, int32 [n]. Raises ValueError for an id that is not there."""
        return indices_of(self.items, items, "item")


def indices_of(known: NDArray[Any], ids: Iterable[Any], what: str) -> Ints:
    """Where each of `ids` stands in `known`: int32 [n]. Raises ValueError for one that is not there."""
    import pandas as pd

    if isinstance(ids, str | bytes):
        raise ValueError(f"Give a list of {what} ids, as in [{ids!r}].")
    given = list(ids)
    if not given:
        return np.empty(0, np.int32)
    found = pd.Index(known).get_indexer(pd.Index(given))
    if (found < 0).any():
        unknown = given[int((found < 0).argmax())]
        raise ValueError(f"There is no {what} {unknown!r} in the data, which have {len(known):,} {what}s.")
    indices: Ints = found.astype(np.int32)
    return indices


def named(ids: NDArray[Any] | None, index: NDArray[Any]) -> NDArray[Any]:
    """The ids at some indices, or the indices themselves where there are no ids."""
    return index if ids is None else ids[index]


def checked_indices(given: Iterable[Any], n: int, many: str, one: str, where: str) -> Ints:
    """Indices of users or items, as they are given to a model: int32 [n].

    Raises:
        ValueError: they are no flat array of integers, or one is out of range.
    """
    indices = given if isinstance(given, np.ndarray) else np.asarray(list(given))
    if indices.ndim != 1 or (len(indices) and not np.issubdtype(indices.dtype, np.integer)):
        raise ValueError(f"{many} is {indices.dtype} {indices.shape}; give a flat array of {one.lower()} indices.")
    if len(indices) and (indices.min() < 0 or indices.max() >= n):
        bad = indices.min() if indices.min() < 0 else indices.max()
        raise ValueError(f"{one} index {bad} is not one of the {n} {many} of the {where}.")
    return indices.astype(np.int32)
