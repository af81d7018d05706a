"""A raw table, part by part: each part has the rows of some files that follow one another.

Files are read until a part has a quarter of a million rows, and then the next part begins: ten thousand small files
are a few parts, and a file that is added later changes none of those before it. A table of one part is one file.

Parts of an earlier night that would come out the same are taken from there. So that a file a night does not become a
part a night, a part that is not full is read again with what follows it, once that is as large: of a file a night each
is read a few times (the logarithm of how many make a part), and the parts that are not full are as few.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from recmodels.errors import DataRefused
from tasks.ingest.ledger import Part
from tasks.ingest.part_reading import read_parts
from tasks.ingest.reading import schema
from tasks.ingest.reading.sources import Source
from tasks.ingest.reading.tables import Table
from tasks.ingest.table_pass import Shared, TablePass
from tasks.ingest.table_result import TableResult
from tasks.store.parts import as_one_file, link, part_path, remove

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
        out, name, ledger = self.shared.out, self.table.name, self.shared.ledger
        self._wait()
        remove(out, name)
        ledger.made.pop(name, None)
        found = ledger.fitting(self.table, self.id_types, self.shared.cutoff, self.shared.credible.last)
        for step in steps(self.table.sources, found, in_parts=name in IN_PARTS):
            if isinstance(step, Part):
                self._take(step)
            elif text_ids := self._read(step):
                return text_ids
        self._wait()
        as_one_file(out, name)
        self._note_all()
        return set()

    def _wait(self) -> None:
        """Wait until what was read is written."""
        if self.shared.beside is not None:
            self.shared.beside.wait()

    def _take(self, known: Part) -> None:
        """The part of an earlier night."""
        link(self.shared.ledger.raw / known.path, self._path())
        self._add(known)
        self.result.known += len(known.files)

    def _read(self, sources: Sequence[Source]) -> set[str]:
        """Write the parts of some files; returns what `run` does."""
        if self.shared.parts is not None:
            return self._read_on_engine(sources, self.shared.parts)
        left = deque(sources)
        while left:
            ahead = list(left)
            one = TablePass(self.shared, self.table, self.id_types, self._path())
            if text_ids := one.run(left, FULL if self.table.name in IN_PARTS else None):
                return text_ids
            read = ahead[: len(ahead) - len(left)]
            self._add(self.shared.ledger.new(self.table, read, self.id_types, one.result))
        return set()

    def _read_on_engine(self, sources: Sequence[Source], to: Path) -> set[str]:
        """The same, each part where the engine has room."""
        opened, full = [self.table.opened(source) for source in sources], FULL if self.table.name in IN_PARTS else None
        for files, path, outcome in read_parts(self.table, opened, self.id_types, self.shared.cutoff, to, full):
            if outcome.result is None:
                return set(outcome.text_ids)
            link(path, self._path())
            self._add(self.shared.ledger.new(self.table, files, self.id_types, outcome.result))
        return set()

    def _path(self) -> Path:
        return part_path(self.shared.out, self.table.name, self._written)

    def _add(self, part: Part) -> None:
        self.shared.ledger.note(self.table, part)
        self.result.add(part.result)
        self._written += 1

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


def steps(sources: Sequence[Source], known: Mapping[str, Part], *, in_parts: bool) -> list[Part | list[Source]]:
    """The known parts of a table and the files between them that must be read, in the order of the files.

    Args:
        sources: the files.
        known: parts that can be taken, by the first of their files.
        in_parts: whether the table may have several parts.
    """
    found: list[Part | list[Source]] = []
    place = 0
    while place < len(sources):
        if part := known.get(str(sources[place].path)):
            found.append(part)
            place += len(part.files)
            continue
        if not found or isinstance(found[-1], Part):
            found.append([])
        found[-1].append(sources[place])  # type: ignore[union-attr]
        place += 1
    if not in_parts:
        return found if len(found) == 1 else [[*sources]]
    return _joined(sources, found)


def _joined(sources: Sequence[Source], found: Sequence[Part | list[Source]]) -> list[Part | list[Source]]:
    """Steps in which parts that are not full are read again with files that follow and are as large."""
    of_path = {str(source.path): source for source in sources}
    joined: list[Part | list[Source]] = []
    for step in reversed(found):
        after = joined[0] if joined else None
        if not isinstance(after, list):
            joined.insert(0, step)
        elif isinstance(step, list):
            joined[0] = [*step, *after]
        elif step.result.rows < FULL and step.size <= sum(source.path.stat().st_size for source in after):
            joined[0] = [*(of_path[path] for path in step.paths), *after]
        else:
            joined.insert(0, step)
    return joined
