"""Lines that are not rows: what DuckDB says of them, and the numbers of the lines that are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recmodels.errors import DataRefused
from tasks.ingest.reading.remedies import remedy
from tasks.ingest.reading.sources import Source, run
from tasks.ingest.reading.textfiles import NAME_IT, raw_lines

NOT_UTF8 = "not valid UTF-8"
CUT = "the file seems to be cut short here"
_REASONS = {
    "UNQUOTED VALUE": "a stray or unclosed quote",
    "INVALID ENCODING": NOT_UTF8,
    "LINE SIZE OVER MAXIMUM": "longer than two million bytes",
}


@dataclass(frozen=True)
class Reject:
    """A line that is not a row. `line` is physical, from 1."""

    table: str
    file: Path
    line: int
    reason: str
    text: str


def _lines_of(rows: NDArray[np.int64], skip: int, holes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lines of the rows of a text file, given the lines after the first `skip` that are no rows.

    `rows`: int64, from 0, in any order; `holes`: int64, ascending; the lines are int64, from 1.
    """
    rows_before = holes - skip - 1 - np.arange(holes.size)  # how many rows are before each hole
    return rows + skip + 1 + np.searchsorted(rows_before, rows, side="right")


def actual_lines(numbered: NDArray[np.int64], skip: int, holes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lines of rows that were numbered as if every line were a row."""
    return _lines_of(numbered - skip - 1, skip, holes)


def of_scan(db: duckdb.DuckDBPyConnection, table: str, source: Source) -> list[Reject]:
    """The rejects of the scan that has just been read to its end, one for each physical line, in order."""
    try:
        any_found = db.execute("SELECT 1 FROM reject_errors LIMIT 1").fetchall()
    except duckdb.CatalogException:  # nothing was read
        return []
    if not any_found:
        return []
    found = db.execute(
        "SELECT line, first(CAST(error_type AS VARCHAR)), first(error_message), first(csv_line) "
        "FROM reject_errors GROUP BY line ORDER BY line"
    ).fetchall()
    rejects: dict[int, Reject] = {}
    for line, kind, message, text in found:
        reason = _REASONS.get(kind) or str(message).lower()
        if "number of columns" in reason:
            expected, there = (part for part in str(message).split() if part.isdigit())
            too_many = int(there) > int(expected)  # DuckDB stops at the first of them
            reason = f"ragged: {f'more than {expected}' if too_many else f'{there} instead of {expected}'} columns"
        for offset, part in enumerate(str(text or "").replace("\r\n", "\n").strip("\n").split("\n")):
            rejects.setdefault(line + offset, Reject(table, source.path, line + offset, reason, part))
    garbled = {line for line, reject in rejects.items() if reject.reason == NOT_UTF8}
    for line, text in raw_lines(source.readable, garbled).items() if garbled else ():
        rejects[line] = replace(rejects[line], text=text)
    return list(rejects.values())


def cut_short(found: list[Reject], last: int) -> list[Reject]:
    """The rejects of a file whose last line is not ended: where that line is one, the file seems to be cut there."""
    return [replace(reject, reason=f"{reject.reason}; {CUT}") if reject.line == last else reject for reject in found]


def notes(table: str, source: Source, found: list[Reject]) -> list[str]:
    """What the rejects of a file say of it as a whole."""
    place = f"{table}: {source.path.name}"
    garbled = sum(reject.reason == NOT_UTF8 for reject in found)
    said = [f"{place} ends in the middle of line {r.line}: it seems to be cut short" for r in found if CUT in r.reason]
    escaped = sum(reject.reason == _REASONS["UNQUOTED VALUE"] and '\\"' in reject.text for reject in found)
    if escaped and source.dialect and not source.dialect.escape:
        lines = f"{escaped:,} of its lines are refused and have quotes after a backslash"
        said.append(f"{place}: {lines}; {remedy(table, 'escape', chr(92))} reads them")
    if garbled:
        said.append(f"{place}: {garbled:,} of its lines are no UTF-8; {NAME_IT}")
    return said


def lines_inside_values(db: duckdb.DuckDBPyConnection, source: Source) -> tuple[int, int]:
    """Line breaks inside the values of a CSV file's rows, and how many of them end a blank line."""
    values = ", ".join(source.value(column).sql for column in source.columns)
    text = f"SELECT replace(concat_ws('|', {values}), chr(13), '') AS t FROM {source.relation()}"
    breaks = "length(t) - length(replace(t, chr(10), ''))"
    runs = r"len(regexp_extract_all(t, '\n+'))"
    counts = f"SELECT {breaks} AS breaks, {runs} AS runs FROM ({text}) WHERE contains(t, chr(10))"
    ((inside, blank),) = run(
        db, f"SELECT coalesce(sum(breaks), 0), coalesce(sum(breaks - runs), 0) FROM ({counts})", source.path
    )
    return int(inside), int(blank)


def swallowed(table: str, source: Source, lost: int, found: list[Reject]) -> DataRefused:
    """The refusal of a file of which lines disappear in an unclosed quote."""
    quote = next((reject for reject in found if reject.reason == _REASONS["UNQUOTED VALUE"]), None)
    place = f"line {quote.line}" if quote else "a line"
    return DataRefused(
        f"{table}: {source.path}, {place}: a quote that is never closed swallows {lost} lines after it; "
        f"close it, double it, or read the table without quotes: {remedy(table, 'quote', None)}."
    )


def runs_over(table: str, source: Source, column: str, line: int) -> DataRefused:
    """The refusal of an id with a line break: two stray quotes, and everything between them."""
    return DataRefused(
        f"{table}: {source.path}, line {line}: {column} runs over several lines, as if a quote were open; "
        f"close it, double it, or read the table without quotes: {remedy(table, 'quote', None)}."
    )


def table(rejects: list[Reject]) -> pa.Table:
    """The rejects as they are written: table, source_file, source_row, reason, text."""
    return pa.table(
        {
            "table": pa.array([r.table for r in rejects], pa.string()),
            "source_file": pa.array([str(r.file) for r in rejects], pa.string()),
            "source_row": pa.array([r.line for r in rejects], pa.int64()),
            "reason": pa.array([r.reason for r in rejects], pa.string()),
            "text": pa.array([r.text for r in rejects], pa.string()),
        }
    )


def of_table(table: pa.Table) -> list[Reject]:
    """The rejects that `table` has made this of."""
    return [
        Reject(row["table"], Path(row["source_file"]), row["source_row"], row["reason"], row["text"])
        for row in table.to_pylist()
    ]
