"""The raw tables' columns: which each table needs, where a file has them, and how flags and ratings are read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from string import ascii_letters

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading import numbers
from tasks.ingest.reading.files import OF_DOMAIN
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.our_columns import CONTEXT, DOMAIN, IN_DOMAINS, OPTIONAL, REQUIRED
from tasks.ingest.reading.remedies import listed, option, shortened
from tasks.ingest.reading.sources import Source, Value, as_text
from tasks.store.accounts import NUMBERS_TEXT
from tasks.store.duckdb import literal, quoted

OPEN = ("items", "users")  # tables that keep every other column of the site
FOLLOWING = ("exposures",)  # tables whose ids are of the types that the others have: a log of theirs changes no export
FLAGS = ("available", "opted_out")  # what is neither yes nor no stops the night; of READ the row alone is refused
SPAN = ("available_from", "available_until")
ADDED = ("source_file", "source_row")
RESERVED = (
    *ADDED, NUMBERS_TEXT, "timestamp_text", "rating_text", "reason", "occurrence", "item_in_catalogue",
    "file_row_number", "item_index", "user_index",
)  # fmt: skip
"""Names that the stages give their own columns; the site's of these names, in any case, are kept as `<name>_2`."""


def optional(name: str, table: TableInput) -> tuple[str, ...]:
    """The columns that a table may have; the domain and the context, where the settings say that there is one."""
    context = (CONTEXT,) if name == "interactions" and CONTEXT in table.columns else ()
    return (*OPTIONAL[name], *context, *((DOMAIN,) if table.has_domain and name in IN_DOMAINS else ()))


def mapping(name: str, table: TableInput, source: Source) -> dict[str, str]:
    """Our columns and where they are in this file: `{ours: the site's name}`, required ones first.

    Raises:
        ConfigError: a column is mapped that the table has no use for.
        DataRefused: a required column is not there.
    """
    known = (*REQUIRED[name], *optional(name, table))
    if name not in OPEN and (unknown := [ours for ours in table.columns if ours not in known]):
        raise ConfigError(f"{name}: there is no column '{unknown[0]}' to map; the columns are {', '.join(known)}.")
    found: dict[str, str] = {}
    for ours in dict.fromkeys((*known, *table.columns)):
        options = names(table, ours)
        if there := next((option for option in options if option in source.columns), None):
            found[ours] = there
        elif ours in REQUIRED[name]:
            raise _missing_in(source, name, ours, options)
    return found


def mappings(name: str, table: TableInput, sources: Sequence[Source]) -> dict[Path, dict[str, str]]:
    """`mapping` of each of a table's files. A column that only some files have is missing in the rows of the others.

    Raises:
        ConfigError: a column is mapped that the table has no use for.
        DataRefused: a required column is not there (of files of several layouts one that has them is named, too), or
            another that is mapped is in no file.
    """
    maps: dict[Path, dict[str, str]] = {}
    refused: dict[Path, DataRefused] = {}
    for source in sources:
        try:
            maps[source.path] = mapping(name, table, source)
        except DataRefused as error:
            refused[source.path] = error
    for other, why in refused.items():
        raise DataRefused(f"{why}. If {other.name} is {_but(other, list(maps))}.") if maps else why
    for ours, theirs in table.columns.items():
        if isinstance(theirs, str) and not any(ours in mapped for mapped in maps.values()):
            raise _missing_in(sources[0], name, ours, [theirs])
    return maps


def _but(other: Path, fitting: Sequence[Path]) -> str:
    """A file that fits, and a path that leaves the other one out: a glob of names that begin as its name does."""
    first = fitting[0]
    letters = first.name[: len(first.name) - len(first.name.lstrip(ascii_letters))]
    similar = first.with_name(f"{letters}*")
    path = first if other.match(str(similar)) else similar
    return f"of another table than {first.name}, leave it out: give the path '{path}'"


def names(table: TableInput, ours: str) -> Sequence[str]:
    """The site's names for one of our columns; our own name where none is given."""
    if ours == DOMAIN and table.domains:
        return [OF_DOMAIN]
    theirs = table.columns.get(ours, ours)
    return [theirs] if isinstance(theirs, str) else theirs


def refuse_missing(name: str, table: TableInput, there: Sequence[str], where: str) -> None:
    """Raise DataRefused where the columns that are there lack one that a table needs, or that is mapped.

    Args:
        name: of the table.
        table: its settings.
        there: the columns of what is no file; of fields within them, which the reader looks for, the first names.
        where: what it is, for people.
    """
    for ours in dict.fromkeys((*REQUIRED[name], *table.columns)):
        options = names(table, ours)
        if not {part for one in options for part in (one, one.split(".")[0])} & set(there) and (
            ours in REQUIRED[name] or isinstance(table.columns[ours], str)
        ):
            raise _missing(name, ours, options, there, where, "`nightrec inspect` of its address")


def _missing_in(source: Source, name: str, ours: str, options: Sequence[str]) -> DataRefused:
    look = f"`nightrec inspect {shlex.quote(str(source.path))}`"
    return _missing(name, ours, options, list(source.columns), str(source.path), look)


