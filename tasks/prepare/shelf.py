"""Where the rows of each range of users are between two passes: in memory if there is one range, else in files."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recmodels.data.arrays import Bools, Ints
from tasks.prepare.interactions import Rows

TYPES = {"user": "<i4", "item": "<i4", "timestamp": "<i8", "first": "<i8", "weight": "<f4", "rating": "<f4"}


class Shelf:
    """Rows by what they are (`events`, `pairs`, …) and by the place of their range.

    A file is the bytes of one column of one range: written in one go or batch by batch, read in one piece.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._kept: dict[tuple[str, int], Rows] = {}
        self._n_rows: dict[tuple[str, int], int] = {}
        self._repeated: set[tuple[str, int]] = set()

    @property
    def in_memory(self) -> bool:
        return self._folder is None

    def put(self, kind: str, place: int, rows: Rows) -> None:
        """Keep rows in place of those that are there."""
        self.drop(kind, place)
        self._repeated.discard((kind, place))
        self._n_rows[kind, place] = len(rows)
        if rows.first is not rows.timestamp and (rows.first != rows.timestamp).any():
            self._repeated.add((kind, place))
        if self._folder is None:
            self._kept[kind, place] = rows
        else:
            self.add(kind, place, rows)

    def add(self, kind: str, place: int, rows: Rows) -> None:
        """Append events to a range's files."""
        for name in _own_columns(rows):
            with self._file(kind, place, name).open("ab") as file:
                file.write(np.ascontiguousarray(getattr(rows, name), TYPES[name]).data)

    def n_rows(self, kind: str) -> int:
        """The rows that were put, those included that have left the shelf since."""
        return sum(n for (which, _), n in self._n_rows.items() if which == kind)

    def has_repeated(self, kind: str) -> bool:
        """Whether any pair that was put has begun before its last time."""
        return any(which == kind for which, _ in self._repeated)

    def rows(self, kind: str, place: int) -> Rows:
        if self._folder is None:
            return self._kept[kind, place]
        timestamp = self._read(kind, place, "timestamp")
        return Rows(
            user=self._read(kind, place, "user"),
            item=self._read(kind, place, "item"),
            timestamp=timestamp,
            first=self._read(kind, place, "first") if self._has(kind, place, "first") else timestamp,
            weight=self._read(kind, place, "weight"),
            rating=self._read(kind, place, "rating") if self._has(kind, place, "rating") else None,
        )

    def there(self, kind: str, place: int) -> bool:
        return (kind, place) in self._n_rows

    def positives(self, kind: str, place: int) -> tuple[Ints, Ints]:
        """The user and the item of each row of positive weight."""
        if self._folder is None:
            rows = self._kept[kind, place]
            user, item, weight = rows.user, rows.item, rows.weight
        else:
            user, item, weight = (self._read(kind, place, name) for name in ("user", "item", "weight"))
        positive: Bools = weight > 0
        return (user, item) if positive.all() else (user[positive], item[positive])

    def drop(self, kind: str, place: int) -> None:
        """Give the room of a range's rows back; what is known of them stays known until others are put there."""
        self._kept.pop((kind, place), None)
        if self._folder is not None:
            for name in TYPES:
                self._file(kind, place, name).unlink(missing_ok=True)

    def _file(self, kind: str, place: int, column: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{kind}-{place}-{column}"

    def _has(self, kind: str, place: int, column: str) -> bool:
        return self._folder is not None and self._file(kind, place, column).exists()

    def _read(self, kind: str, place: int, column: str) -> npt.NDArray[Any]:
        return np.fromfile(self._file(kind, place, column), TYPES[column])


def _own_columns(rows: Rows) -> Iterable[str]:
    """The columns that say something of their own."""
    for field in fields(rows):
        value = getattr(rows, field.name)
        if value is not None and (field.name != "first" or rows.first is not rows.timestamp):
            yield field.name
