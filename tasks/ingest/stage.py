"""Ingest: the site's files become the raw tables of a night.

Every row of every file ends in one place: in a raw table, among the rows at or after the cutoff (counted, not read
further), among the rejects (lines that are not rows, with the reason), or it was a blank line. What a parser swallows
beyond that, because a quote is never closed, stops the night.

Ids are taken for int64 and every line for a row. Each batch checks the ids, and a table whose ids turn out to be text
is read again as such; the lines are numbered anew where some were no rows. So clean data stream through once, in
little memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.errors import DataRefused
from tasks.ingest.reading import ids, rejects, schema, timestamps
from tasks.ingest.reading.inputs import Inputs, TableInput, input_fingerprint
from tasks.ingest.reading.row_groups import Sink
from tasks.ingest.reading.sources import Source, Unreadable, run
from tasks.ingest.reading.tables import Table, open_table, query, where
from tasks.ingest.reading.textfiles import Lines, count_lines
from tasks.store.duckdb import connect, literal
from tasks.store.files import Json
from tasks.store.manifests import Manifest
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task

_BATCH = 60 * 2048  # rows
_BUFFER = "64MB"  # what DuckDB may read ahead while a row group is written
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_UTC = pa.timestamp("us", "UTC")


@stage_task("ingest", reads_and_writes=True)
def ingest(night: Night, inputs: Inputs, cutoff: datetime, fresh: bool = False) -> Manifest:
    """Bring ``raw/`` up to date with the site's files."""

    def build(out: Path) -> Json:
        summary = write_raw(inputs, cutoff, datetime.now(UTC), out)
        others = "".join(
            f", {table['rows']:,} {name}" for name, table in summary["tables"].items() if name != "interactions"
        )
        left = f" ({summary['after_cutoff']:,} at or after the cutoff)" if summary["after_cutoff"] else ""
        return summary | {"message": f"{summary['rows']:,} interactions{left}{others}"}

    files = {"files": input_fingerprint(inputs)}
    parameters = inputs.model_dump() | {"cutoff": cutoff.isoformat()}
    return logged_stage("ingest", night.raw, build, inputs=files, parameters=parameters, fresh=fresh)


