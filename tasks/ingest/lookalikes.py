"""Ids that a person may have meant to be the same, or to be none: they are kept as they are, and noted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.ingest.reading import ids, numbers, our_columns
from tasks.store.parts import parts

FIRST = 500_000
"""The rows of each table that are looked at: of larger ones all would cost more than a twentieth of reading them."""
_UNSEEN = "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\\x00-\\x08\\x0b-\\x1f\\x7f]"
"""Characters that do not show: controls, marks of direction, joiners of no width, byte order marks."""


def notes(out: Path, tables: Collection[str], id_types: Mapping[str, str]) -> list[str]:
    """What is remarkable about the ids that are text, in the first half million rows of each raw table in `out`."""
    found = []
    for key in [key for key, kind in id_types.items() if kind == ids.STRING]:
        counted = _counted(out, [name for name in tables if key in our_columns.KEYS[name]], key)
        found += _words(key, counted) + _unseen(key, counted) + _alike(key, counted)
    return found


def _counted(out: Path, names: list[str], key: str) -> pa.Table:
    """The ids of a key in all tables, and how many rows have each (`id`, `rows`)."""
    chunks = [chunk for name in names for chunk in _first_ids(out, name, key)]
    counts = pc.value_counts(pa.chunked_array(chunks, pa.string()).drop_null())
    return pa.table({"id": counts.field("values"), "rows": counts.field("counts")})


def _first_ids(out: Path, name: str, key: str) -> Iterator[pa.Array]:
    """The ids in the first rows of a table."""
    left = FIRST
    for path in parts(out, name):
        for batch in pq.ParquetFile(path).iter_batches(FIRST, columns=[key]):
            yield batch[key].slice(0, left)
            if (left := left - len(batch)) <= 0:
                return


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
    shown = pc.replace_substring_regex(text, _UNSEEN, "")
    if pc.all(pc.string_is_ascii(shown)).as_py():
        folded = pc.ascii_lower(pc.ascii_trim_whitespace(shown))
    else:
        folded = pc.utf8_lower(pc.utf8_trim_whitespace(pc.utf8_normalize(shown, form="NFKC")))
    if pc.count_distinct(folded).as_py() == len(text):
        return []
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
