"""What a night has read of which files, so that the nights after it need not read these again.

A part of a raw table is taken from an earlier night if it would come out the same tonight: its files follow one another
as they did and are what they were, the query that reads each of them is the same (it has the columns, the ids' types
and how values are read), and so are the table's settings and the code; no row of it moves to the other side of the
cutoff, or of what is in the future; and the part itself is what was written, so that rows which were forgotten since
are read again where the site's files still have them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from tasks.ingest import lookalikes
from tasks.ingest.known_files import FilePrint, print_of, unchanged
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.queries import query
from tasks.ingest.reading.rejects import Reject, of_table
from tasks.ingest.reading.sources import Source, as_kept
from tasks.ingest.reading.tables import Known, Table
from tasks.ingest.reading.timestamps import Credible, Timestamps
from tasks.ingest.table_result import TableResult
from tasks.store.digests import Digests
from tasks.store.files import digest, read_json, sha256, write_json
from tasks.store.manifests import Manifest
from tasks.store.parts import parts
from tasks.store.paths import Night
from tasks.store.records import SEAL, is_whole, sealed

REJECTS = "rejects.parquet"


@dataclass(frozen=True)
class Part:
    """A part of a raw table: what it was made from, and what became of the lines of its files.

    Attributes:
        files: as they were when they were read.
        settings: a digest of the table's settings and of the code.
        recipe: a digest of how each file is read.
        result: without the rejects, which have a table of their own.
        times: how the timestamps of each file are read, if it has any.
        layouts: a digest of what is known of each file when it is opened.
        path: within `raw/`.
        sha256: of the part.
    """

    files: tuple[FilePrint, ...]
    settings: str
    recipe: str
    result: TableResult
    times: tuple[Timestamps | None, ...] = ()
    layouts: tuple[str, ...] = ()
    path: str = ""
    sha256: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(file.path for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    def stands(self, cutoff: int, last: int) -> bool:
        """Whether no row is on another side of the cutoff, or of the last credible instant, than it was."""
        kept, left_out = self.result.kept, self.result.left_out
        newest = max((instant for instant in (kept.last, left_out.last) if instant is not None), default=last)
        before = kept.last is None or kept.last < cutoff
        after = left_out.first is None or left_out.first >= cutoff
        ahead = self.result.ahead.first is None or self.result.ahead.first > last
        return ahead and newest <= last and before and after


@dataclass(frozen=True)
class Remarks:
    """What is remarkable about the ids in the first rows of all tables, and the types that they have.

    `parts`: the digests of the parts that have these rows, once they are known.
    """

    id_types: dict[str, str]
    notes: list[str]
    parts: list[str] = field(default_factory=list)


_REMARKS = TypeAdapter(Remarks | None)
_PARTS = TypeAdapter(dict[str, list[Part]])
_LAYOUT, _LAYOUTS = TypeAdapter(Source), TypeAdapter(dict[str, Source])


@dataclass
class Ledger:
    """The parts of an earlier night, which are `known`, and those that this one has written or taken.

    Attributes:
        code: of the stage.
        known: table -> its parts.
        raw: the folder that they are in.
        night: the night that has them; empty where none does.
        digests: of the parts that were looked at.
        layouts: digest -> what is known of the files that have it when they are opened.
        known_remarks: of that night.
        remarked: of tonight.
    """

    code: str = ""
    known: Mapping[str, Sequence[Part]] = field(default_factory=dict)
    raw: Path = Path()
    night: str = ""
    made: dict[str, list[Part]] = field(default_factory=dict)
    digests: Digests = field(default_factory=Digests)
    layouts: dict[str, Source] = field(default_factory=dict)
    known_remarks: Remarks | None = None
    remarked: Remarks | None = None
    _files: dict[FilePrint, FilePrint | None] = field(default_factory=dict)

    @classmethod
    def of(cls, night: Night, code: str) -> Ledger:
        """What is known to a night: by what it has read itself, or else by the night before it that has left it."""
        earlier = [other for other in night.store.all_nights() if other.run_date < night.run_date]
        for one in [night, *reversed(earlier)]:
            content = read_json(one.known_files)
            if content is None or SEAL not in content or not is_whole(content):
                continue
            try:
                known = _PARTS.validate_python(content["parts"])
                layouts = _LAYOUTS.validate_python(content["layouts"])
                remarks = _REMARKS.validate_python(content["remarks"]) if content["code"] == code else None
            except (ValidationError, KeyError):
                continue
            return cls(code, known, one.raw, str(one.run_date), layouts=layouts, known_remarks=remarks)
        return cls(code)

    def save(self, night: Night, raw: Manifest) -> None:
        """Keep what was read for the nights to come."""
        digests = {file["path"]: file["sha256"] for file in raw["files"]}
        found = {}
        for table, made in self.made.items():
            paths = [str(path.relative_to(night.raw)) for path in parts(night.raw, table)]
            found[table] = [
                replace(part, path=path, sha256=digests[path]) for part, path in zip(made, paths, strict=True)
            ]
        used = {layout for made in found.values() for part in made for layout in part.layouts}
        layouts = {layout: source for layout, source in self.layouts.items() if layout in used}
        remarks = self.remarked and replace(self.remarked, parts=_of_first(found, lookalikes.FIRST))
        content = {
            "code": self.code,
            "remarks": _REMARKS.dump_python(remarks, mode="json"),
            "parts": _PARTS.dump_python(found, mode="json"),
            "layouts": _LAYOUTS.dump_python(layouts, mode="json"),
        }
        write_json(night.known_files, sealed(content), indent=None)

    def settings(self, given: TableInput) -> str:
        """A digest of what must be the same for all parts of a table."""
        return digest([self.code, duckdb.__version__, given.model_dump(exclude={"path", "as_of"})])

    def opened(self, name: str, given: TableInput) -> dict[Path, Known]:
        """What is known of a table's files that are still what they were, by their paths; of one with times alone."""
        settings = self.settings(given)
        return {
            Path(file.path): Known(self.layouts[layout], times)
            for part in self.known.get(name, ())
            if part.settings == settings
            for file, times, layout in zip(part.files, part.times, part.layouts, strict=True)
            if times and layout in self.layouts and self._unchanged(file)
        }

    def text_ids(self, table: Table) -> set[str]:
        """The ids that are known to be text, by files that are still what they were."""
        there, settings = {str(source.path) for source in table.sources}, self.settings(table.given)
        return {
            key
            for part in self.known.get(table.name, ())
            if part.settings == settings and part.result.text_ids and there.issuperset(part.paths)
            if all(self._unchanged(file) for file in part.files)
            for key in part.result.text_ids
        }

    def fitting(self, table: Table, id_types: Mapping[str, str], cutoff: int, last: int) -> dict[str, Part]:
        """The parts that tonight's would be the same as, by the first of their files; their rejects are in them.

        Args:
            table: the table, opened.
            id_types: id column -> DuckDB type.
            cutoff: µs since 1970, as is the next.
            last: the last credible instant.
        """
        places = {str(source.path): place for place, source in enumerate(table.sources)}
        settings, found = self.settings(table.given), {}
        for part in self.known.get(table.name, ()):
            place = places.get(part.paths[0], 0)
            sources = table.sources[place : place + len(part.files)]
            if (
                part.settings == settings
                and part.paths == tuple(str(source.path) for source in sources)
                and part.stands(cutoff, last)
                and part.recipe == recipe(table, sources, id_types)
                and all(files := [self._unchanged(file) for file in part.files])
                and (rejects := self._rejects_of(table.name, part)) is not None
                and self._is_whole(part)
            ):
                whole = replace(part.result, rejects=rejects)
                found[part.paths[0]] = replace(part, files=tuple(filter(None, files)), result=whole)
        return found

    def remarks(self, id_types: Mapping[str, str]) -> list[str] | None:
        """What an earlier night has remarked about ids, if the first rows of all tables are what they were."""
        known, parts = self.known_remarks, _of_first(self.made, lookalikes.FIRST)
        same = known is not None and known.id_types == id_types and known.parts == parts
        return known.notes if known is not None and same else None

    def note(self, table: Table, part: Part) -> None:
        """Note a part of a table, which follows those that were noted before."""
        self.made.setdefault(table.name, []).append(replace(part, result=replace(part.result, rejects=[])))

    def new(self, table: Table, sources: Sequence[Source], id_types: Mapping[str, str], result: TableResult) -> Part:
        """A part that was just written of some files."""
        files = tuple(print_of(source.path) for source in sources)
        times = tuple(table.times.get(source.path) for source in sources)
        layouts = tuple(map(self._layout, sources))
        return Part(files, self.settings(table.given), recipe(table, sources, id_types), result, times, layouts)

    def _layout(self, source: Source) -> str:
        """The digest of what is known of a file when it is opened, which is noted."""
        kept = as_kept(source)
        found = hashlib.sha256(_LAYOUT.dump_json(kept)).hexdigest()[:16]  # with the columns in their order
        self.layouts.setdefault(found, kept)
        return found

    def _unchanged(self, file: FilePrint) -> FilePrint | None:
        if file not in self._files:
            self._files[file] = unchanged(file)
        return self._files[file]

    def _is_whole(self, part: Part) -> bool:
        """Whether a part is what was written."""
        path = self.raw / part.path
        try:
            if sha256(path) != part.sha256:
                return False
            self.digests.learn(path, part.sha256)
        except OSError:
            return False
        return True

    def _rejects_of(self, table: str, part: Part) -> list[Reject] | None:
        """The lines of a part's files that are no rows; None where some are gone."""
        found = [one for path in part.paths for one in self._rejects.get((table, path), ())]
        return found if len(found) == sum(file["rejects"] for file in part.result.files) else None

    @cached_property
    def _rejects(self) -> Mapping[tuple[str, str], Sequence[Reject]]:
        """Those of each table's files, in order: there may be many of both, so that they are looked through once."""
        path, found = self.raw / REJECTS, defaultdict[tuple[str, str], list[Reject]](list)
        for one in of_table(pq.read_table(path)) if path.exists() else ():
            found[one.table, str(one.file)].append(one)
        return found


def _of_first(made: Mapping[str, Sequence[Part]], rows: int) -> list[str]:
    """The digests of the parts that have the first rows of each table; empty of those that are not known yet."""
    found = list[str]()
    for name in sorted(made):
        left = rows
        for part in made[name]:
            if left > 0:
                found.append(f"{name} {part.sha256}")
            left -= part.result.rows
    return found


def recipe(table: Table, sources: Sequence[Source], id_types: Mapping[str, str]) -> str:
    """A digest of the queries that read some files, whatever the day and wherever a copy lies that is read instead."""
    timeless = replace(table, credible=Credible(table.credible.first, 0))
    return digest([query(timeless, replace(source, readable=source.path), id_types) for source in sources])