def _missing(
    name: str, ours: str, options: Sequence[str], columns: Sequence[str], where: str, look: str
) -> DataRefused:
    wanted = " or ".join(f"'{option}'" for option in options)
    purpose = "" if list(options) == [ours] else f" (for {ours})"
    lower = {column.lower(): column for column in columns}
    near = [m for o in (*options, ours) for m in get_close_matches(o.lower(), lower, n=1, cutoff=0.5)]
    hint = f"; did you mean '{shortened(lower[near[0]])}'?" if near else "."
    return DataRefused(
        f"{name}: {where} has no column {wanted}{purpose}; its columns are {listed(columns)}{hint} "
        f"Name the column that holds it with {option(name, 'columns') or f'inputs.{name}.columns:'} {ours}=…; "
        f"{look} shows what is there"
    )


def renamed(name: str, mapped: Mapping[str, str], source: Source) -> dict[str, str]:
    """The site's columns that cannot keep their names, and what they are called: `{kept: the site's name}`.

    Raises:
        ConfigError: a column is mapped to such a name.
    """
    if taken := [ours for ours in mapped if ours.lower() in RESERVED]:
        raise ConfigError(f"{name}: the column '{taken[0]}' would be taken for one of the pipeline's own: rename it.")
    kept: dict[str, str] = {}
    if name in OPEN:
        for column in source.columns:
            if column.lower() in RESERVED and column not in mapped.values():
                kept[next(n for i in count(2) if (n := f"{column}_{i}") not in {*source.columns, *mapped})] = column
    return kept


_OPT_OUTS = ("optedout", "optout", "unsubscribe", "donottrack", "donotsell", "consent")


def opt_out_notes(name: str, mapped: Mapping[str, str], source: Source) -> list[str]:
    """A note of each column that may be an opt-out and is none of ours: it would be a feature of users that stay."""
    if name != "users" or "opted_out" in mapped:
        return []
    alike = [
        column
        for column in source.columns
        if any(word in "".join(filter(str.isalnum, column.lower())) for word in _OPT_OUTS)
    ]
    return [
        f"users: nobody is opted out by the column '{column}'; if it says so, name it with --user-columns "
        f"opted_out={column}"
        for column in alike
    ]


def other_columns(name: str, mapped: Mapping[str, str], source: Source) -> list[str]:
    """The site's columns that are kept under their own names, in the order of the file."""
    if name not in OPEN:
        return []
    taken = {*mapped.values(), *mapped}
    return [column for column in source.columns if column not in taken]


YES = ("true", "t", "yes", "y", "on", "1", "1.0")
NO = ("false", "f", "no", "n", "off", "0", "0.0")
"""What a yes or no may say, in any case; anything else but a text for a null is refused."""


def flag(value: Value) -> str:
    """A yes or no as BOOLEAN, NULL where the value is missing or neither."""
    text = f"lower(trim({as_text(value)}))"
    return f"CASE WHEN {text} IN ({_listed(YES)}) THEN true WHEN {text} IN ({_listed(NO)}) THEN false END"


def number(value: Value) -> str:
    """A finite number as DOUBLE, NULL where the value is missing or none; `4,5` is 4.5, `4,500` could be either."""
    if value.type in ("DOUBLE", "FLOAT", "HALF_FLOAT"):
        return f"CASE WHEN isfinite({value.sql}) THEN CAST({value.sql} AS DOUBLE) END"
    x = as_text(value)
    read = f"TRY_CAST({x} AS DOUBLE)"
    comma = rf"regexp_matches({x}, '^\s*[-+]?[0-9]+,([0-9]{{1,2}}|[0-9]{{4,}})\s*$')"
    with_comma = f"CASE WHEN {comma} THEN TRY_CAST(replace({x}, ',', '.') AS DOUBLE) END"
    return (
        f"CASE WHEN isfinite({read}) THEN CASE WHEN strlen({x}) < 3 OR NOT contains({x}, '_') THEN {read} END "
        f"WHEN contains({x}, ',') THEN {with_comma} END"
    )


def whole(value: Value) -> str:
    """A whole number as INTEGER, NULL where the value is missing or none."""
    if value.type in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"):
        return f"TRY_CAST({value.sql} AS INTEGER)"
    read = number(value)
    return f"CASE WHEN {read} = floor({read}) THEN TRY_CAST({read} AS INTEGER) END"


READ = {"rating": number, "rank": whole, "clicked": flag, "outcome": number}
"""Columns whose values mean something else than their text; `<column>_text` has those that could not be read."""


def unread(value: Value, ours: str, *, nulls: bool) -> str:
    """The value as text where it could not be read, but for a text that means a null, unless `nulls` is false."""
    text = as_text(value)
    if nulls:  # a CASE of its own: AND would fold every value
        text = f"CASE WHEN NOT {numbers.is_null(text)} THEN {text} END"
    return f"CASE WHEN {quoted(f'{ours}!')} IS NULL THEN {text} END"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(literal, words))
