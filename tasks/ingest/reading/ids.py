"""Ids as SQL: how a value becomes an int64 or a string without losing what distinguishes it.

A column is int64 only if each value is a *canonical* integer, one that prints as it was written: `7` is, `007`,
`+7`, `7.0` and a JSON string `"7"` are not. One value that is not makes the whole column text, so that no two
ids fall together and each leaves as it came.
"""

from __future__ import annotations

import re

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.reading.sources import JSON, TEXT, Source, Value, as_text, run

INTEGER, STRING = "BIGINT", "VARCHAR"
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_WIDE = ("UBIGINT", "HUGEINT", "UHUGEINT")
_EXACT = {"DOUBLE": 2**53, "FLOAT": 2**24, "HALF_FLOAT": 2**11}  # integers below these are exact in a float

TYPES = {
    "whole numbers of up to 64 bits": (_WHOLE, "int64"),
    "unsigned 64 bits": (_WIDE, "int64 if every id is below 2^63, else its digits as text"),
    "decimal": (("DECIMAL",), "int64 if every id is a whole number of up to 64 bits, else its digits as text"),
    "float, double": (tuple(_EXACT), "int64 if every id is whole and exact in that type, else text"),
    "text (string, large_string, string_view, dictionary)": (("VARCHAR",), "the text as it is"),
    "binary of any kind": (("BLOB",), "the text if all of it is UTF-8, else refused"),
    "UUID": (("UUID",), "the text in its usual form of 36 characters"),
    "null": (('"NULL"',), "missing"),
    "yes or no, time of any kind, duration, decimal of more than 38 digits": (
        ("BOOLEAN", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "DURATION", "WIDE_DECIMAL"), "refused"
    ),
    "list, structure, map, JSON": (("[", "STRUCT", "MAP", "JSON"), "refused; lists of item_id can be exploded"),
}  # fmt: skip
"""What becomes of ids in a Parquet column: kind of type -> the types in DuckDB's words (or how they begin), the id."""
_READ = tuple(kind for types, id_ in TYPES.values() if not id_.startswith("refused") for kind in types)


def integer(value: Value, *, strict: bool) -> str:
    """The id as BIGINT; NULL, or any integer, where it is not one that `odd` would pass.

    `strict`: a string is never an integer, whatever it holds; otherwise it is one if it is written as one.
    """
    if value.type in _WHOLE:
        return f"CAST({value.sql} AS BIGINT)"
    x = value.sql
    if value.type.startswith("DECIMAL"):
        return f"CASE WHEN {x} = trunc({x}) THEN TRY_CAST({x} AS BIGINT) END"
    if limit := _EXACT.get(value.type):
        return f"CASE WHEN {x} = round({x}) AND abs({x}) < {limit} THEN TRY_CAST({x} AS BIGINT) END"
    if value.type == JSON:
        return f"TRY_CAST({x if strict else as_text(value)} AS BIGINT)"
    return f"TRY_CAST({_written(value, strict)} AS BIGINT)"


def odd(value: Value, as_integer: str, *, strict: bool, shown: str | None = None) -> str:
    """The value as text where it is neither missing nor a canonical integer, else NULL.

    `as_integer`: what `integer` gave, or a column that holds it; `shown`: what stands for the text of a CSV value.
    """
    if value.type in _WHOLE:
        return "CAST(NULL AS VARCHAR)"
    text = _written(value, strict)
    if value.type in _EXACT:
        return f"CASE WHEN {as_integer} IS NULL AND NOT isnan({value.sql}) THEN {text} END"
    if value.type.startswith("DECIMAL"):
        return f"CASE WHEN {as_integer} IS NULL THEN {text} END"
    if strict and value.type not in (TEXT, JSON, *_WIDE):
        return f"NULLIF({text}, '')"
    integer = f"CAST({as_integer} AS VARCHAR)"
    if value.type == JSON:  # most values are told by the cheap first comparison
        return f"CASE WHEN {integer} = {value.sql} THEN NULL WHEN {integer} = {text} THEN NULL ELSE {text} END"
    return f"CASE WHEN {integer} = {text} THEN NULL ELSE {shown or text} END"


def text(value: Value, as_integer: str) -> str:
    """The id as VARCHAR, NULL where it is missing or empty; an integer that a null turned into a float as integer."""
    if value.type in _EXACT:
        return f"COALESCE(CAST({as_integer} AS VARCHAR), CASE WHEN NOT isnan({value.sql}) THEN {as_text(value)} END)"
    if value.type.startswith("DECIMAL"):
        return f"COALESCE(CAST({as_integer} AS VARCHAR), {as_text(value)})"
    return f"NULLIF({_json_text(value) if value.type == JSON else as_text(value)}, '')"


