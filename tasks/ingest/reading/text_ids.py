"""Ids that are text, told by the first rows of a file before it is read: so it need not be read twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pyarrow.parquet as pq

from tasks.ingest.reading.records import first_lines, start_of
from tasks.ingest.reading.sources import Source

_CANONICAL = re.compile("0|-?[1-9][0-9]*")


def text_ids(source: Source, columns: Mapping[str, str]) -> set[str]:
    """The ids that are text for certain; of the others, nothing is known.

    Args:
        source: a file of the interactions, which lies on this machine.
        columns: id column -> the file's name for it.
    """
    own = list(source.columns)[: len(source.columns) - len(source.partition) - len(source.nested)]
    places = {key: own.index(column) for key, column in columns.items() if column in own}
    if source.format == "parquet":
        return {key for key, place in places.items() if _holds_texts(source, place, len(own))}
    if source.format != "csv":
        return set()
    nothing = {key: {"", *source.missing, *_titles(source, columns[key])} for key in places}
    return {
        key
        for row in _plain_rows(source, len(own))
        for key, place in places.items()
        if row[place] not in nothing[key] and not _CANONICAL.fullmatch(row[place])
    }


def _titles(source: Source, column: str) -> Iterator[str]:
    """What stands in a column where a line is the header once more, as `Source.repeats_header` has it."""
    return (f"{mark}{source.header.get(column, '')}" for mark in ("", "#", "# ", "\ufeff"))


def _plain_rows(source: Source, width: int) -> Iterator[list[str]]:
    """The first rows of a CSV file, up to one that takes more to read than to part it."""
    how = source.dialect
    assert how is not None
    for line in first_lines(start_of(source.readable)):
        if line.number <= how.skip:
            continue
        if any(mark and mark in line.text for mark in (how.quote, how.escape, "\ufffd")):
            return
        if len(row := line.text.split(how.delimiter)) == width:
            yield row


def _holds_texts(source: Source, place: int, width: int) -> bool:
    """Whether a column of a Parquet file has strings that are not empty, by its statistics."""
    metadata = pq.read_metadata(source.readable)
    if source.missing or metadata.num_columns != width or list(source.columns.values())[place] != "VARCHAR":
        return False
    found = (metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups))
    return any(one is not None and one.has_min_max and one.max for one in found)
