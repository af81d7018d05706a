"""From an id to its index and back, one at a time: what is looked up for a single user must not look at all others."""

from bisect import bisect_left
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class Lookup(Protocol):
    """Ids of users, or of items, under dense indices."""

    def index(self, name: Any) -> int | None:
        """The index of an id; None where there is no such one."""

    def name(self, index: int) -> Any:
        """The id of an index."""


class Numbers:
    """Indices that stand for themselves.

    Args:
        n: how many there are.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    def index(self, name: Any) -> int | None:
        return int(name) if isinstance(name, int) and 0 <= name < self.n else None

    def name(self, index: int) -> Any:
        return index


class Names:
    """Ids in any order, such as `Dataset.ids` has.

    Args:
        ids: [n], by index.
    """

    def __init__(self, ids: NDArray[Any]) -> None:
        self.ids = ids

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {name: place for place, name in enumerate(self.ids.tolist())}

    def index(self, name: Any) -> int | None:
        return self._places.get(name)

    def name(self, index: int) -> Any:
        return self.ids[index]


class SortedIds:
    """Ids as a night keeps them: ascending whole numbers or texts, with gaps (null) where somebody was forgotten.

    Args:
        ids: [n], by index.
    """

    def __init__(self, ids: pa.Array) -> None:
        self.ids, self.numbers = ids, pa.types.is_integer(ids.type)
        self.there = pc.indices_nonzero(ids.is_valid()) if ids.null_count else None

    def index(self, name: Any) -> int | None:
        wanted = self._as_written(name)
        if wanted is None:
            return None
        place = bisect_left(range(self._n), wanted, key=self._at)
        if place == self._n or self._at(place) != wanted:
            return None
        return place if self.there is None else int(self.there[place].as_py())

    def name(self, index: int) -> Any:
        return self.ids[index].as_py()

    @property
    def _n(self) -> int:
        return len(self.ids) if self.there is None else len(self.there)

    def _at(self, place: int) -> Any:
        return self.ids[place if self.there is None else self.there[place].as_py()].as_py()

    def _as_written(self, name: Any) -> int | str | None:
        """An id in the type of the column; None where it cannot be one."""
        if not self.numbers:
            return str(name)
        try:
            return int(name)
        except (TypeError, ValueError):
            return None
