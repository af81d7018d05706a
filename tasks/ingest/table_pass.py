"""One pass over files of a table: their rows become a raw table, and every other line is accounted for."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recmodels.errors import DataRefused
from tasks.ingest.ledger import Ledger
from tasks.ingest.reading import ids, misread, rejects, schema, timestamps
from tasks.ingest.reading.copies import Unreadable
from tasks.ingest.reading.queries import HEADER, OWN, Query, doubtful, header_told_by, query, where
from tasks.ingest.reading.row_groups import BATCH, Beside, Sink, renumber
from tasks.ingest.reading.sources import JSON, Source
from tasks.ingest.reading.tables import Table
from tasks.ingest.reading.textfiles import Lines, count_lines
from tasks.ingest.table_result import TableResult
from tasks.store.accounts import FileAccount, check_file
from tasks.store.duckdb import literal

BUFFER = "64MB"  # what DuckDB may read ahead while a row group is written
_SMALL = 1 << 20  # bytes of a file for which threads and streams would take longer than to read it
_UTC = pa.timestamp("us", "UTC")
_JUDGED = 1000  # different texts of a batch that are looked at; the others go to the quarantine with their rows


@dataclass(frozen=True)
class Shared:
    """What the passes over all tables have in common."""

    db: duckdb.DuckDBPyConnection
    counting: ThreadPoolExecutor  # counts the lines of a file while it is read
    out: Path
    cutoff: int  # µs since 1970, as is the next
    credible: timestamps.Credible
    ledger: Ledger = field(default_factory=Ledger)
    beside: Beside | None = None  # writes while the next rows are read
    parts: Path | None = None  # where parts of the work lie that is given to an engine; else all is done here


class TablePass:
    """One pass over files of a table, its ids read as `id_types` says (id column -> DuckDB type)."""

    def __init__(self, shared: Shared, table: Table, id_types: Mapping[str, str], path: Path) -> None:
        self.shared, self.table, self.id_types, self.path = shared, table, id_types, path
        self.result = TableResult()
        self.lines = 0  # of the file just read
        self.holes: dict[Path, tuple[int, NDArray[np.int64]]] = {}
        """File -> how many lines come before its first possible row, and which of the others are no rows."""

    def run(self, sources: deque[Source], full: int | None = None) -> set[str]:
        """Write the rows of the first of some files, and return no ids; or stop, and return those that are no integers.

        They are written once `Shared.beside` has been waited for, if there is one.

        Args:
            sources: the files; those that are read are taken out.
            full: how many rows are enough; all files are read, if not given.

        Raises:
            DataRefused: a file cannot be used.
        """
        self.shared.db.execute(f"SET TimeZone = {literal(self.table.given.timezone)}")  # of timestamps that name none
        with Sink(self.path, self.shared.beside) as sink:
            while sources and (full is None or sink.rows < full):
                before, source = self.result.so_far(), self.table.opened(sources.popleft())
                if text_ids := self._read_file(source, sink):
                    return text_ids
                self.result.rows = sink.rows
                self.result.files.append(self._file_account(source, before))
        if self.holes and self.result.rows:
            if self.shared.beside is not None:
                self.shared.beside.wait()
            renumber(self.path, self.holes)
        return set()

    def _read_file(self, source: Source, sink: Sink) -> set[str]:
        """Write the rows of a file, and account for its other lines; returns what `run` does."""
        lines = self._count_lines(source) if source.is_text else None
        if source.is_text:
            self.shared.db.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
        n_read = n_blank = 0
        not_json: list[rejects.Reject] = []
        try:
            wanted = query(self.table, source, self.id_types)
            for read in _batches(self.shared.db, wanted, small=_is_small(source)):
                places = _places(read)
                line_of = n_read + places + source.skip + 1
                n_read += int(places[-1]) + 1 if len(read) else 0
                self.result.exploded += len(read) - (int(places[-1]) + 1 if len(read) else 0)
                batch, line_of = self._without_headers(source, read, line_of)
                n_rows = len(batch)
                batch, line_of, refused = self._objects(source, batch, line_of)
                not_json += refused
                n_blank += n_rows - len(batch) - len(refused)
                if text_ids := self._text_ids(batch):
                    return text_ids
                self._check(source, batch, line_of)
                sink.write(self._before_cutoff(source, batch, line_of))
        except (duckdb.Error, pa.ArrowException) as error:
            raise Unreadable(source.path, error) from None
        if lines:
            self._account(source, n_read, n_blank, not_json, counted := lines())
            self.lines = counted.total
        else:
            self.lines = pq.ParquetFile(source.readable).metadata.num_rows
        return set()

    def _count_lines(self, source: Source) -> Callable[[], Lines]:
        """Gives the lines of a text file; those of one that takes a while are counted beside what reads it."""
        if _is_small(source):
            return partial(count_lines, source.readable)
        return self.shared.counting.submit(count_lines, source.readable).result

    def _file_account(self, source: Source, before: Counter[str]) -> FileAccount:
        """What became of the lines of the file just read, given the counts before it.

        Raises:
            NightrecError: not each of them became one thing.
        """
        found = self.result.so_far()
        found.subtract(before)
        account: FileAccount = {
            "file": str(source.path),
            "format": source.stored,
            "packed": ", ".join(source.packed),
            "encoding": source.encoding if source.is_text else "",
            "lines": self.lines,
            "rows": found["rows"],
            "more": found["more"],
            "after_cutoff": found["after_cutoff"],
            "rejects": found["rejects"],
            "blank": found["blank"],
            "inside": found["inside"],
            "header": source.skip + found["headers"],
        }
        if again := found["headers"]:
            lines = "1 line is" if again == 1 else f"{again:,} lines are"
            self.result.notes.append(f"{self.table.name}: {lines} the header of {source.path.name} once more, no rows")
        check_file(self.table.name, account)
        return account

    def _without_headers(
        self, source: Source, batch: pa.RecordBatch, line_of: NDArray[np.int64]
    ) -> tuple[pa.RecordBatch, NDArray[np.int64]]:
        """Of a batch the lines that are not the header once more; the others are counted."""
        if key := header_told_by(self.table, source, self.id_types):
            odd = batch[f"{key}?"]
            again = pc.equal(odd, HEADER).fill_null(False) if odd.null_count < len(odd) else None
        else:
            again = batch["header?"] if "header?" in batch.schema.names else None
        if again is None or not pc.any(again).as_py():
            return batch, line_of
        rows = pc.invert(again)
        self.result.headers += again.true_count
        return batch.filter(rows), line_of[rows.to_numpy(zero_copy_only=False)]

    def _objects(
        self, source: Source, batch: pa.RecordBatch, line_of: NDArray[np.int64]
    ) -> tuple[pa.RecordBatch, NDArray[np.int64], list[rejects.Reject]]:
        """Of a batch of JSON lines those that are objects, and those that are neither that nor blank, as rejects."""
        if source.format != "jsonl":
            return batch, line_of, []
        line, keep = batch["line?"], batch["object?"]
        numbers = line_of[pc.is_valid(line).to_numpy(zero_copy_only=False)].tolist()
        not_json = [
            rejects.Reject(self.table.name, source.path, number, "not a JSON object", text)
            for number, text in zip(numbers, line.drop_null().to_pylist(), strict=True)
        ]
        return batch.filter(keep), line_of[keep.to_numpy(zero_copy_only=False)], not_json

    def _text_ids(self, batch: pa.RecordBatch) -> set[str]:
        """The id columns that are read as integers, and hold values here that are none."""
        if self.table.name in schema.FOLLOWING:
            return set()
        read_as_integers = [key for key, kind in self.id_types.items() if kind == ids.INTEGER]
        return {key for key in read_as_integers if batch[f"{key}?"].null_count < len(batch)}

    def _check(self, source: Source, batch: pa.RecordBatch, line_of: NDArray[np.int64]) -> None:
        """Raise DataRefused where a value cannot be meant, and note what is remarkable about ids."""
        for key in self.id_types:
            self._check_ids(key, source, batch, line_of)
        for flag in schema.FLAGS:
            if flag in self.table.optional and (unclear := batch[f"{flag}?"]).null_count < len(batch):
                at = pc.index(pc.is_valid(unclear), True).as_py()
                place = f"{where(self.table, source, flag)}, row {line_of[at]}"
                raise DataRefused(f"{place}: '{unclear[at]}' is neither yes nor no; write true or false (or 1 or 0).")
        for ours in schema.SPAN:
            if (source.path, ours) in self.table.spans and (odd := batch[f"{ours}?"]).null_count < len(batch):
                self._refuse_span(ours, source, odd, line_of)
        if how := self.table.times.get(source.path):
            self._check_timestamps(how, source, batch[doubtful(self.table.name)], line_of)

    def _refuse_span(self, ours: str, source: Source, odd: pa.Array, line_of: NDArray[np.int64]) -> None:
        """Raise DataRefused: a time that cannot be read would show an item that is not there."""
        at = pc.index(pc.is_valid(odd), True).as_py()
        how, text = self.table.spans[source.path, ours], odd[at].as_py()
        why = misread.refusal(self.table.name, text, how.reading) if how.format is None else None
        otherwise = (
            f"'{text[:40]}' is no time that can be read; write 2026-07-20T10:00:00Z or 2026-07-20, or name it in "
            f"inputs.{self.table.name}.missing if it means none."
        )
        raise DataRefused(f"{where(self.table, source, ours)}, row {line_of[at]}: {why or otherwise}")

    def _check_timestamps(
        self, how: timestamps.Timestamps, source: Source, doubtful: pa.Array, line_of: NDArray[np.int64]
    ) -> None:
        """Raise DataRefused where a text that was not read, or not credibly, must not be left at that."""
        if how.format is not None or doubtful.null_count == len(doubtful):
            return
        for text in pc.unique(doubtful.drop_null())[:_JUDGED].to_pylist():
            if sentence := misread.refusal(self.table.name, text, how.reading):
                line = f"{'line' if source.is_text else 'row'} {line_of[pc.index(doubtful, text).as_py()]}"
                raise DataRefused(f"{where(self.table, source)}, {line}: {sentence}")

    def _check_ids(self, key: str, source: Source, batch: pa.RecordBatch, line_of: NDArray[np.int64]) -> None:
        if f"{key} unfit?" in batch.schema.names and (unfit := batch[f"{key} unfit?"]).null_count < len(batch):
            line = line_of[pc.index(pc.is_valid(unfit), True).as_py()]
            explodes = self.table.name == "interactions" and key == "item_id" and not source.exploded
            why = ids.refusal(JSON, unfit.drop_null()[0].as_py(), explodes=explodes)
            raise DataRefused(f"{where(self.table, source, key)}, line {line}: {why}")
        odd = batch[f"{key}?"]
        if odd.null_count < len(odd):
            self.result.text_ids.setdefault(key, repr(odd.drop_null()[0].as_py()))
            if source.format == "csv" and pc.any(broken := pc.match_substring(odd, "\n")).as_py():
                line = int(line_of[pc.index(broken, True).as_py()])
                raise rejects.runs_over(self.table.name, source, key, line)
        if odd.null_count > batch[key].null_count:
            self.result.integer_ids.add(key)
        stored_as = source.columns[self.table.maps[source.path][key]]
        if self.id_types[key] == ids.INTEGER and stored_as in ("DOUBLE", "FLOAT"):
            self.result.notes.append(
                f"{self.table.name}: {key} was stored as floats, all of them whole; it is int64 now"
            )

    def _before_cutoff(self, source: Source, batch: pa.RecordBatch, line_of: NDArray[np.int64]) -> pa.Table:
        """The rows of a batch that stay, as they are written."""
        columns = {
            name.removeprefix(OWN): batch[name]
            for name in batch.schema.names
            if name.startswith(OWN) or not name.endswith("?")
        }
        file = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(batch), np.int32)), pa.array([str(source.path)]))
        columns |= {"source_file": file, "source_row": pa.array(line_of)}
        columns |= {ours: columns[ours].cast(_UTC) for ours in schema.SPAN if ours in columns}
        if not self.table.times:
            return pa.table(columns)
        micros = columns["timestamp"]
        columns["timestamp"] = micros.cast(_UTC)
        when = pc.fill_null(micros, np.iinfo(np.int64).min).to_numpy()
        before = when < self.shared.cutoff
        keep = before | (when > self.shared.credible.last) if self.table.name == "interactions" else before
        self.result.unreadable_timestamps += micros.null_count
        self.result.before_cutoff += int(before.sum()) - micros.null_count
        readable = before if not micros.null_count else before & pc.is_valid(micros).to_numpy(zero_copy_only=False)
        self.result.kept.widen(when[readable])
        self.result.ahead.widen(when[when > self.shared.credible.last])
        if "event" in columns:
            self.result.without_event += columns["event"].filter(pa.array(keep)).null_count
        rows = pa.table(columns)
        if keep.all():
            return rows
        self.result.after_cutoff += len(keep) - int(keep.sum())
        self.result.left_out.widen(when[~keep])
        return rows.filter(pa.array(keep))

    def _account(self, source: Source, n_read: int, n_blank: int, not_json: list[rejects.Reject], lines: Lines) -> None:
        """Count the rejects and the blank lines of a text file just read, and number them as they lie in it."""
        ragged, blanks = self._other_lines(source, n_read, lines)
        holes = np.union1d(np.array([reject.line for reject in ragged], np.int64), blanks)
        if holes.size:  # only now is it known which lines were not rows
            self.holes[source.path] = (source.skip, holes)
            actual = rejects.actual_lines(np.array([reject.line for reject in not_json], np.int64), source.skip, holes)
            not_json = [replace(reject, line=line) for reject, line in zip(not_json, actual.tolist(), strict=True)]
        refused = sorted(ragged + not_json, key=lambda reject: reject.line)
        if lines.cut:
            refused = rejects.cut_short(refused, lines.total)
        self.result.rejects += refused
        self.result.notes += rejects.notes(self.table.name, source, refused)
        self.result.blank_lines += n_blank + blanks.size

    def _other_lines(self, source: Source, n_read: int, lines: Lines) -> tuple[list[rejects.Reject], NDArray[np.int64]]:
        """The lines that DuckDB refused, and the blank ones that it skipped.

        Raises:
            DataRefused: they, the header and the rows are not all of the file's lines.
        """
        blank = (
            lines.blank[lines.blank > source.skip]
            if source.format == "csv" and len(source.columns) > 1
            else lines.blank[:0]
        )
        if lines.total - source.skip - n_read == blank.size:  # DuckDB refuses no blank line: so it has refused none
            return [], blank
        refused = rejects.of_scan(self.shared.db, self.table.name, source)
        blanks = np.setdiff1d(blank, [reject.line for reject in refused])
        others = lines.total - source.skip - n_read - len(refused)
        if others == blanks.size:
            return refused, blanks
        inside, blank_inside = rejects.lines_inside_values(self.shared.db, source) if source.format == "csv" else (0, 0)
        # Where values run over several lines, DuckDB counts records: a reject may bear the number of a blank line.
        n_blank = blank.size - sum(not reject.text for reject in refused)
        if others != n_blank + inside - blank_inside:
            n_blank = blanks.size
        if lost := others - n_blank - inside + blank_inside:
            raise rejects.swallowed(self.table.name, source, abs(lost), refused)
        self.result.notes.append(
            f"{self.table.name}: {inside} lines of {source.path.name} are inside quoted values that run over several "
            "lines"
        )
        self.result.blank_lines += n_blank - blank_inside
        self.result.inside += inside
        return refused, blanks[:0]


def _places(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """The place of each row among those of the file, from 0; -1 where it is of the last one of the batch before."""
    if "begins?" not in batch.schema.names:
        return np.arange(len(batch))
    return np.cumsum(batch["begins?"].to_numpy(zero_copy_only=False).astype(np.int64)) - 1


def _is_small(source: Source) -> bool:
    return source.readable.stat().st_size < _SMALL


def _batches(db: duckdb.DuckDBPyConnection, wanted: Query, *, small: bool) -> Iterator[pa.RecordBatch]:
    """The rows in their order, a batch at a time; at least one batch, if an empty one."""
    # A relation streams the rows, but DuckDB parses and binds its query twice; of a few rows a copy costs less.
    reader = (db.execute(wanted.sql) if small else db.sql(wanted.sql)).to_arrow_reader(BATCH)
    for batch in chain([pa.RecordBatch.from_pylist([], schema=reader.schema)], _even(reader)):
        yield batch.rename_columns(wanted.columns)


def _even(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of equal length, wherever the threads that read them have cut them off."""
    held, n_held = list[pa.RecordBatch](), 0
    for batch in batches:
        left = batch
        while n_held + len(left) >= BATCH:
            yield pa.concat_batches([*held, left.slice(0, BATCH - n_held)])
            left = left.slice(BATCH - n_held)
            held, n_held = [], 0
        if len(left):
            held.append(left)
            n_held += len(left)
    if held:
        yield pa.concat_batches(held)