def write_raw(
    inputs: Inputs,
    cutoff: datetime,
    now: datetime,
    out: Path,
    *,
    memory_limit: str | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Writes ``interactions.parquet``, the other tables that are given, and ``rejects.parquet`` if there are any.

    ``cutoff``, ``now``: aware. Interactions and tags at or after the cutoff are left out and counted, except
    interactions later than a day after ``now``: validation must see those.

    ``source_row`` is the physical line (from 1, the header counts) of text files and the row of Parquet files. In CSV
    files with values that run over several lines it is the line as if each record had one.

    Returns a summary: ``rows``, ``after_cutoff``, ``rejects`` and ``blank_lines`` of the interactions, the same of
    each table under ``tables``, ``unreadable_timestamps``, ``oldest`` and ``newest`` (ISO, of the kept interactions
    before the cutoff, or None), ``ids`` (id column → ``int64`` or ``string``), ``files`` read, and ``notes``.

    Raises ``ConfigError`` for missing files and ``DataRefused`` for contents that cannot be used.
    """
    uneven: set[Path] = set()
    while True:
        try:
            return _write(inputs, cutoff, now, out, uneven, memory_limit, threads)
        except Unreadable as error:  # DuckDB cannot read a file whose lines end now in \n, now in \r\n
            if error.path in uneven or error.path.suffix == ".parquet" or not count_lines(error.path).mixed:
                raise
            uneven.add(error.path)


def _write(
    inputs: Inputs,
    cutoff: datetime,
    now: datetime,
    out: Path,
    uneven: Collection[Path],
    memory_limit: str | None,
    threads: int | None,
) -> dict[str, Any]:
    limits = (_micros(cutoff), _micros(now + timedelta(days=1)))
    with (
        TemporaryDirectory(prefix=".tmp-text-", dir=out) as copies,
        connect(out, memory_limit, threads) as db,
        ThreadPoolExecutor(1) as counting,
    ):
        db.execute(f"SET streaming_buffer_size = '{_BUFFER}'")
        tables = {name: open_table(db, name, table, Path(copies), uneven) for name, table in inputs.tables().items()}
        work = _Work(db, counting, out, limits)
        _settle_other_ids(work, tables)
        done = {name: _ingest(work, table) for name, table in tables.items()}
    refused = [reject for result in done.values() for reject in result.rejects]
    if refused:
        pq.write_table(rejects.table(refused), out / "rejects.parquet")
    main = done["interactions"]
    _refuse_if_none_before(main, inputs.interactions, cutoff)
    notes = [note for name in tables for note in (*tables[name].notes, *done[name].notes)]
    return {
        **main.counts(),
        "unreadable_timestamps": main.unread,
        "oldest": _iso(main.oldest),
        "newest": _iso(main.newest),
        "ids": {key: "int64" if kind == ids.INTEGER else "string" for key, kind in sorted(work.ids.items())},
        "tables": {name: result.counts() for name, result in done.items()},
        "files": [str(source.path) for table in tables.values() for source in table.sources],
        "notes": list(dict.fromkeys(notes + _id_notes(work, done))),
    }


def _id_notes(work: _Work, done: Mapping[str, _Result]) -> list[str]:
    """Why an id that is an integer somewhere is text everywhere."""
    notes = []
    for key in [key for key, kind in work.ids.items() if kind == ids.STRING]:
        odd = {name: result.odd[key] for name, result in done.items() if key in result.odd}
        if odd and any(key in result.whole for result in done.values()):
            name, example = next(iter(odd.items()))
            notes.append(
                f"{key} is text in every table: {name} has values that are no plain integers, such as {example}"
            )
    return notes


@dataclass
class _Work:
    """What the tables share, and what is known so far of the ids."""

    db: duckdb.DuckDBPyConnection
    counting: ThreadPoolExecutor
    out: Path
    limits: tuple[int, int]  # the cutoff and the latest credible instant, in microseconds
    ids: dict[str, str] = field(default_factory=lambda: {"user_id": ids.INTEGER, "item_id": ids.INTEGER})

    def id_types(self, table: str) -> dict[str, str]:
        return {key: self.ids[key] for key in schema.KEYS[table]}


@dataclass
class _Result:
    """A table as written by one pass over its files."""

    id_types: dict[str, str]
    rows: int = 0
    after_cutoff: int = 0
    blank_lines: int = 0
    unread: int = 0
    before: int = 0
    oldest: int | None = None
    newest: int | None = None
    oldest_left_out: int | None = None
    newest_left_out: int | None = None
    rejects: list[rejects.Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: set[str] = field(default_factory=set)  # ids of which some are plain integers
    holes: dict[Path, tuple[int, NDArray[np.int64]]] = field(default_factory=dict)  # file → header and other lines
    odd: dict[str, str] = field(default_factory=dict)  # ids of which some are not → an example

    def counts(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "after_cutoff": self.after_cutoff,
            "rejects": len(self.rejects),
            "blank_lines": self.blank_lines,
        }


class _Again(Exception):
    """Some ids are no integers after all; the work knows by now which."""


def _settle_other_ids(work: _Work, tables: dict[str, Table]) -> None:
    """An id is int64 only if the other tables can write it so too: finds where they cannot, before the big one."""
    for name, table in tables.items():
        for source in table.sources if name != "interactions" else []:
            for key in schema.KEYS[name]:
                value = source.value(table.maps[source.path][key])
                odd = ids.odd(value, ids.integer(value, strict=False), strict=False)
                found = run(
                    work.db,
                    f"SELECT odd FROM (SELECT {odd} AS odd FROM {source.relation()}) WHERE odd IS NOT NULL LIMIT 1",
                    source.path,
                )
                if found:
                    work.ids[key] = ids.STRING


def _ingest(work: _Work, table: Table) -> _Result:
    while True:
        try:
            return _pass(work, table)
        except _Again:
            continue


def _pass(work: _Work, table: Table) -> _Result:
    result = _Result(work.id_types(table.name))
    work.db.execute(f"SET TimeZone = {literal(table.given.timezone)}")  # of the timestamps that name none
    with Sink(work.out / f"{table.name}.parquet") as sink:
        for source in table.sources:
            _read_file(work, table, source, sink, result)
        result.rows = sink.rows
    if result.holes and result.rows:
        _renumber(sink.path, result.holes)
    if not (result.rows or result.after_cutoff or result.rejects):
        header = "a header but no rows" if table.sources[0].format == "csv" else "no rows"
        raise DataRefused(f"{table.name}: {table.sources[0].path} has {header}; give a file with rows.")
    return result


def _read_file(work: _Work, table: Table, source: Source, sink: Sink, result: _Result) -> None:
    lines = work.counting.submit(count_lines, source.readable) if source.is_text else None
    work.db.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    seen, blank = 0, 0
    refused: list[rejects.Reject] = []
    try:
        for read in _batches(work.db, query(table, source, result.id_types)):
            rows = np.arange(seen, seen + len(read)) + source.skip + 1
            seen += len(read)
            batch, rows, not_json = _objects(table, source, read, rows)
            refused += not_json
            blank += len(read) - len(batch) - len(not_json)
            _check(work, table, source, batch, rows, result)
            sink.write(_finished(work, table, source, batch, rows, result))
    except (duckdb.Error, pa.ArrowException) as error:
        raise Unreadable(source.path, error) from None
    if lines:
        ragged, blanks = _account(work, table, source, seen, lines.result(), result)
        holes = np.union1d(np.array([reject.line for reject in ragged], np.int64), blanks)
        if holes.size:  # only now is it known which lines were not rows
            result.holes[source.path] = (source.skip, holes)
            actual = _lines(np.array([reject.line for reject in refused], np.int64), source.skip, holes).tolist()
            refused = [replace(reject, line=line) for reject, line in zip(refused, actual, strict=True)]
        result.rejects += sorted(ragged + refused, key=lambda reject: reject.line)
        result.blank_lines += blank + blanks.size


def _lines(numbered: NDArray[np.int64], skip: int, holes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lines of rows that were numbered as if every line were a row."""
    return rejects.lines_of(numbered - skip - 1, skip, holes)


def _renumber(path: Path, holes: Mapping[Path, tuple[int, NDArray[np.int64]]]) -> None:
    """Corrects ``source_row`` of a table of whose files some have lines that are no rows."""
    new = path.with_suffix(".renumbered")
    with Sink(new) as sink:
        for batch in pq.ParquetFile(path, read_dictionary=["source_file"]).iter_batches(_BATCH):
            origin, rows = batch["source_file"], batch["source_row"].to_numpy().copy()
            codes = origin.indices.to_numpy()
            for code, file in enumerate(origin.dictionary.to_pylist()):
                if of_file := holes.get(Path(file)):
                    rows[codes == code] = _lines(rows[codes == code], *of_file)
            place = batch.schema.get_field_index("source_row")
            sink.write(pa.Table.from_batches([batch]).set_column(place, "source_row", pa.array(rows)))
    new.replace(path)


def _account(
    work: _Work, table: Table, source: Source, rows: int, lines: Lines, result: _Result
) -> tuple[list[rejects.Reject], NDArray[np.int64]]:
    """The rejects and the skipped blank lines of a text file just read.

    Raises ``DataRefused`` if they, the header and the ``rows`` are not all of its lines.
    """
    found = rejects.of_scan(work.db, table.name, source)
    blanks = (
        lines.blank[lines.blank > source.skip]
        if source.format == "csv" and len(source.columns) > 1
        else lines.blank[:0]
    )
    blanks = np.setdiff1d(blanks, [reject.line for reject in found])
    missing = lines.total - source.skip - rows - len(found) - blanks.size
    if not missing:
        return found, blanks
    inside, blank_inside = rejects.lines_inside_values(work.db, source) if source.format == "csv" else (0, 0)
    if lost := missing - inside + blank_inside:
        raise rejects.swallowed(table.name, source, abs(lost), found)
    result.notes.append(
        f"{table.name}: {inside} lines of {source.path.name} are inside quoted values that run over several lines"
    )
    result.blank_lines += blanks.size - blank_inside
    return found, blanks[:0]


def _batches(db: duckdb.DuckDBPyConnection, sql: str) -> Iterator[pa.RecordBatch]:
    """The rows in their order, a batch at a time; at least one batch, if an empty one."""
    reader = db.sql(sql).to_arrow_reader(_BATCH)
    yield pa.RecordBatch.from_pylist([], schema=reader.schema)
    yield from reader


def _objects(
    table: Table, source: Source, batch: pa.RecordBatch, rows: NDArray[np.int64]
) -> tuple[pa.RecordBatch, NDArray[np.int64], list[rejects.Reject]]:
    """Of a batch of JSON lines those that are objects, and those that are neither that nor blank, as rejects."""
    if source.format != "jsonl":
        return batch, rows, []
    line, keep = batch["line?"], batch["object?"]
    numbers = rows[pc.is_valid(line).to_numpy(zero_copy_only=False)].tolist()
    not_json = [
        rejects.Reject(table.name, source.path, number, "not a JSON object", text)
        for number, text in zip(numbers, line.drop_null().to_pylist(), strict=True)
    ]
    return batch.filter(keep), rows[keep.to_numpy(zero_copy_only=False)], not_json


def _check(
    work: _Work, table: Table, source: Source, batch: pa.RecordBatch, rows: NDArray[np.int64], result: _Result
) -> None:
    """Raises ``_Again`` where an id is no integer after all, ``DataRefused`` where a value cannot be meant."""
    for key, target in result.id_types.items():
        odd = batch[f"{key}?"]
        if odd.null_count < len(odd):
            if target == ids.INTEGER:
                work.ids[key] = ids.STRING
                raise _Again
            result.odd.setdefault(key, repr(odd.drop_null()[0].as_py()))
            if source.format == "csv" and pc.any(broken := pc.match_substring(odd, "\n")).as_py():
                raise rejects.runs_over(table.name, source, key, int(rows[pc.index(broken, True).as_py()]))
        if odd.null_count > batch[key].null_count:
            result.whole.add(key)
        if target == ids.INTEGER and source.columns[table.maps[source.path][key]] in ("DOUBLE", "FLOAT"):
            result.notes.append(f"{table.name}: {key} was stored as floats, all of them whole; it is int64 now")
    for flag in schema.FLAGS:
        if flag in table.optional and (unclear := batch[f"{flag}?"]).null_count < len(batch):
            at = pc.index(pc.is_valid(unclear), True).as_py()
            place = f"{where(table, source, flag)}, row {rows[at]}"
            raise DataRefused(f"{place}: '{unclear[at]}' is neither yes nor no; write true or false.")
    if table.reading and (unread := batch["timestamp_text"]).null_count < len(batch):
        timestamps.refuse_mixed_units(unread.drop_null().to_pylist(), table.reading, where(table, source))


def _finished(
    work: _Work, table: Table, source: Source, batch: pa.RecordBatch, rows: NDArray[np.int64], result: _Result
) -> pa.Table:
    """The rows of a batch that stay, as they are written."""
    columns = {name: batch[name] for name in batch.schema.names if not name.endswith("?")}
    origin = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(batch), np.int32)), pa.array([str(source.path)]))
    columns |= {"source_file": origin, "source_row": pa.array(rows)}
    if not table.reading:
        return pa.table(columns)
    micros = columns["timestamp"]
    columns["timestamp"] = micros.cast(_UTC)
    when = pc.fill_null(micros, np.iinfo(np.int64).min).to_numpy()
    cutoff, credible = work.limits
    before = when < cutoff
    keep = before | (when > credible) if table.name == "interactions" else before
    result.unread += micros.null_count
    result.before += int(before.sum()) - micros.null_count
    if micros.null_count < len(micros):
        known = (
            when[before] if not micros.null_count else when[before & pc.is_valid(micros).to_numpy(zero_copy_only=False)]
        )
        result.oldest, result.newest = _widened(result.oldest, result.newest, known)
    kept = pa.table(columns)
    if keep.all():
        return kept
    result.after_cutoff += len(keep) - int(keep.sum())
    result.oldest_left_out, result.newest_left_out = _widened(
        result.oldest_left_out, result.newest_left_out, when[~keep]
    )
    return kept.filter(pa.array(keep))


def _widened(low: int | None, high: int | None, values: NDArray[np.int64]) -> tuple[int | None, int | None]:
    if not values.size:
        return low, high
    least, most = int(values.min()), int(values.max())
    return (least if low is None else min(low, least)), (most if high is None else max(high, most))


def _refuse_if_none_before(result: _Result, given: TableInput, cutoff: datetime) -> None:
    if result.before or result.unread or result.oldest_left_out is None or result.newest_left_out is None:
        return
    after = _EPOCH + result.newest_left_out * _MICROSECOND + timedelta(days=1)
    raise DataRefused(
        f"interactions: all {result.after_cutoff} rows of {given.path} are at or after the cutoff "
        f"{timestamps.show(_micros(cutoff))} (oldest {timestamps.show(result.oldest_left_out)}, newest "
        f"{timestamps.show(result.newest_left_out)}); choose a later night, for example --date {after:%Y-%m-%d}."
    )


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _iso(micros: int | None) -> str | None:
    return None if micros is None else (_EPOCH + micros * _MICROSECOND).isoformat()
