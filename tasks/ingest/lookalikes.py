"""Ids that a person may have meant to be the same, or to be none: they are kept as they are, and noted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tasks.ingest.reading import ids, numbers, schema
from tasks.store.duckdb import quoted, read_parquet

_MOST = 2_000_000
"""Of more ids of a kind than these, none are compared: it would take seconds and memory."""
_UNSEEN = "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\\x00-\\x08\\x0b-\\x1f\\x7f]"
"""Characters that do not show: controls, marks of direction, joiners of no width, byte order marks."""


def notes(
    db: duckdb.DuckDBPyConnection, out: Path, tables: Mapping[str, object], id_types: Mapping[str, str]
) -> list[str]:
    """What is remarkable about the ids that are text, over the raw tables in `out`."""
    found = []
    for key in [key for key, kind in id_types.items() if kind == ids.STRING]:
        counted = _counted(db, out, [name for name in tables if key in schema.KEYS[name]], key)
        if counted is not None:
            found += _words(key, counted) + _unseen(key, counted) + _alike(key, counted)
    return found


def _counted(db: duckdb.DuckDBPyConnection, out: Path, names: list[str], key: str) -> pa.Table | None:
    """The ids of a key in all tables, and how many rows have each (`id`, `rows`); None if they are too many."""
    rows = " UNION ALL ".join(
        f"SELECT {quoted(key)} AS id, count(*) AS rows FROM {read_parquet(out / f'{name}.parquet')} GROUP BY id"
        for name in names
    )
    counted = f"SELECT id, CAST(sum(rows) AS BIGINT) AS rows FROM ({rows}) WHERE id IS NOT NULL GROUP BY id"
    reader = db.sql(f"SELECT id, rows FROM ({counted}) LIMIT {_MOST + 1}").to_arrow_reader(_MOST)
    table = reader.read_all()
    return table if len(table) <= _MOST else None


def _words(key: str, counted: pa.Table) -> list[str]:
    """Ids that are texts for a missing value."""
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(counted["id"]))
    words = counted.filter(pc.is_in(folded, value_set=pa.array(numbers.MISSING))).sort_by("id")
    return [
        f"{key} is the text {id_!r} in {_rows(rows)}; if that means a missing value, name it with missing = ['{id_}']"
        for id_, rows in zip(words["id"].to_pylist()[:5], words["rows"].to_pylist(), strict=False)
    ]


def _unseen(key: str, counted: pa.Table) -> list[str]:
    """Ids with characters that a person cannot see."""
    unseen = counted.filter(pc.match_substring_regex(counted["id"], _UNSEEN))
    if not len(unseen):
        return []
    example = ascii(pc.min(unseen["id"]).as_py())
    return [f"{key} has characters that do not show in {_rows(pc.sum(unseen['rows']).as_py())}, such as {example}"]


def _alike(key: str, counted: pa.Table) -> list[str]:
    """Ids that differ only by blanks at their ends, by case, or by how Unicode writes the same characters."""
    text = counted["id"]
    folded = pc.replace_substring_regex(pc.utf8_normalize(text, form="NFKC"), _UNSEEN, "")
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(folded))
    of_id = [("id", "count"), ("id", "min"), ("id", "max")]
    groups = pa.table({"folded": folded, "id": text}).group_by("folded").aggregate(of_id)
    alike = groups.filter(pc.greater(groups["id_count"], 1)).sort_by("id_min")
    if not len(alike):
        return []
    first, last = (ascii(alike[column][0].as_py()) for column in ("id_min", "id_max"))
    several = f"{pc.sum(alike['id_count']).as_py():,} ids of {key} differ from another only by blanks, case or encoding"
    return [f"{several}, such as {first} and {last}; each stays an id of its own"]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
