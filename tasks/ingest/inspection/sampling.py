"""The first rows of a file, column by column: what the values look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from tasks.ingest.reading.sources import JSON, TEXT, Source, as_text, run
from tasks.store.duckdb import literal

ROWS = 200_000
"""Rows at the beginning of a file that are looked at."""
EXAMPLES, LONGEST = 3, 24
_ISO = (
    r"^\s*\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T _].*)?$"
    r"|^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([T ]?\d{4}(\d\d)?(\d{3})?Z?)?$"
)
_WORDS = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_WRITTEN = rf"^\s*(\d{{1,2}}[-/. ](\d{{1,2}}|{_WORDS})[-/. ]\d{{2,4}}|{_WORDS},? .*\d{{4}})"
_COMMA = r"^\s*-?\d+,\d{1,2}\s*$"
_FIRST_SECOND, _LAST_SECOND = 631_152_000, 4_102_444_800  # 1990 to 2100
_ZEROS = ("", "000", "000000", "000000000")  # after seconds, in each unit
_FLAGS = ("true", "false", "yes", "no", "t", "f", "y", "n")


@dataclass(frozen=True)
class Sample:
    """A column of the first rows. Shares are of the `filled` values; `distinct` is an estimate."""

    name: str
    type: str
    rows: int
    filled: int
    distinct: int
    examples: tuple[str, ...]
    raw: tuple[str, ...]
    whole: float
    number: float
    epoch: float
    iso: float
    written: float
    low: float | None
    high: float | None
    length: float
    nested: bool

    @property
    def time(self) -> float:
        """The share of the values that may be times."""
        return max(self.epoch, self.iso, self.written)

    @property
    def repeats(self) -> float:
        """How many rows a value has, on average."""
        return self.filled / max(self.distinct, 1)


def sample(db: duckdb.DuckDBPyConnection, source: Source) -> list[Sample]:
    """Every column of a file, by its first `ROWS` rows."""
    names = list(source.columns)
    if not names:
        return []
    inner = ", ".join(f"{as_text(source.value(name))} AS x{place}" for place, name in enumerate(names))
    where = "WHERE v IS NOT NULL" if source.format == "jsonl" else ""
    run(
        db,
        f"CREATE OR REPLACE TEMP TABLE sampled AS SELECT {inner} FROM {source.relation()} {where} LIMIT {ROWS}",
        source.path,
    )
    parts = [part for place in range(len(names)) for part in _measures(f"x{place}")]
    (row,) = run(db, f"SELECT count(*), {', '.join(parts)} FROM sampled", source.path)
    n, width = row[0], len(_measures("x"))
    return [
        _sample(db, source, name, place, n, row[1 + width * place : 1 + width * (place + 1)])
        for place, name in enumerate(names)
    ]


def _measures(x: str) -> list[str]:
    number = f"TRY_CAST(left({x}, 40) AS DOUBLE)"
    seconds = " OR ".join(
        f"{number} BETWEEN {_FIRST_SECOND}{z} AND {_LAST_SECOND}{z}" for z in ("", *["0" * n for n in (3, 6, 9)])
    )
    flags = ", ".join(map(literal, _FLAGS))
    return [
        f"count(NULLIF({x}, ''))",
        f"count(DISTINCT NULLIF({x}, ''))",
        f"count(*) FILTER (WHERE TRY_CAST(left({x}, 40) AS BIGINT) IS NOT NULL AND NOT contains({x}, '.'))",
        f"count(*) FILTER (WHERE isfinite({number}) OR regexp_matches({x}, '{_COMMA}'))",
        f"count(*) FILTER (WHERE {seconds})",
        f"count(*) FILTER (WHERE strlen({x}) < 60 AND regexp_matches({x}, '{_ISO}'))",
        f"count(*) FILTER (WHERE strlen({x}) < 80 AND regexp_matches({x}, '{_WRITTEN}'))",
        f"count(*) FILTER (WHERE lower({x}) IN ({flags}))",
        f"min({number})",
        f"max({number})",
        f"avg(strlen({x}))",
        f"count(*) FILTER (WHERE starts_with({x}, '[') OR starts_with({x}, '{{'))",
    ]


def _sample(
    db: duckdb.DuckDBPyConnection, source: Source, name: str, place: int, n: int, measured: Sequence[float]
) -> Sample:
    filled, distinct, whole, number, epoch, iso, written, flags, low, high, length, nested = measured
    x = f"x{place}"
    found = run(
        db,
        f"SELECT {x} FROM (SELECT {x}, rowid AS r FROM sampled WHERE {x} <> '' LIMIT 1000) "
        f"GROUP BY {x} ORDER BY min(r) LIMIT {EXAMPLES}",
        source.path,
    )
    raw = tuple(str(value[0]) for value in found)
    share = [part / filled if filled else 0.0 for part in (whole, number, epoch, iso, written, flags, nested)]
    kind = source.columns[name]
    is_nested = kind.startswith(("STRUCT", "MAP")) or kind.endswith("]") or (kind == JSON and share[6] > 0.5)
    return Sample(
        name,
        kind.split("(")[0].lower() if kind not in (TEXT, JSON, "VARCHAR") else _kind(share, is_nested),
        n,
        int(filled),
        int(min(distinct, filled)),
        tuple(shown(text) for text in raw),
        raw,
        whole=share[0],
        number=share[1],
        epoch=share[2],
        iso=share[3],
        written=share[4],
        low=low,
        high=high,
        length=length or 0.0,
        nested=is_nested,
    )


def _kind(share: Sequence[float], nested: bool) -> str:
    whole, number, _, iso, written, flags, _ = share
    if nested:
        return "nested"
    if max(iso, written) > 0.9:
        return "time"
    if flags > 0.9:
        return "yes or no"
    return "integer" if whole > 0.99 else "number" if number > 0.9 else "text"


def shown(text: str, longest: int = LONGEST) -> str:
    """A value in characters that can be seen and turn nothing around, shortened."""
    cut = text[: longest + 1]
    seen = "".join(character if _is_seen(character) else _code(character) for character in cut)
    return seen if len(text) <= longest and len(seen) <= 2 * longest else f"{seen[: longest - 1]}…"


def _is_seen(character: str) -> bool:
    kind = unicodedata.category(character)
    return character == " " or kind[0] in "LNPS" or kind in ("Mn", "Mc")


def _code(character: str) -> str:
    number = ord(character)
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character) or (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )
