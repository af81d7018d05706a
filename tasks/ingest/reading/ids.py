"""Ids as SQL: how a value becomes an int64 or a string without losing what distinguishes it.

A column is int64 only if each value is a *canonical* integer, one that prints as it was written: `7` is, `007`,
`+7`, `7.0` and a JSON string `"7"` are not. One value that is not makes the whole column text, so that no two
ids fall together and each leaves as it came.
"""

from __future__ import annotations

from tasks.ingest.reading.sources import JSON, TEXT, Value, as_text

INTEGER, STRING = "BIGINT", "VARCHAR"
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_WIDE = ("UBIGINT", "HUGEINT", "UHUGEINT")
_EXACT = {"DOUBLE": 2**53, "FLOAT": 2**24}  # integers below these are exact in a float


def integer(value: Value, *, strict: bool) -> str:
    """The id as BIGINT; NULL, or any integer, where it is not one that `odd` would pass.

    `strict`: a string is never an integer, whatever it holds; otherwise it is one if it is written as one.
    """
    if value.type in _WHOLE:
        return f"CAST({value.sql} AS BIGINT)"
    if limit := _EXACT.get(value.type):
        x = value.sql
        return f"CASE WHEN {x} = round({x}) AND abs({x}) < {limit} THEN TRY_CAST({x} AS BIGINT) END"
    return f"TRY_CAST({_written(value, strict)} AS BIGINT)"


def odd(value: Value, as_integer: str, *, strict: bool) -> str:
    """The value as text where it is neither missing nor a canonical integer, else NULL.

    `as_integer`: what `integer` gave, or a column that holds it.
    """
    if value.type in _WHOLE:
        return "CAST(NULL AS VARCHAR)"
    text = _written(value, strict)
    if value.type in _EXACT:
        return f"CASE WHEN {as_integer} IS NULL AND NOT isnan({value.sql}) THEN {text} END"
    if strict and value.type not in (TEXT, JSON, *_WIDE):
        return f"NULLIF({text}, '')"
    return f"CASE WHEN CAST({as_integer} AS VARCHAR) = {text} THEN NULL ELSE {text} END"


def text(value: Value, as_integer: str) -> str:
    """The id as VARCHAR, NULL where it is missing or empty; an integer that a null turned into a float as integer."""
    if value.type in _EXACT:
        return f"COALESCE(CAST({as_integer} AS VARCHAR), CASE WHEN NOT isnan({value.sql}) THEN {as_text(value)} END)"
    return f"NULLIF({as_text(value)}, '')"


def _written(value: Value, strict: bool) -> str:
    """The text that must be canonical: a JSON string keeps its quotes when strict, and so never is."""
    if strict and value.type == JSON:
        return f"""NULLIF({value.sql}, '""')"""
    return as_text(value) if value.type in (TEXT, *_WIDE) else f"NULLIF({as_text(value)}, '')"
