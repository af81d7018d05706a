"""The site's own columns of items and users: what each is used as, and the values that are not of that kind."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from tasks.ingest.reading import numbers
from tasks.ingest.reading.sources import JSON, OBJECT, TEXT, Source, Value, as_text, run

NUMERIC_SHARE = 0.9
"""A text column is numeric if so many of its values are numbers, those that are words for a missing one aside."""
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "DURATION")
_KEPT = ("BOOLEAN", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
_JSON_TYPES = {"UBIGINT": "BIGINT", "BIGINT": "BIGINT", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN"}
_NUMERIC = {"BIGINT", "DOUBLE"}
_LONGEST_NUMBER = 40  # characters


@dataclass(frozen=True)
class ColumnUse:
    """What becomes of a column of the site.

    Attributes:
        column: its name in the files.
        used_as: one of our columns, or `numeric`, `text`, `yes or no`, `time`, `list`, `ignored`.
        why: how its values are read, or why it is ignored; may be empty.
        filled: how many of its values are not missing; None where they were not counted.
        misfits: how many of these are not of the kind, and count as missing.
        example: one of the misfits.
    """

    column: str
    used_as: str
    why: str = ""
    filled: int | None = None
    misfits: int = 0
    example: str | None = None

    def sentence(self) -> str:
        """What a person needs to be told, empty where all values are read as they are."""
        if not self.misfits:
            return "" if self.filled == 0 else self.why
        example = (self.example or "")[:40]
        return (
            f"{self.misfits:,} of {self.filled:,} values are not numbers, such as '{example}'; they count as missing"
            + (f"; {self.why}" if self.why else "")
        )


@dataclass(frozen=True)
class Kind:
    """The type of a column in the raw table. `notation`: of its numbers, where they are texts of any form."""

    type: str
    notation: numbers.Notation | None = None


@dataclass(frozen=True)
class Survey:
    """What a column of a file holds: values of a `type`, or text.

    Of the texts `whole` are canonical integers, `plain` finite numbers as programs write them, `codes` have leading
    zeros, `words` mean no value, `short` could be a number. `typed`: the format tells text from numbers.
    """

    type: str
    typed: bool
    filled: int
    whole: int = 0
    plain: int = 0
    codes: int = 0
    words: int = 0
    short: int = 0


@dataclass(frozen=True)
class Numbers:
    """How many texts of a column are numbers with a decimal `point` or `comma`, and what stands around them.

    `unsure`: one with a comma that is a number in both; `not_point` and `not_comma`: one that is none in it.
    """

    point: int
    comma: int
    units: frozenset[str]
    unsure: str | None
    not_point: str | None
    not_comma: str | None


def survey(db: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[str]) -> dict[str, Survey]:
    """What each of some columns holds, over all rows of a file."""
    if not columns:
        return {}
    types, inner, parts = _types(db, source, columns), [], []
    for place, column in enumerate(columns):
        value, x, number = source.value(column), f"x{place}", f"number{place}"
        if types[column] != "VARCHAR":
            inner.append(f"{value.sql} AS {x}")
            parts += [f"count({x})", _beyond(x, value.type, types[column]), *["0"] * 4]
            continue
        short = f"strlen({x}) <= {_LONGEST_NUMBER}"  # CASE, unlike AND, tests that first, which a fast scan needs
        finite = f"isfinite(TRY_CAST({x} AS DOUBLE))"
        inner += [f"{as_text(value)} AS {x}", f"CASE WHEN {short} THEN CASE WHEN {finite} THEN {x} END END AS {number}"]
        conditions = (
            f"{x} <> ''",
            f"CASE WHEN {number} IS NOT NULL THEN CAST(TRY_CAST({number} AS BIGINT) AS VARCHAR) = {number} END",
            f"CASE WHEN {number} IS NOT NULL THEN {numbers.is_plain(number)} END",
            f"CASE WHEN {number} IS NOT NULL THEN {numbers.is_code(number)} END",
            f"CASE WHEN {number} IS NULL AND {short} AND {x} <> '' THEN {numbers.is_missing(x)} END",
            f"CASE WHEN {number} IS NOT NULL THEN true WHEN {short} THEN regexp_matches({x}, '[0-9]') END",
        )
        parts += [f"count(*) FILTER (WHERE {condition})" for condition in conditions]
    rows = f"SELECT {', '.join(inner)} FROM {source.relation()}"
    (row,) = run(db, f"SELECT {', '.join(parts)} FROM ({rows})", source.path)
    typed, places = source.format != "csv", range(0, len(row), 6)
    for column, at in zip(columns, places, strict=True):
        if types[column] != "VARCHAR" and row[at + 1]:
            types[column] = types[column].replace("BIGINT", "VARCHAR") if "[" in types[column] else "DOUBLE"
    return {column: Survey(types[column], typed, *row[at : at + 6]) for column, at in zip(columns, places, strict=True)}


def _beyond(x: str, stored: str, kind: str) -> str:
    """SQL: how many whole numbers of JSON are too large for the type that is to hold them; lists that may have some."""
    if stored != JSON or not kind.startswith("BIGINT"):
        return "0"
    too_large = f"regexp_matches({x}, '[0-9]{{19}}')" if kind.endswith("]") else f"TRY_CAST({x} AS BIGINT) IS NULL"
    return f"count({x}) FILTER (WHERE {too_large})"


def could_be_numbers(surveys: Iterable[Survey]) -> bool:
    """Whether the texts of a column must be counted with `count_numbers` before `decide`."""
    texts = [each for each in surveys if each.type == "VARCHAR"]
    filled = sum(each.filled for each in texts)
    if sum(each.plain for each in texts) == filled or any(each.codes for each in texts):
        return False
    return 0 < sum(each.short for each in texts) >= NUMERIC_SHARE * (filled - sum(each.words for each in texts))


def count_numbers(db: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[str]) -> dict[str, Numbers]:
    """The numbers among the texts of some columns, over all rows of a file."""
    if not columns:
        return {}
    inner, outer = [], []
    for place, column in enumerate(columns):
        x, point, comma, unit = (f"{name}{place}" for name in ("x", "point", "comma", "unit"))
        inner.append(f"NULLIF({as_text(source.value(column))}, '') AS {x}")
        inner += [f"{numbers.number(x, 'point')} AS {point}", f"{numbers.number(x, 'comma')} AS {comma}"]
        inner.append(f"{numbers.unit(x)} AS {unit}")
        outer += [
            f"count({point})",
            f"count({comma})",
            f"list(DISTINCT {unit}) FILTER (WHERE {point} IS NOT NULL OR {comma} IS NOT NULL)",
            f"min({x}) FILTER (WHERE contains({x}, ',') AND {point} <> {comma})",
            f"min({x}) FILTER (WHERE {point} IS NULL)",
            f"min({x}) FILTER (WHERE {comma} IS NULL)",
        ]
    rows = f"SELECT {', '.join(inner)} FROM {source.relation()}"
    (row,) = run(db, f"SELECT {', '.join(outer)} FROM ({rows})", source.path)
    found = {}
    for at, column in enumerate(columns):
        point, comma, units, *examples = row[6 * at : 6 * at + 6]
        found[column] = Numbers(point, comma, frozenset(units or []), *examples)
    return found


def decide(column: str, surveys: Sequence[Survey], counted: Sequence[Numbers]) -> tuple[Kind, ColumnUse]:
    """The one kind that holds the values of all files of a column, and what to say of it."""
    filled = sum(each.filled for each in surveys)
    if not filled:
        return Kind("VARCHAR"), ColumnUse(column, "ignored", "it is always missing", 0)
    texts = [each for each in surveys if each.type == "VARCHAR" and each.filled]
    types = {each.type for each in surveys if each.type != "VARCHAR" and each.filled}
    if texts and types <= {"BIGINT", "DOUBLE"}:
        kind, use = _of_texts(column, texts, counted)
        if kind.type != "VARCHAR" and types | {kind.type} == {"BIGINT", "DOUBLE"}:
            kind = replace(kind, type="DOUBLE")
        return kind, replace(use, filled=filled)
    found = "VARCHAR" if texts else types.pop() if len(types) == 1 else "DOUBLE" if types == _NUMERIC else "VARCHAR"
    return Kind(found), ColumnUse(column, _used_as(found), filled=filled)


def _of_texts(column: str, texts: Sequence[Survey], counted: Sequence[Numbers]) -> tuple[Kind, ColumnUse]:
    filled, whole, plain, words = (
        sum(getattr(each, name) for each in texts) for name in ("filled", "whole", "plain", "words")
    )
    as_text_ = Kind("VARCHAR"), ColumnUse(column, "text")
    typed = any(each.typed for each in texts)
    if plain == filled:
        return as_text_ if typed and whole == filled else (_plain(whole == filled), ColumnUse(column, "numeric"))
    if not counted:
        return as_text_
    point, comma = sum(each.point for each in counted), sum(each.comma for each in counted)
    notation: numbers.Notation = "comma" if comma > point else "point"
    fits = max(point, comma)
    if not fits or fits < NUMERIC_SHARE * (filled - words) or (typed and whole == fits):
        return as_text_
    units = frozenset[str]().union(*(each.units for each in counted))
    if len(units - {""}) > 1 or {"", "%"} <= units:
        several = ", ".join(f"'{unit or 'none'}'" for unit in sorted(units))
        return Kind("VARCHAR"), ColumnUse(column, "text", f"its numbers are in several units ({several})")
    misfits = (each.not_point if notation == "point" else each.not_comma for each in counted)
    example = next((text for text in misfits if text), None)
    kind = Kind("BIGINT" if whole == fits else "DOUBLE", notation)
    return kind, ColumnUse(column, "numeric", _how(notation, point, comma, counted), None, filled - fits, example)


def _plain(whole: bool) -> Kind:
    return Kind("BIGINT" if whole else "DOUBLE")


def _how(notation: numbers.Notation, point: int, comma: int, counted: Sequence[Numbers]) -> str:
    """What had to be decided to read the numbers of a column."""
    if notation == "comma":
        return "its numbers have a decimal comma"
    unsure = next((each.unsure for each in counted if each.unsure), None)
    if unsure is None or point > comma:
        return ""
    return f"nothing tells whether the comma of '{unsure}' is a decimal one: it is read as a separator of thousands"


def cast(value: Value, kind: Kind) -> str:
    """The value as a type that `decide` found, lists of lists as one list; NULL only where a text is a misfit."""
    if kind.type == "VARCHAR":
        return as_text(value)
    x = as_text(value)
    if kind.notation and (value.type in (TEXT, JSON) or value.type == "VARCHAR"):
        if kind.type == "BIGINT":
            return f"CASE WHEN CAST(TRY_CAST({x} AS BIGINT) AS VARCHAR) = {x} THEN CAST({x} AS BIGINT) END"
        return numbers.number(x, kind.notation)
    if value.type == TEXT:  # `survey` saw that all are numbers, but for lines that are the header once more
        return f"TRY_CAST({x} AS {kind.type})"
    if value.type != JSON:
        return f"CAST({value.sql} AS {kind.type.replace('[][]', '[]')})"
    if not kind.type.endswith("]"):
        return f"CAST(NULLIF({x}, '') AS {kind.type})"
    values = f"CAST(CAST({value.sql} AS JSON) AS {kind.type})"
    return f"flatten({values})" if kind.type.endswith("[][]") else values


def _types(db: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[str]) -> dict[str, str]:
    if source.format == "csv":
        return dict.fromkeys(columns, "VARCHAR")
    if source.format == "parquet":
        return {column: _native(source.columns[column]) for column in columns}
    ((structure,),) = run(
        db,
        f"SELECT json_group_structure(CAST({OBJECT} AS JSON)) FROM {source.relation()} WHERE v IS NOT NULL",
        source.path,
    )
    known = json.loads(structure) if structure else {}
    return {column: _json_type(known.get(column, "NULL")) for column in columns}


def _used_as(kind: str) -> str:
    if kind.endswith("]"):
        return "list"
    return {"VARCHAR": "text", "BOOLEAN": "yes or no"}.get(kind, "numeric" if kind in _NUMERIC else "time")


def _native(kind: str) -> str:
    if kind.endswith("[]"):
        inner = _native(kind.removesuffix("[]"))
        return "VARCHAR" if inner.endswith("]") or (inner == "VARCHAR" and kind != "VARCHAR[]") else f"{inner}[]"
    if kind in _INTEGERS:
        return "BIGINT"
    if kind in ("FLOAT", "DOUBLE", "HALF_FLOAT", "WIDE_DECIMAL") or kind.startswith("DECIMAL"):
        return "DOUBLE"
    return kind if kind in _KEPT else "VARCHAR"


def _json_type(structure: Any) -> str:
    if isinstance(structure, str):
        return _JSON_TYPES.get(structure, "VARCHAR")
    depth = 0
    while isinstance(structure, list) and len(structure) == 1:
        structure, depth = structure[0], depth + 1
    if depth in (1, 2) and isinstance(structure, str) and structure != "JSON":
        return _JSON_TYPES.get(structure, "VARCHAR") + "[]" * depth
    return "VARCHAR"
