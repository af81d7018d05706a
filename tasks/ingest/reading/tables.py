"""One table of the site, opened: its files as sources, the types of its columns, and the query that reads a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.reading import applicable, columns, ids, misread, our_columns, schema, time_forms, timestamps
from tasks.ingest.reading.dialects import Wanted
from tasks.ingest.reading.files import File, Skipped, find
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.opening import open_source
from tasks.ingest.reading.sources import JSON, Source, as_known, as_text, run

_TIMES = ("timestamp", *schema.SPAN)


class Known(NamedTuple):
    """What an earlier night has found out of a file that has not changed: see `as_kept`, and how its times are read."""

    source: Source
    times: timestamps.Timestamps


@dataclass
class Table:
    """A table before it is read.

    `maps`: file → our columns and the site's names for them; `optional`: those of our optional columns that some
    file has; `others`: the site's own columns → kind; `uses`: what each column of the files becomes; `times`: file →
    how its timestamps are read, if it has any; `spans`: the same of the columns `schema.SPAN`, by file and column;
    `credible`: between which instants timestamps are no cause for doubt;
    `skipped`: files that are not read; `opened`: opens a source that is closed.
    """

    name: str
    given: TableInput
    sources: list[Source]
    maps: dict[Path, dict[str, str]]
    optional: list[str]
    others: dict[str, columns.Kind]
    uses: list[columns.ColumnUse]
    times: dict[Path, timestamps.Timestamps]
    spans: dict[tuple[Path, str], timestamps.Timestamps]
    credible: timestamps.Credible
    notes: list[str]
    skipped: Sequence[Skipped] = ()
    opened: Callable[[Source], Source] = lambda source: source

    @property
    def strict(self) -> bool:
        """Whether an id written as a string is one: so in the interactions, and the other tables follow them."""
        return self.name == "interactions"


def open_table(
    db: duckdb.DuckDBPyConnection,
    name: str,
    given: TableInput,
    copies: Path,
    uneven: Collection[Path],
    credible: timestamps.Credible = timestamps.CREDIBLE,
    known: Mapping[Path, Known] = MappingProxyType({}),
) -> Table:
    """Finds a table's files, columns and types.

    `uneven`: files that are read by way of a copy in `copies`; `known`: those that need not be opened for it.

    Raises:
        ConfigError: files are missing.
        DataRefused: files are empty, or columns are missing.
    """
    files = find(name, given)
    may_have = schema.optional(name, given)
    ours = (*our_columns.REQUIRED[name], *may_have)
    wanted = Wanted(name, {site for column in ours for site in schema.names(given, column)})

    def open_file(file: File) -> Source | None:
        every = name in schema.OPEN
        return open_source(db, file, given, wanted, copies, copied=file.path in uneven, every_key=every)

    opened = {file.path: _known(file, known, uneven) or open_file(file) for file in files.read}
    sources = [source for source in opened.values() if source]
    if not sources:
        raise DataRefused(f"{name}: {files.read[0].path} is empty; give a file with rows.")
    maps = schema.mappings(name, given, sources)
    for source in sources:
        maps[source.path] |= schema.renamed(name, maps[source.path], source)
    sources = [_as_given(name, given, source, maps[source.path]) for source in sources]
    for source in sources:
        for key in our_columns.KEYS[name] if not source.closed else ():  # else an earlier night has looked
            column = maps[source.path][key]
            place = f"{name}: {source.path}, column '{column}'"
            explodes = name == "interactions" and key == "item_id"
            ids.refuse_type(db, source, source.value(column), place, explodes=explodes)
    optional = [ours for ours in may_have if any(ours in mapped for mapped in maps.values())]
    notes = files.notes(name) + [f"{name}: {file} is empty" for file, source in opened.items() if source is None]
    notes += [f"{name}: {s.path.name}: {note}" for s in sources if s.dialect for note in s.dialect.notes]
    others, uses = _own_columns(db, name, given, sources, maps)
    if name in schema.OPEN:
        notes += [f"{name}: column '{use.column}': {text}" for use in uses if (text := use.sentence())]
    notes += dict.fromkeys(note for one in sources for note in schema.opt_out_notes(name, maps[one.path], one))
    of_times = [one.columns[c] for one in sources for t in _TIMES if (c := maps[one.path].get(t))]
    notes += applicable.notes(name, given, sources, of_times)
    notes += _lacking(name, sources, [*optional, *others], maps)
    times = {
        source.path: known[source.path].times if source.path in known else _timestamps(db, name, given, source, theirs)
        for source in sources
        if "timestamp" in ours and (theirs := maps[source.path].get("timestamp"))
    }
    spans = {
        (source.path, ours): _timestamps(db, name, given, source, maps[source.path][ours])
        for source in sources
        for ours in schema.SPAN
        if ours in optional and ours in maps[source.path]
    }
    empty = [Skipped(file, "empty") for file, source in opened.items() if source is None]
    skipped = [*files.skipped, *empty]
    by_path = {file.path: file for file in files.read}

    def open_again(source: Source) -> Source:
        again = open_file(by_path[source.path]) if source.closed else None
        return _as_given(name, given, again, maps[source.path]) if again else source

    return Table(name, given, sources, maps, optional, others, uses, times, spans, credible, notes, skipped, open_again)


def _known(file: File, known: Mapping[Path, Known], uneven: Collection[Path]) -> Source | None:
    """A file that need not be opened."""
    if file.path not in known or file.path in uneven:
        return None
    return as_known(known[file.path].source, file.path, file.partition)


def _lacking(
    name: str, sources: Sequence[Source], wanted: Iterable[str], maps: Mapping[Path, Mapping[str, str]]
) -> list[str]:
    """A note for each of some columns that is not in every file."""
    notes = []
    for ours in wanted:
        without = [source for source in sources if maps[source.path].get(ours, ours) not in source.columns]
        if without:
            notes.append(
                f"{name}: {len(without)} of {len(sources)} files have no column '{ours}', such as "
                f"{without[0].path.name}; it is missing in their rows"
            )
    return notes


def _as_given(name: str, given: TableInput, source: Source, mapped: Mapping[str, str]) -> Source:
    """The source, with the table's settings of values."""
    items = mapped["item_id"] if given.explode and name == "interactions" else None
    exploded = items if items and (source.columns[items] == JSON or source.columns[items].endswith("]")) else None
    header = source.header
    if name not in schema.OPEN:  # the other columns are not read
        header = {column: text for column, text in header.items() if column in mapped.values()}
    return replace(source, missing=tuple(given.missing), exploded=exploded, header=header)


