"""The site's files become the raw tables of a night.

Every row of every file ends in one place: in a raw table, among the rows at or after the cutoff (counted, not read
further), among the rejects (lines that are not rows, with the reason), or it was a blank line. What a parser swallows
beyond that, because a quote is never closed, stops the night.

Ids are taken for int64 and every line for a row. Each batch checks the ids, and a table whose ids turn out to be text
is read again as such; the lines are numbered anew where some were no rows. So clean data stream through once, in
little memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from recmodels.errors import DataRefused
from recmodels.messages import counted
from tasks.ingest import lookalikes
from tasks.ingest.landing.first_rows import remote_of
from tasks.ingest.ledger import Ledger, Remarks
from tasks.ingest.reading import ids, our_columns, rejects, schema, timestamps
from tasks.ingest.reading.columns import ColumnUse
from tasks.ingest.reading.copies import Unreadable
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.packing import look
from tasks.ingest.reading.row_groups import Beside
from tasks.ingest.reading.sources import Source, run
from tasks.ingest.reading.tables import Table, open_table
from tasks.ingest.reading.text_ids import text_ids
from tasks.ingest.reading.textfiles import count_lines
from tasks.ingest.table_parts import TableParts
from tasks.ingest.table_pass import BUFFER, Shared
from tasks.ingest.table_result import TableResult
from tasks.ingest.vectors import write_vectors
from tasks.store.accounts import TableAccount
from tasks.store.duckdb import connect
from tasks.store.summaries import RawSummary
from tasks.store.vector_tables import VECTOR_TABLES

_LARGE, _TINY, _FIRST = 1 << 24, 1 << 16, 2048  # bytes of a file, and rows of one
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
EARLIEST = date(1990, 1, 1)


def write_raw(
    inputs: Inputs,
    cutoff: datetime,
    now: datetime,
    out: Path,
    *,
    earliest: date = EARLIEST,
    memory_limit: str | None = None,
    threads: int | None = None,
    ledger: Ledger | None = None,
    on_engine: Path | None = None,
) -> RawSummary:
    """Write the interactions, the other tables that are given, and `rejects.parquet` if there are any.

    `source_row` is the physical line (from 1, the header counts) of text files and the row of Parquet files. In CSV
    files with values that run over several lines it is the line as if each record had one.

    Args:
        inputs: the site's tables.
        cutoff: aware. Interactions and tags at or after it are left out and counted.
        now: aware. Interactions later than a day after it are kept: validation must see them.
        out: the folder to write into.
        earliest: the day (UTC) before which interactions will be refused: the texts of their timestamps are kept.
        memory_limit: of DuckDB, which spills beyond it.
        threads: of DuckDB.
        ledger: what earlier nights have read, which learns what this one has.
        on_engine: a folder for parts of the work, which is given to the engine then.

    Returns:
        The counts of the interactions and of each table, the ids' types (`int64` or `string`), `oldest` and `newest`
        (ISO, of the kept interactions before the cutoff, or None), the files that were read, and notes.

    Raises:
        ConfigError: files are missing.
        DataRefused: contents cannot be used.
    """
    uneven: set[Path] = set()
    while True:
        try:
            return _write(
                inputs, cutoff, now, earliest, out, uneven, memory_limit, threads, ledger or Ledger(), on_engine
            )
        except Unreadable as error:  # of lines that end now in \n, now in \r\n, or oddly packed
            path = error.path
            if path in uneven or not (count_lines(path).mixed or look(path, 1)[1]):
                raise
            uneven.add(path)


def _write(
    inputs: Inputs,
    cutoff: datetime,
    now: datetime,
    earliest: date,
    out: Path,
    uneven: Collection[Path],
    memory_limit: str | None,
    threads: int | None,
    ledger: Ledger,
    on_engine: Path | None,
) -> RawSummary:
    """`write_raw`, with the files whose line ends are `uneven` read by way of a copy."""
    with (
        TemporaryDirectory(prefix=".tmp-text-", dir=out) as copies,
        connect(out, memory_limit, threads) as db,
        ThreadPoolExecutor(1) as counting,
        Beside() as beside,
    ):
        db.execute(f"SET streaming_buffer_size = '{BUFFER}'")
        ledger.made.clear()
        shared = Shared(db, counting, out, _micros(cutoff), _credible(earliest, now), ledger, beside, on_engine)
        tables = {
            name: open_table(db, name, table, Path(copies), uneven, shared.credible, ledger.opened(name, table))
            for name, table in inputs.tables().items()
            if name not in VECTOR_TABLES
        }
        if all(_is_tiny(source) for table in tables.values() for source in table.sources):
            db.execute("PRAGMA disable_optimizer")  # a better plan saves less than it takes to find
        id_types = _id_types(shared, tables)
        results = {name: _read(shared, table, id_types) for name, table in tables.items()}
        remarks = ledger.remarks(id_types)
        if remarks is None:
            remarks = lookalikes.notes(out, tables, id_types)
        ledger.remarked = Remarks(dict(id_types), remarks)
    vectors = {
        name: write_vectors(name, table, id_types[VECTOR_TABLES[name]], out)
        for name, table in inputs.tables().items()
        if name in VECTOR_TABLES
    }
    refused = [reject for result in results.values() for reject in result.rejects]
    if refused:
        pq.write_table(rejects.table(refused), out / "rejects.parquet")
    _refuse_if_none_before(results["interactions"], inputs.interactions, cutoff)
    return _summary(tables, results, vectors, id_types, remarks)


def _id_types(shared: Shared, tables: Mapping[str, Table]) -> dict[str, str]:
    """The types of the ids: an id is int64 only if the other tables can write it so too, which are read before.

    Of the interactions the first rows are looked at: their pass would have read far ahead when it finds a text.
    """
    types = {"user_id": ids.INTEGER, "item_id": ids.INTEGER}
    if our_columns.DOMAIN in tables["interactions"].optional:
        types["item_id"] = ids.STRING  # the domain and the id
    for name, table in tables.items():
        if name in schema.FOLLOWING:
            continue
        types |= dict.fromkeys(shared.ledger.text_ids(table), ids.STRING)
        first = name == "interactions"
        for one in table.sources[:1] if first else table.sources:
            if first and one.closed:
                continue
            source = one if first else table.opened(one)
            if first and _is_here(source):
                maps = {key: table.maps[source.path][key] for key in our_columns.KEYS[name]}
                types |= dict.fromkeys(text_ids(source, maps), ids.STRING)
            if first and not _is_large(source):
                continue
            for key in our_columns.KEYS[name]:
                if types[key] == ids.STRING:
                    continue
                value = source.value(table.maps[source.path][key])
                odd = ids.odd(value, ids.integer(value, strict=first), strict=first)
                rows = f"(SELECT * FROM {source.relation()} LIMIT {_FIRST})" if first else source.relation()
                query = f"SELECT odd FROM (SELECT {odd} AS odd FROM {rows}) WHERE odd IS NOT NULL LIMIT 1"
                if run(shared.db, query, source.path):
                    types[key] = ids.STRING
    return types


def _is_large(source: Source) -> bool:
    return source.readable.stat().st_size >= _LARGE or not _is_here(source)


def _is_tiny(source: Source) -> bool:
    return not source.closed and source.readable.stat().st_size < _TINY and _is_here(source)


def _is_here(source: Source) -> bool:
    """Whether all rows of a file are on this machine."""
    return source.is_text or remote_of(source.readable) is None


def _read(shared: Shared, table: Table, id_types: dict[str, str]) -> TableResult:
    """Write a raw table; `id_types` learns which ids are no integers after all, and the table is read again."""
    while True:
        one = TableParts(shared, table, {key: id_types[key] for key in our_columns.KEYS[table.name]})
        text_ids = one.run()
        if not text_ids:
            return one.result
        id_types.update(dict.fromkeys(text_ids, ids.STRING))


def _summary(
    tables: Mapping[str, Table],
    results: Mapping[str, TableResult],
    vectors: Mapping[str, TableResult],
    id_types: Mapping[str, str],
    remarks: Sequence[str],
) -> RawSummary:
    main = results["interactions"]
    notes = [note for name in tables for note in (*tables[name].notes, *results[name].notes)]
    if "users" in tables and "opted_out" in tables["users"].optional and (lost := len(results["users"].rejects)):
        notes.append(f"users: {lost:,} lines that are no rows could hold opt-outs, which do not count: correct them")
    notes += [note for result in vectors.values() for note in result.notes]
    every = {**results, **vectors}
    others = "".join(
        f", {result.rows:,} {name.replace('_', ' ')}" for name, result in every.items() if name != "interactions"
    )
    known = f"; {n:,} of {len(main.files):,} files were known" if (n := main.known) else ""
    left_out = f" ({main.after_cutoff:,} at or after the cutoff)" if main.after_cutoff else ""
    return {
        "rows": main.rows,
        "after_cutoff": main.after_cutoff,
        "rejects": len(main.rejects),
        "blank_lines": main.blank_lines,
        "unreadable_timestamps": main.unreadable_timestamps,
        "oldest": _iso(main.kept.first),
        "newest": _iso(main.kept.last),
        "ids": {key: "int64" if kind == ids.INTEGER else "string" for key, kind in sorted(id_types.items())},
        "accounts": {name: _account(table, results[name]) for name, table in tables.items()},
        "tables": {name: result.counts() for name, result in every.items()},
        "files": [str(source.path) for table in tables.values() for source in table.sources],
        "notes": list(dict.fromkeys(notes + _id_notes(id_types, results) + [*remarks])),
        "message": f"{counted(main.rows, 'interaction')}{left_out}{others}{known}",
    }


def _account(table: Table, result: TableResult) -> TableAccount:
    """What became of a table's lines, files and columns."""
    return {
        "files": result.files,
        "known": result.known,
        "skipped": [{"file": str(skipped.path), "reason": skipped.reason} for skipped in table.skipped],
        "columns": [
            {
                "column": use.column,
                "used_as": use.used_as,
                "why": _why(use, table.sources),
                "filled": use.filled,
                "misfits": use.misfits,
                "example": None if use.example is None else use.example[:40],
                "files": sum(use.column in source.columns for source in table.sources),
            }
            for use in table.uses
        ],
    }


def _why(use: ColumnUse, sources: Sequence[Source]) -> str:
    """Why a column is used so; an ignored one that not all files have is named with its file."""
    having = [source.path.name for source in sources if use.column in source.columns]
    if use.used_as != "ignored" or len(having) in (0, len(sources)):
        return use.why
    files = having[0] if len(having) == 1 else f"{len(having)} of {len(sources)} files, such as {having[0]}"
    return f"{use.why}; it is in {files}"


def _id_notes(id_types: Mapping[str, str], results: Mapping[str, TableResult]) -> list[str]:
    """Why an id that is an integer somewhere is text everywhere."""
    notes = []
    for key in [key for key, kind in id_types.items() if kind == ids.STRING]:
        texts = {name: result.text_ids[key] for name, result in results.items() if key in result.text_ids}
        if texts and any(key in result.integer_ids for result in results.values()):
            name, example = next(iter(texts.items()))
            notes.append(
                f"{key} is text in every table: {name} has values that are no plain integers, such as {example}"
            )
    return notes


def _refuse_if_none_before(result: TableResult, given: TableInput, cutoff: datetime) -> None:
    """Raise DataRefused where all interactions are at or after the cutoff."""
    oldest, newest = result.left_out.first, result.left_out.last
    if result.before_cutoff or result.unreadable_timestamps or oldest is None or newest is None:
        return
    after = _EPOCH + newest * _MICROSECOND + timedelta(days=1)
    raise DataRefused(
        f"interactions: all {result.after_cutoff} rows of {given.place} are at or after the cutoff "
        f"{timestamps.show(_micros(cutoff))} (oldest {timestamps.show(oldest)}, newest "
        f"{timestamps.show(newest)}); choose a later night, for example --date {after:%Y-%m-%d}."
    )


def _credible(earliest: date, now: datetime) -> timestamps.Credible:
    first = datetime.combine(earliest, time(), UTC)
    return timestamps.Credible(_micros(first), _micros(now + timedelta(days=1)))


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _iso(micros: int | None) -> str | None:
    return None if micros is None else (_EPOCH + micros * _MICROSECOND).isoformat()
