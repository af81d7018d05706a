"""The raw tables' columns: which each table needs, and what type the site's own columns get."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import duckdb

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.sources import JSON, OBJECT, TEXT, Source, Value, as_text, run

KEYS = {"interactions": ("user_id", "item_id"), "items": ("item_id",), "users": ("user_id",), "tags": ("item_id",)}
REQUIRED = KEYS | {"interactions": ("user_id", "item_id", "timestamp"), "tags": ("item_id", "tag")}
OPTIONAL = {
    "interactions": ("rating", "event"),
    "items": ("title", "available"),
    "users": ("opted_out",),
    "tags": ("timestamp",),
}
OPEN = ("items", "users")  # tables that keep every other column of the site
FLAGS = ("available", "opted_out")
ADDED = ("source_file", "source_row")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_KEPT = ("BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_JSON_TYPES = {"UBIGINT": "BIGINT", "BIGINT": "BIGINT", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN"}


def mapping(name: str, table: TableInput, source: Source) -> dict[str, str]:
    """Our columns and where they are in this file: `{ours: the site's name}`, required ones first.

    Raises:
        ConfigError: a column is mapped that the table has no use for.
        DataRefused: a column is not there.
    """
    known = (*REQUIRED[name], *OPTIONAL[name])
    if name not in OPEN and (unknown := [ours for ours in table.columns if ours not in known]):
        raise ConfigError(f"{name}: there is no column '{unknown[0]}' to map; the columns are {', '.join(known)}.")
    found: dict[str, str] = {}
    for ours in dict.fromkeys((*known, *table.columns)):
        options = names(table, ours)
        if there := next((option for option in options if option in source.columns), None):
            found[ours] = there
        elif ours in REQUIRED[name] or isinstance(table.columns.get(ours), str):
            raise _missing(name, ours, options, source)
    return found


def names(table: TableInput, ours: str) -> Sequence[str]:
    """The site's names for one of our columns; our own name where none is given."""
    theirs = table.columns.get(ours, ours)
    return [theirs] if isinstance(theirs, str) else theirs


_FLAGS = {"interactions": "--columns", "items": "--item-columns", "users": "--user-columns"}


def _missing(name: str, ours: str, options: Sequence[str], source: Source) -> DataRefused:
    wanted = " or ".join(f"'{option}'" for option in options)
    purpose = "" if list(options) == [ours] else f" (for {ours})"
    lower = {column.lower(): column for column in source.columns}
    near = [m for o in (*options, ours) for m in get_close_matches(o.lower(), lower, n=1, cutoff=0.5)]
    hint = f"; did you mean '{lower[near[0]]}'?" if near else "."
    return DataRefused(
        f"{name}: {source.path} has no column {wanted}{purpose}; its columns are {', '.join(source.columns)}{hint} "
        f"Name the column that holds it with {_FLAGS.get(name, f'inputs.{name}.columns:')} {ours}=…"
    )


def other_columns(mapped: Mapping[str, str], source: Source) -> list[str]:
    """The site's columns that are kept under their own names, in the order of the file."""
    taken = {*mapped.values(), *mapped, *ADDED}
    return [column for column in source.columns if column not in taken]


def survey(db: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[str]) -> dict[str, str | None]:
    """The type of each column over all rows of a file, None where it is always missing.

    CSV: BIGINT if all values are canonical integers, DOUBLE if all are finite numbers without leading zeros (which
    codes have), else VARCHAR. JSON: numbers, booleans, lists of these or of text; anything else as JSON text.
    """
    if not columns:
        return {}
    if source.format == "parquet":
        return {column: _native(source.columns[column]) for column in columns}
    if source.format == "jsonl":
        ((structure,),) = run(
            db,
            f"SELECT json_group_structure(CAST({OBJECT} AS JSON)) FROM {source.relation()} WHERE v IS NOT NULL",
            source.path,
        )
        known = json.loads(structure) if structure else {}
        return {column: _json_type(known.get(column, "NULL")) for column in columns}
    parts = []
    for column in columns:
        x = source.value(column).sql
        number = f"isfinite(TRY_CAST({x} AS DOUBLE)) AND NOT regexp_matches({x}, '^[+-]?0[0-9]')"
        parts += [
            f"count({x})",
            f"count(*) FILTER (WHERE CAST(TRY_CAST({x} AS BIGINT) AS VARCHAR) = {x})",
            f"count(*) FILTER (WHERE {number})",
        ]
    (counts,) = run(db, f"SELECT {', '.join(parts)} FROM {source.relation()}", source.path)
    numbers = iter(counts)
    types: dict[str, str | None] = {}
    for column, filled, whole, numeric in zip(columns, numbers, numbers, numbers, strict=True):
        kind = "BIGINT" if whole == filled else "DOUBLE" if numeric == filled else "VARCHAR"
        types[column] = kind if filled else None
    return types


def common_type(types: Iterable[str | None]) -> str:
    """The one type that holds the values of all files: text where they differ in kind."""
    found = {kind for kind in types if kind}
    if len(found) == 1:
        return found.pop()
    return "DOUBLE" if found == {"BIGINT", "DOUBLE"} else "VARCHAR"


def cast(value: Value, kind: str) -> str:
    """The value as a type that `survey` found, lists of lists as one list; a loss is an error, never a NULL."""
    if kind == "VARCHAR":
        return as_text(value)
    if value.type != JSON:
        flat = kind.replace("[][]", "[]")
        return f"CAST({value.sql} AS {flat})"
    if not kind.endswith("]"):
        return f"CAST({as_text(value)} AS {kind})"
    values = f"CAST(CAST({value.sql} AS JSON) AS {kind})"
    return f"flatten({values})" if kind.endswith("[][]") else values


def flag(value: Value) -> str:
    """A yes or no as BOOLEAN, NULL where the value is missing or neither."""
    text = f"lower(trim({as_text(value)}))"
    yes, no = ("('true', 't', 'yes', 'y', '1', '1.0')", "('false', 'f', 'no', 'n', '0', '0.0')")
    return f"CASE WHEN {text} IN {yes} THEN true WHEN {text} IN {no} THEN false END"


def number(value: Value) -> str:
    """A finite number as DOUBLE, NULL where the value is missing or none."""
    x = value.sql if value.type in (TEXT, "DOUBLE", "FLOAT") else as_text(value)
    return f"CASE WHEN isfinite(TRY_CAST({x} AS DOUBLE)) THEN TRY_CAST({x} AS DOUBLE) END"


def _native(kind: str) -> str:
    if kind.endswith("[]"):
        inner = _native(kind.removesuffix("[]"))
        return "VARCHAR" if inner.endswith("]") or (inner == "VARCHAR" and kind != "VARCHAR[]") else f"{inner}[]"
    if kind in _INTEGERS:
        return "BIGINT"
    if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
        return "DOUBLE"
    return kind if kind in _KEPT else "VARCHAR"


def _json_type(structure: Any) -> str | None:
    if structure == "NULL":
        return None
    if isinstance(structure, str):
        return _JSON_TYPES.get(structure, "VARCHAR")
    depth = 0
    while isinstance(structure, list) and len(structure) == 1:
        structure, depth = structure[0], depth + 1
    if depth in (1, 2) and isinstance(structure, str) and structure != "JSON":
        return _JSON_TYPES.get(structure, "VARCHAR") + "[]" * depth
    return "VARCHAR"