def _own_columns(
    db: duckdb.DuckDBPyConnection,
    name: str,
    given: TableInput,
    sources: Sequence[Source],
    maps: Mapping[Path, Mapping[str, str]],
) -> tuple[dict[str, columns.Kind], list[columns.ColumnUse]]:
    """The kinds of the columns that are kept under their own names, and what each column of the files is used as."""
    uses = {theirs: columns.ColumnUse(theirs, ours) for source in sources for ours, theirs in maps[source.path].items()}
    beside = _beside(name, sources, maps, uses)
    if name not in schema.OPEN:
        rest = dict.fromkeys(column for source in sources for column in source.columns if column not in uses)
        why = {path[0]: f"but for {column}" for source in sources for column, path in source.nested.items()}
        unused = f"{name} have no use for it"
        return {}, [*uses.values(), *beside, *(columns.ColumnUse(c, "ignored", why.get(c, unused)) for c in rest)]
    of_ours = (*our_columns.REQUIRED[name], *schema.optional(name, given))
    surveys: dict[str, list[columns.Survey]] = defaultdict(list)
    places: dict[str, list[tuple[Source, str]]] = defaultdict(list)
    for source in sources:
        named = {theirs: ours for ours, theirs in maps[source.path].items() if ours not in of_ours}
        own = schema.other_columns(name, maps[source.path], source)
        for theirs, survey in columns.survey(db, source, [*named, *own]).items():
            surveys[named.get(theirs, theirs)].append(survey)
            places[named.get(theirs, theirs)].append((source, theirs))
        for theirs in source.columns:
            if theirs not in own:
                uses.setdefault(theirs, columns.ColumnUse(theirs, "ignored", "its name is taken"))
    texts = {
        column: [place for place, each in zip(places[column], found, strict=True) if each.type == "VARCHAR"]
        for column, found in surveys.items()
        if columns.could_be_numbers(found)
    }
    numbers = _numbers(db, sources, texts)
    kinds = {}
    for column, found in surveys.items():
        kinds[column], use = columns.decide(column, found, numbers[column])
        for _, theirs in places[column]:
            kept = f"it is kept as '{column}'" if theirs.lower() in schema.RESERVED else use.why
            uses[theirs] = replace(use, column=theirs, why=kept)
    return kinds, [*uses.values(), *beside]


def _beside(
    name: str,
    sources: Sequence[Source],
    maps: Mapping[Path, Mapping[str, str]],
    used: Mapping[str, columns.ColumnUse],
) -> list[columns.ColumnUse]:
    """Columns that stand in for one of ours in some files, and are left aside in others that have a better one."""
    found = []
    for theirs, use in used.items():
        for source in sources:
            taken = maps[source.path].get(use.used_as, theirs)
            if theirs in source.columns and taken != theirs and name not in schema.OPEN:
                why = f"'{taken}' is taken instead in {source.path.name}"
                found.append(columns.ColumnUse(theirs, "ignored", why))
                break
    return found


def _numbers(
    db: duckdb.DuckDBPyConnection, sources: Sequence[Source], places: Mapping[str, Sequence[tuple[Source, str]]]
) -> dict[str, list[columns.Numbers]]:
    """The numbers among the texts of some columns, in one scan of each file."""
    found: dict[str, list[columns.Numbers]] = defaultdict(list)
    for source in sources:
        here = {column: theirs for column, each in places.items() for file, theirs in each if file is source}
        counted = columns.count_numbers(db, source, list(here.values()))
        for column, theirs in here.items():
            found[column].append(counted[theirs])
    return found


_SAMPLE = 1000  # timestamps of a file whose form is that of all; of fewer it is known


def _timestamps(
    db: duckdb.DuckDBPyConnection, name: str, given: TableInput, source: Source, column: str
) -> timestamps.Timestamps:
    """How the timestamps of a file are written, by its first ones.

    Raises:
        DataRefused: none of them is credible when it is read so.
    """
    value, place = source.value(column), f"{name}: {source.path}, column '{column}'"
    text = f"SELECT {as_text(value)} AS t FROM {source.relation()}"
    rows = run(db, f"SELECT t FROM ({text}) WHERE t IS NOT NULL LIMIT {_SAMPLE}", source.path)
    sample = [str(row[0]) for row in rows]
    letters = given.timestamp_format if value.type not in timestamps.INSTANTS else None
    plain = len(sample) < _SAMPLE and all(map(timestamps.is_plain, sample))
    how = timestamps.Timestamps(time_forms.reading(sample, given.timestamp_unit), letters, given.timezone, plain)
    if doubt := misread.doubt(name, sample, how):
        read = timestamps.micros(value, how, place)
        credible = f"{read} BETWEEN {doubt.credible.first} AND {doubt.credible.last}"
        if not run(db, f"SELECT 1 FROM {source.relation()} WHERE {credible} LIMIT 1", source.path):
            raise DataRefused(f"{place}: {doubt.sentence}")
    return how
