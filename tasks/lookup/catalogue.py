"""The items of a night as they are looked up: by id, by title, by words."""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.data import layout
from tasks.lookup.cached import kept
from tasks.store.paths import Night

NIGHTS = 2  # whose items are kept in memory


@dataclass(frozen=True)
class Catalogue:
    """The items of a night in the order of their indices, which is that of their ids."""

    item_ids: pa.Array
    titles: pa.Array
    """None for items without one [n]."""
    available: pa.Array

    def __len__(self) -> int:
        return len(self.item_ids)

    def index_of(self, item_id: Any) -> int | None:
        """The index of an item by its id, in the type of the catalogue or as text; None where there is no such one."""
        wanted = None if item_id is None else as_written(item_id, self.item_ids.type)
        if wanted is None:
            return None
        place = bisect_left(self.item_ids, wanted, key=lambda one: one.as_py())
        found = place < len(self) and self.item_ids[place].as_py() == wanted
        return place if found else None

    def title_of(self, item_id: Any) -> str | None:
        index = self.index_of(item_id)
        return None if index is None else self.title_at(index)

    def title_at(self, index: int) -> str | None:
        title: str | None = self.titles[index].as_py()
        return title

    @cached_property
    def _lowered(self) -> pa.Array:
        return pc.utf8_lower(self.titles)

    @cached_property
    def _ids_lowered(self) -> pa.Array:
        return pc.utf8_lower(self.item_ids.cast(pa.string()))

    def search(self, text: str, most: int) -> list[int]:
        """The indices of items that a text means: the one with that id, then by title, then by a part of the id.

        Titles that begin with the text come first, then those that have it anywhere; case makes no difference.
        """
        wanted = text.strip().lower()
        if not wanted:
            return []
        index = self.index_of(text.strip())
        found = [] if index is None else [index]
        begins = pc.starts_with(self._lowered, wanted)
        for mask in (begins, pc.match_substring(self._lowered, wanted), pc.match_substring(self._ids_lowered, wanted)):
            hits = np.flatnonzero(pc.fill_null(mask, False).to_numpy(zero_copy_only=False))[: most + len(found)]
            found = list(dict.fromkeys([*found, *hits.tolist()]))[:most]
            if len(found) == most:
                break
        return found


def as_written(item_id: Any, kind: pa.DataType) -> int | str | None:
    """An id in the type of a column of ids; None where it cannot be one."""
    if not pa.types.is_integer(kind):
        return str(item_id)
    try:
        return int(pa.scalar(int(item_id), pa.int64()).as_py())
    except (ValueError, OverflowError):
        return None


def catalogue_of(night: Night) -> Catalogue | None:
    """The items of a night; None where its working files are gone, or damaged."""
    try:
        return _read(night.prepared / layout.ITEMS)
    except (OSError, pa.ArrowException):
        return None


@kept(NIGHTS)
def _read(path: Path) -> Catalogue:
    names = pq.read_schema(path).names
    table = pq.read_table(path, columns=[name for name in ("item_id", "title", "available") if name in names])
    title = table["title"].cast(pa.string()).combine_chunks() if "title" in names else pa.nulls(len(table), pa.string())
    return Catalogue(table["item_id"].combine_chunks(), title, table["available"].combine_chunks())
