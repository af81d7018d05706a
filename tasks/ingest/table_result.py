"""What became of the lines of a table's files: counted for a part of them, and added up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from tasks.ingest.reading import rejects
from tasks.store.accounts import FileAccount


@dataclass
class Span:
    """The first and the last of some instants, in µs since 1970; None where there are none."""

    first: int | None = None
    last: int | None = None

    def widen(self, instants: NDArray[np.int64]) -> None:
        """Take in more instants."""
        if instants.size:
            first, last = int(instants.min()), int(instants.max())
            self.add(Span(first, last))

    def add(self, other: Span) -> None:
        """Take in those of another span."""
        if other.first is not None and other.last is not None:
            self.first = other.first if self.first is None else min(self.first, other.first)
            self.last = other.last if self.last is None else max(self.last, other.last)


@dataclass
class TableResult:
    """What became of the lines of a table, or of the files of one of its parts."""

    rows: int = 0
    after_cutoff: int = 0
    before_cutoff: int = 0  # rows with a timestamp that can be read
    blank_lines: int = 0
    headers: int = 0  # lines below the first row that are the header once more
    inside: int = 0  # lines within values that run over several
    exploded: int = 0  # rows beyond the first that are made of one of a file
    unreadable_timestamps: int = 0
    known: int = 0  # files whose rows were taken from an earlier night
    without_event: int = 0
    kept: Span = field(default_factory=Span)
    left_out: Span = field(default_factory=Span)
    ahead: Span = field(default_factory=Span)  # of rows later than any credible time
    rejects: list[rejects.Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    integer_ids: set[str] = field(default_factory=set)  # id columns of which some values are plain integers
    text_ids: dict[str, str] = field(default_factory=dict)  # id columns of which some are not -> an example
    files: list[FileAccount] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """The numbers that the summary of the stage gives of every table."""
        return {
            "rows": self.rows,
            "after_cutoff": self.after_cutoff,
            "rejects": len(self.rejects),
            "blank_lines": self.blank_lines,
        }

    def add(self, part: TableResult) -> None:
        """Take in what became of the files that come next."""
        for count in _COUNTS:
            setattr(self, count, getattr(self, count) + getattr(part, count))
        self.kept.add(part.kept)
        self.left_out.add(part.left_out)
        self.ahead.add(part.ahead)
        self.rejects += part.rejects
        self.notes += part.notes
        self.files += part.files
        self.integer_ids |= part.integer_ids
        self.text_ids = part.text_ids | self.text_ids

    def so_far(self) -> Counter[str]:
        """The counts that the account of a file is made of, of all files read by now."""
        return Counter(
            rows=self.rows,
            more=self.exploded,
            after_cutoff=self.after_cutoff,
            rejects=len(self.rejects),
            blank=self.blank_lines,
            inside=self.inside,
            headers=self.headers,
        )


_COUNTS = tuple(one.name for one in fields(TableResult) if one.type == "int")
