"""One table of the site, opened: its files as sources, the types of its columns, and the query that reads a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.reading import columns, ids, misread, schema, time_forms, timestamps
from tasks.ingest.reading.dialects import Wanted
from tasks.ingest.reading.files import Skipped, find
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.sources import JSON, TEXT, Source, Value, as_text, open_source, run
from tasks.store.accounts import NUMBERS_TEXT
from tasks.store.duckdb import literal, quoted

_OURS = {column for name in schema.REQUIRED for column in (*schema.REQUIRED[name], *schema.OPTIONAL[name])}
_NOTHING = Value("CAST(NULL AS VARCHAR)", "VARCHAR")
_NEVER = timestamps.Timestamps(time_forms.reading([], "auto"), None, "UTC")  # of a file without the column


@dataclass
class Table:
    """A table before it is read.

    `maps`: file → our columns and the site's names for them; `optional`: those of our optional columns that some
    file has; `others`: the site's own columns → kind; `uses`: what each column of the files becomes; `times`: file →
    how its timestamps are read, if it has any; `credible`: between which instants they are no cause for doubt;
    `skipped`: files that are not read.
    """

    name: str
    given: TableInput
    sources: list[Source]
    maps: dict[Path, dict[str, str]]
    optional: list[str]
    others: dict[str, columns.Kind]
    uses: list[columns.ColumnUse]
    times: dict[Path, timestamps.Timestamps]
    credible: timestamps.Credible
    notes: list[str]
    skipped: Sequence[Skipped] = ()

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
) -> Table:
    """Finds a table's files, columns and types. `uneven`: files that are read by way of a copy in `copies`.

    Raises:
        ConfigError: files are missing.
        DataRefused: files are empty, or columns are missing.
    """
    files = find(name, given)
    ours = (*schema.REQUIRED[name], *schema.OPTIONAL[name])
    wanted = Wanted(name, {site for column in ours for site in schema.names(given, column)})
    opened = {
        file.path: open_source(
            db, file, given, wanted, copies, copied=file.path in uneven, every_key=name in schema.OPEN
        )
        for file in files.read
    }
    sources = [source for source in opened.values() if source]
    if not sources:
        raise DataRefused(f"{name}: {files.read[0].path} is empty; give a file with rows.")
    maps = schema.mappings(name, given, sources)
    for source in sources:
        maps[source.path] |= schema.renamed(name, maps[source.path], source)
    sources = [_as_given(name, given, source, maps[source.path]) for source in sources]
    for source in sources:
        for key in schema.KEYS[name]:
            column = maps[source.path][key]
            place = f"{name}: {source.path}, column '{column}'"
            explodes = name == "interactions" and key == "item_id"
            ids.refuse_type(db, source, source.value(column), place, explodes=explodes)
    optional = [ours for ours in schema.OPTIONAL[name] if any(ours in mapped for mapped in maps.values())]
    notes = files.notes(name) + [f"{name}: {file} is empty" for file, source in opened.items() if source is None]
    notes += [f"{name}: {s.path.name}: {note}" for s in sources if s.dialect for note in s.dialect.notes]
    others, uses = _own_columns(db, name, sources, maps)
    if name in schema.OPEN:
        notes += [f"{name}: column '{use.column}': {text}" for use in uses if (text := use.sentence())]
    notes += dict.fromkeys(note for one in sources for note in schema.opt_out_notes(name, maps[one.path], one))
    notes += _lacking(name, sources, [*optional, *others], maps)
    times = {
        source.path: _timestamps(db, name, given, source, theirs)
        for source in sources
        if (theirs := maps[source.path].get("timestamp"))
    }
    empty = [Skipped(file, "empty") for file, source in opened.items() if source is None]
    skipped = [*files.skipped, *empty]
    return Table(name, given, sources, maps, optional, others, uses, times, credible, notes, skipped)


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
    return replace(source, missing=tuple(given.missing), exploded=exploded)


def _own_columns(
    db: duckdb.DuckDBPyConnection,
    name: str,
    sources: Sequence[Source],
    maps: Mapping[Path, Mapping[str, str]],
) -> tuple[dict[str, columns.Kind], list[columns.ColumnUse]]:
    """The kinds of the columns that are kept under their own names, and what each column of the files is used as."""
    uses = {theirs: columns.ColumnUse(theirs, ours) for source in sources for ours, theirs in maps[source.path].items()}
    if name not in schema.OPEN:
        why = f"{name} have no use for it"
        rest = [column for source in sources for column in source.columns if column not in uses]
        return {}, [*uses.values(), *(columns.ColumnUse(column, "ignored", why) for column in dict.fromkeys(rest))]
    surveys: dict[str, list[columns.Survey]] = defaultdict(list)
    places: dict[str, list[tuple[Source, str]]] = defaultdict(list)
    for source in sources:
        named = {theirs: ours for ours, theirs in maps[source.path].items() if ours not in _OURS}
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
    return kinds, list(uses.values())


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


_SAMPLE = 1000  # timestamps of a file whose form is that of all


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
    how = timestamps.Timestamps(time_forms.reading(sample, given.timestamp_unit), letters, given.timezone)
    if doubt := misread.doubt(sample, how):
        read = timestamps.micros(value, how, place)
        credible = f"{read} BETWEEN {doubt.credible.first} AND {doubt.credible.last}"
        if not run(db, f"SELECT 1 FROM {source.relation()} WHERE {credible} LIMIT 1", source.path):
            raise DataRefused(f"{place}: {doubt.sentence}")
    return how


OWN = "own:"
"""Before the names of the columns that the site calls what it likes, so that none is taken for another."""


TIME = quoted("timestamp!")  # the instant that was read


class Query(NamedTuple):
    """SQL, and how its columns are called, in which SQL has no say: to DuckDB `Price` and `price` are one name."""

    sql: str
    columns: tuple[str, ...]


def query(table: Table, source: Source, id_types: Mapping[str, str]) -> Query:
    """The table's columns of a file as SQL, its ids of those types.

    Columns that are kept under the site's names begin with `OWN`. Timestamps are microseconds. Columns whose names end
    in `?` check what is taken for granted: `user_id?` has the ids that are no integers, `user_id unfit?` the values
    that are no ids, `timestamp?` (or `timestamp_text`) the texts of no credible time, `available?` those that are
    neither yes nor no, `line?` the lines of a JSON file that are no object; `object?` says whether a line is one, and
    `begins?` whether a row is the first of one in the file.
    """
    mapped = {ours: source.value(theirs) for ours, theirs in table.maps[source.path].items()}
    parsed: dict[str, str] = {}  # computed first and once; the columns refer to them as "name!"
    found: dict[str, str] = {}
    for key, target in id_types.items():
        parsed[key], integer = ids.integer(mapped[key], strict=table.strict), quoted(f"{key}!")
        found[key] = integer if target == ids.INTEGER else ids.text(mapped[key], integer)
        found[f"{key}?"] = ids.odd(mapped[key], integer, strict=table.strict)
        if unfit := ids.unfit(mapped[key], integer):
            found[f"{key} unfit?"] = unfit
    given = _texts_as_given(mapped)
    mapped |= {ours: Value(quoted(f"{ours} as given!"), "VARCHAR") for ours in given}
    if table.times:
        how, time = table.times.get(source.path, _NEVER), mapped.get("timestamp", _NOTHING)
        parsed["timestamp"] = timestamps.micros(time, how, where(table, source))
        found |= _doubtful_times(table, time)
    for ours in (*schema.REQUIRED[table.name], *table.optional):
        value = mapped.get(ours, _NOTHING)
        if ours == "rating":
            parsed[ours] = schema.number(value)
        elif ours in schema.FLAGS:
            parsed[ours] = schema.flag(value)
        elif ours not in parsed:
            found[ours] = as_text(value)
        if ours not in found:
            unread = f"{ours}?" if ours in schema.FLAGS else f"{ours}_text"
            found[ours] = quoted(f"{ours}!")
            found.setdefault(unread, schema.unread(value, ours, nulls=ours != "timestamp"))
    for column, kind in table.others.items():
        theirs = table.maps[source.path].get(column, column)
        found[OWN + column] = columns.cast(source.value(theirs) if theirs in source.columns else _NOTHING, kind)
    if as_written := _numbers_as_written(table, source):
        found[NUMBERS_TEXT] = as_written
    if source.exploded:
        found["begins?"] = "begins"
    if source.format == "jsonl":
        found |= {"line?": "CASE WHEN v IS NULL THEN line END", "object?": "v IS NOT NULL"}
    inner = ", ".join(["*", *(f"{sql} AS {quoted(f'{name}!')}" for name, sql in parsed.items())])
    bounded = f"* REPLACE ({timestamps.bounded(TIME)} AS {TIME})" if table.times else "*"
    outer = ", ".join(f"{sql} AS out{place}" for place, sql in enumerate(found.values()))
    rows = ", ".join(["*", *(f"{text} AS {mapped[ours].sql}" for ours, text in given.items())])
    read = f"SELECT {bounded} FROM (SELECT {inner} FROM (SELECT {rows} FROM {source.relation()}))"
    return Query(f"SELECT {outer} FROM ({read})", tuple(found))


def _numbers_as_written(table: Table, source: Source) -> str | None:
    """A JSON object of the texts that are read as numbers in some notation, for the quarantine; None if none are."""
    noted = [column for column, kind in table.others.items() if kind.notation]
    texts = []
    for column in noted:
        theirs = table.maps[source.path].get(column, column)
        value = source.value(theirs) if theirs in source.columns else _NOTHING
        texts.append(f"{literal(column)}, {as_text(value)}")
    return f"CAST(json_object({', '.join(texts)}) AS VARCHAR)" if texts else None


def _texts_as_given(mapped: Mapping[str, Value]) -> dict[str, str]:
    """Columns of which the text is selected from a file once, as it is looked at often, or dear; and that, as SQL."""
    dear = {"timestamp": (TEXT, JSON, "VARCHAR"), "rating": (JSON,)}
    return {
        ours: as_text(mapped[ours]) for ours, types in dear.items() if ours in mapped and mapped[ours].type in types
    }


def doubtful(table: str) -> str:
    """The column of the timestamps that may be misread; interactions keep it, as validation refuses just these."""
    return "timestamp_text" if table == "interactions" else "timestamp?"


def _doubtful_times(table: Table, value: Value) -> dict[str, str]:
    first, last = table.credible
    text = f"CASE WHEN {TIME} IS NULL OR {TIME} NOT BETWEEN {first} AND {last} THEN {as_text(value)} END"
    return {doubtful(table.name): text}


def where(table: Table, source: Source, ours: str = "timestamp") -> str:
    """Table, file and column, for a message."""
    return f"{table.name}: {source.path}, column '{table.maps[source.path].get(ours, ours)}'"
