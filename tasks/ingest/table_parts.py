"""A raw table, part by part: each part has the rows of some files that follow one another.

Files are read until a part has a quarter of a million rows, and then the next part begins: ten thousand small files
are a few parts, and a file that is added later changes none of those before it. A table of one part is one file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from recmodels.errors import DataRefused
from tasks.ingest.reading import schema
from tasks.ingest.reading.sources import Source
from tasks.ingest.reading.tables import Table
from tasks.ingest.table_pass import Shared, TablePass
from tasks.ingest.table_result import TableResult
from tasks.store.parts import as_one_file, part, remove

FULL = 1 << 18
"""Rows with which a part is complete."""
IN_PARTS = ("interactions",)
"""Tables that can be long; the others are one file."""


class TableParts:
    """The parts of a raw table, its ids read as `id_types` says (id column -> DuckDB type)."""

    def __init__(self, shared: Shared, table: Table, id_types: Mapping[str, str]) -> None:
        self.shared, self.table, self.id_types = shared, table, id_types
        self.result = TableResult()
        self._written = 0

    def run(self) -> set[str]:
        """Write the table, and return no ids; or stop, and return the ids that are no integers after all.

        Raises:
            DataRefused: a file cannot be used, or none has rows.
        """
        out, name = self.shared.out, self.table.name
        remove(out, name)
        if text_ids := self._read(self.table.sources):
            return text_ids
        as_one_file(out, name)
        self._note_all()
        return set()

    def _read(self, sources: list[Source]) -> set[str]:
        """Write the parts of some files; returns what `run` does."""
        left = deque(sources)
        while left:
            path = part(self.shared.out, self.table.name, self._written)
            one = TablePass(self.shared, self.table, self.id_types, path)
            if text_ids := one.run(left, FULL if self.table.name in IN_PARTS else None):
                return text_ids
            self.result.add(one.result)
            self._written += 1
        return set()

    def _note_all(self) -> None:
        """Say what is to be said of the table as a whole."""
        found, name = self.result, self.table.name
        if without := found.without_event:
            rows = "1 row names no event, and weighs" if without == 1 else f"{without:,} rows name no event, and weigh"
            found.notes.append(f"{name}: {rows} 1, the default")
        if more := found.exploded:
            rows = "1 row" if more == 1 else f"{more:,} rows"
            found.notes.append(f"{name}: events that name several items make {rows} more than the files have")
        empty = not (found.rows or found.after_cutoff or found.rejects)
        if empty and name not in schema.FOLLOWING:  # nothing may have been shown yet
            source = self.table.sources[0]
            there = "a header but no rows" if source.format == "csv" else "no rows"
            raise DataRefused(f"{name}: {source.path} has {there}; give a file with rows.")