def _written(value: Value, strict: bool) -> str:
    """The text that must be canonical: a JSON string keeps its quotes when strict, and so never is."""
    if value.type == JSON:
        return _without_fraction(value, f"""NULLIF({value.sql}, '""')""" if strict else f"NULLIF({as_text(value)}, '')")
    return as_text(value) if value.type in (TEXT, *_WIDE) else f"NULLIF({as_text(value)}, '')"


def _json_text(value: Value) -> str:
    return _without_fraction(value, as_text(value))


def _without_fraction(value: Value, text: str) -> str:
    """The number 7.0 of JSON is the id 7, which a null made a float."""
    return f"CASE WHEN ends_with({value.sql}, '.0') THEN left({value.sql}, -2) ELSE {text} END"


def unfit(value: Value, as_integer: str) -> str | None:
    """SQL: a JSON value that can be no id, else NULL: a list, an object, true or false, an inexact number.

    `as_integer`: what `integer` gave, or a column that holds it.
    """
    if value.type != JSON:
        return None
    x = value.sql  # 34: a string; 91 and 123: [ and {; 102 and 116: false and true
    fits = f"CAST({as_integer} AS VARCHAR) = {x} OR ascii({x}) = 34"
    whole = f"ends_with({x}, '.0') AND abs(TRY_CAST({x} AS DOUBLE)) < {_EXACT['DOUBLE']}"
    inexact = f"regexp_matches({x}, '[.eE]') AND NOT ({whole})"
    return f"CASE WHEN {fits} THEN NULL WHEN ascii({x}) IN (91, 123, 102, 116) OR ({inexact}) THEN {x} END"


def refuse_type(db: duckdb.DuckDBPyConnection, source: Source, value: Value, where: str, *, explodes: bool) -> None:
    """Raise DataRefused where a column's type holds no ids, or binary that is no text."""
    if value.type in (TEXT, JSON):
        return
    there = f"SELECT CAST({value.sql} AS VARCHAR) FROM {source.relation()} WHERE {value.sql} IS NOT NULL"
    if value.type == "BLOB":
        if found := run(db, f"{there} AND TRY(decode({value.sql})) IS NULL LIMIT 1", source.path):
            raise DataRefused(f"{where}: the id {_short(found[0][0])} is binary and not UTF-8; write it as text.")
    elif value.type.endswith("]") or not value.type.startswith(_READ):
        found = run(db, f"{there} LIMIT 1", source.path)
        example = found[0][0] if found else ""
        raise DataRefused(f"{where}: {refusal(value.type, example, explodes=explodes)}")


def refusal(kind: str, example: str, *, explodes: bool) -> str:
    """Why a value, whose type is a DuckDB type or JSON, is no id, and what to do."""
    such = f", such as {_short(example)}" if example else ""
    if kind.endswith("]") or (kind == JSON and example.startswith("[")):
        setting = "set explode = true under [inputs.interactions] (--explode) to read each as an event of its own"
        return f"the ids are lists{such}; " + (setting if explodes else "write one id a row") + "."
    if kind.startswith(("STRUCT", "MAP", "JSON")) and (kind != JSON or example.startswith("{")):
        fields = _fields(kind, example)
        field = next((name for name in fields if "id" in name.lower()), fields[0] if fields else None)
        advice = f"write the field '{field}' as a column of its own" if field else "write the id as a column of its own"
        return f"the ids are objects{such}; {advice}."
    if kind == JSON and not example.startswith(("t", "f")):
        return (
            f"the id {_short(example)} is a number that JSON holds inexactly; write whole numbers, or text in quotes."
        )
    begins = next((name for name in _KINDS if kind.startswith(name)), kind)
    return f"the ids are {_KINDS.get(begins, begins)}{such}; map the column that holds ids, or write it as text."


_KINDS = {
    "BOOLEAN": "true or false",
    "JSON": "true or false",
    "DATE": "dates",
    "TIME": "times",
    "INTERVAL": "durations",
    "DURATION": "durations",
    "WIDE_DECIMAL": "decimals of more than 38 digits",
}


def _fields(kind: str, example: str) -> list[str]:
    return re.findall(r'"([^"]+)"\s*:', example) if kind == JSON else re.findall(r'[(,]\s*"?(\w+)"? ', kind)


def _short(text: str) -> str:
    return f"'{text[:40]}{'…' if len(text) > 40 else ''}'"
