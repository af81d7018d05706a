"""The query that reads a file of a table: its columns as SQL, and what checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from recmodels.data.domains import SEPARATOR
from tasks.ingest.reading import columns, ids, our_columns, schema, time_forms, timestamps
from tasks.ingest.reading.sources import JSON, TEXT, Source, Value, as_text
from tasks.ingest.reading.tables import Table
from tasks.store.accounts import NUMBERS_TEXT
from tasks.store.duckdb import literal, quoted

_NOTHING = Value("CAST(NULL AS VARCHAR)", "VARCHAR")
_NEVER = timestamps.Timestamps(time_forms.reading([], "auto"), None, "UTC")  # of a file without the column

OWN = "own:"
"""Before the names of the columns that the site calls what it likes, so that none is taken for another."""


HEADER = "\x01the header once more"
"""What stands for an odd id of a line that is the header once more."""

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
    neither yes nor no, `available_from?` and `available_until?` those that are no time, `line?` the lines of a JSON
    file that are no object; `object?` says whether a line is one, and `begins?` whether a row is the first of one in
    the file, `header?` whether it is the header once more (where no id tells it: see `header_told_by`).
    """
    mapped = {ours: source.value(theirs) for ours, theirs in table.maps[source.path].items()}
    parsed: dict[str, str] = {}  # computed first and once; the columns refer to them as "name!"
    found: dict[str, str] = {}
    for key, target in id_types.items():
        parsed[key], integer = ids.integer(mapped[key], strict=table.strict), quoted(f"{key}!")
        found[key] = integer if target == ids.INTEGER else ids.text(mapped[key], integer)
        shown = _header_or(mapped[key].sql, source) if key == header_told_by(table, source, id_types) else None
        found[f"{key}?"] = ids.odd(mapped[key], integer, strict=table.strict, shown=shown)
        if unfit := ids.unfit(mapped[key], integer):
            found[f"{key} unfit?"] = unfit
    given = _texts_as_given(mapped)
    mapped |= {ours: Value(quoted(f"{ours} as given!"), "VARCHAR") for ours in given}
    if table.times:
        how, time = table.times.get(source.path, _NEVER), mapped.get("timestamp", _NOTHING)
        parsed["timestamp"] = timestamps.micros(time, how, where(table, source))
        found |= _doubtful_times(table, time)
    for ours in (*our_columns.REQUIRED[table.name], *table.optional):
        value = mapped.get(ours, _NOTHING)
        if ours in schema.READ:
            parsed[ours] = schema.READ[ours](value)
        elif ours in schema.FLAGS:
            parsed[ours] = schema.flag(value)
        elif ours in schema.SPAN:
            how = table.spans.get((source.path, ours), _NEVER)
            parsed[ours] = timestamps.micros(value, how, where(table, source, ours))
            instant = timestamps.bounded(quoted(f"{ours}!"))
            found[ours] = timestamps.end_of_day(instant, value, how) if ours == "available_until" else instant
            found[f"{ours}?"] = schema.unread(value, ours, nulls=True)
        elif ours not in parsed:
            found[ours] = as_text(value)
        if ours not in found:
            unread = f"{ours}?" if ours in schema.FLAGS else f"{ours}_text"
            found[ours] = quoted(f"{ours}!")
            found.setdefault(unread, schema.unread(value, ours, nulls=ours != "timestamp"))
    if our_columns.DOMAIN in table.optional:
        found |= _of_domain(found["item_id"], found[our_columns.DOMAIN])
    for column, kind in table.others.items():
        theirs = table.maps[source.path].get(column, column)
        found[OWN + column] = columns.cast(source.value(theirs) if theirs in source.columns else _NOTHING, kind)
    if as_written := _numbers_as_written(table, source):
        found[NUMBERS_TEXT] = as_written
    found |= _about_lines(source, headers=header_told_by(table, source, id_types) is None)
    inner = ", ".join(["*", *(f"{sql} AS {quoted(f'{name}!')}" for name, sql in parsed.items())])
    bounded = f"* REPLACE ({timestamps.bounded(TIME)} AS {TIME})" if table.times else "*"
    outer = ", ".join(f"{sql} AS out{place}" for place, sql in enumerate(found.values()))
    rows = ", ".join(["*", *(f"{text} AS {mapped[ours].sql}" for ours, text in given.items())])
    rows = f"SELECT {rows} FROM {source.relation(headers=True)}"
    read = f"SELECT {bounded} FROM (SELECT {inner} FROM ({rows}))"
    return Query(f"SELECT {outer} FROM ({read})", tuple(found))


def _of_domain(item: str, domain: str) -> dict[str, str]:
    """The item's id, told apart from the same id of another domain; none of an item of which no domain is known."""
    name = f"CASE WHEN NOT contains({domain}, '{SEPARATOR}') THEN NULLIF(trim({domain}), '') END"
    return {"item_id": f"({name}) || '{SEPARATOR}' || {item}", our_columns.DOMAIN: name}


def header_told_by(table: Table, source: Source, id_types: Mapping[str, str]) -> str | None:
    """The id whose odd values alone can be the header once more (they are `HEADER` then); None where all rows must be
    compared with it, as ids are text. So the rows whose ids are integers cost nothing."""
    for key, kind in id_types.items():
        title = source.header.get(table.maps[source.path][key], "")
        if kind == ids.INTEGER and title and not any(map(str.isdigit, title)):
            return key
    return None


def _header_or(text: str, source: Source) -> str:
    return f"CASE WHEN {source.repeats_header()} THEN {literal(HEADER)} ELSE {text} END"


def _about_lines(source: Source, *, headers: bool) -> dict[str, str]:
    """The columns that say what each line of a file is, where it may be no row of its own."""
    found = {"begins?": "begins"} if source.exploded else {}
    if headers and (again := source.repeats_header()):
        found["header?"] = again
    if source.format == "jsonl":
        found |= {"line?": "CASE WHEN v IS NULL THEN line END", "object?": "v IS NOT NULL"}
    return found


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
