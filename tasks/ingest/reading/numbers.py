"""Numbers as people write them: currencies, thousands separators, decimal commas; and the words for none."""

# ruff: noqa: RUF001  dashes, minus signs and Cyrillic currencies are meant
from __future__ import annotations

import re
from typing import Literal

from tasks.store.duckdb import literal

Notation = Literal["point", "comma"]
"""What ends the whole part of a number: `1,299.50` has a point, `1.299,50` a comma."""

NULLS = ("", "null", "\\n", "none", "nil", "nan", "na", "n/a", "#n/a", "n.a.")
"""The texts, in any case, by which programs write a missing value; nowhere but in ids do they mean themselves."""

MISSING = (*NULLS, "-", "--", "–", "—", "?", ".", "missing", "unknown", "undefined")
"""The texts, in any case, that mean no value where a number is expected."""

CURRENCIES = (
    "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR", "GBP", "HKD",
    "HUF", "IDR", "ILS", "INR", "JPY", "KES", "KRW", "MXN", "MYR", "NGN", "NOK", "NZD", "PEN", "PHP", "PLN", "RMB",
    "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR",
    "Fr.", "SFr.", "Ft", "Kč", "kr", "kr.", "lei", "Rp", "Rs", "Rs.", "RM", "zł", "руб", "руб.", "грн", "лв",
)  # fmt: skip
"""The codes and words that may stand before or after a number, besides the signs of Unicode (`$`, `€`, `US$`)."""

_BLANK = r"[\s\x{00A0}\x{2009}\x{202F}]"
_UNIT = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|{'|'.join(re.escape(word) for word in CURRENCIES)}|%)"
_GROUPS = {"point": rf"(?:,|'|’|{_BLANK})", "comma": rf"(?:\.|'|’|{_BLANK})"}
_DECIMAL = {"point": r"\.", "comma": ","}


def is_plain(text: str) -> str:
    """SQL: whether a text that can be cast to a number is no code: one with leading zeros or with underscores."""
    return f"NOT {is_code(text)} AND NOT contains({text}, '_')"


def is_code(text: str) -> str:
    """SQL: whether a text has a leading zero, as codes have and numbers do not."""
    zero = rf"regexp_matches({text}, '^\s*[+-]?0[0-9]')"
    return f"(CASE WHEN ascii(ltrim({text}, ' +-')) = 48 THEN {zero} ELSE false END)"


def is_missing(text: str) -> str:
    """SQL: whether a text is one of `MISSING`."""
    return f"lower(trim({text})) IN ({', '.join(map(literal, MISSING))})"


def is_null(text: str) -> str:
    """SQL: whether a text is one of `NULLS`."""
    return f"lower(trim({text})) IN ({', '.join(map(literal, NULLS))})"


def number(text: str, notation: Notation) -> str:
    """SQL: the number that a text is in a notation as DOUBLE, else NULL."""
    pattern = literal(_pattern(notation))
    body = f"regexp_replace(regexp_extract({text}, {pattern}, 3), '[^0-9{_DECIMAL[notation]}]', '', 'g')"
    size = f"TRY_CAST(replace({body}, ',', '.') AS DOUBLE)"
    signs = f"regexp_extract({text}, {pattern}, 1) || regexp_extract({text}, {pattern}, 2)"
    signed = f"CASE {signs} WHEN '' THEN {size} WHEN '+' THEN {size} WHEN '-' THEN -{size} WHEN '−' THEN -{size} END"
    written = f"CASE WHEN regexp_matches({text}, {pattern}) THEN {signed} END"
    if notation == "comma":
        return written
    finite = f"isfinite(TRY_CAST({text} AS DOUBLE)) AND {is_plain(text)}"
    return f"CASE WHEN {finite} THEN TRY_CAST({text} AS DOUBLE) ELSE {written} END"


def unit(text: str) -> str:
    """SQL: what stands around a number, such as `$`; empty where nothing does."""
    around = rf"regexp_replace({text}, '[-+−0-9.,''’\s\x{{00A0}}\x{{2009}}\x{{202F}}]', '', 'g')"
    return f"CASE WHEN TRY_CAST({text} AS DOUBLE) IS NOT NULL THEN '' ELSE {around} END"


def _pattern(notation: Notation) -> str:
    group, decimal = _GROUPS[notation], _DECIMAL[notation]
    indian = "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if notation == "point" else ""  # 1,00,000
    whole = rf"(?:0|[1-9][0-9]*|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+{indian})"
    body = rf"({whole}(?:{decimal}[0-9]+)?)"
    return rf"^\s*([-+−]?){_BLANK}*(?:{_UNIT}{_BLANK}*)?([-+−]?){body}(?:{_BLANK}*{_UNIT})?\s*$"
