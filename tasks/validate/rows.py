"""Rules of rows: run on a million rows at a time, they part a table into good rows and refused ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from expectations.exposures import AFTER_PUBLICATION
from expectations.runner import Suite, checkable
from expectations.settings import ValidationSettings
from recmodels.compute.memory import total
from tasks.store.accounts import NUMBERS_TEXT
from tasks.store.parts import link
from tasks.store.row_groups import RowGroups
from tasks.validate.copies import Flags, later_copies, with_prevailing

T = TypeVar("T")
Codes = NDArray[np.unsignedinteger[Any]]  # one a row: bit r is set where rule r refuses it
Derived = dict[str, NDArray[Any]]
Derive = Callable[[pa.RecordBatch, int], Derived]
"""What adds columns to a batch that begins at a row of the parts that are checked."""

PARTITION = 1_000_000
GOOD, REFUSED = 500_000, 1 << 17  # rows of a row group
A_PIECE = 20  # of the rows that are looked at together: the share that is parted at a time, while the next are checked
A_ROW = 4_000  # bytes of the memory for each row that is looked at with others
SKEW = timedelta(minutes=5)  # by which the clock that logs exposures may be behind the one that publishes
RAW_TEXTS = ("timestamp_text", "rating_text", "rank_text", "clicked_text", "outcome_text", NUMBERS_TEXT)
"""The columns of a raw table that hold values as they were written, of which good rows need only what they mean."""


@dataclass(frozen=True)
class Verdict:
    """What is known of a part: the codes of its rows; the good ones and the refused, if these can be taken over."""

    codes: Codes
    good: Path | None = None
    bad: pa.Table | None = None


def find_refused(
    sources: Sequence[Path],
    known: Sequence[Verdict | None],
    suite: Suite,
    derived: Callable[[], Derive],
) -> Iterator[Codes]:
    """The codes of each part of a table in turn, by a suite of row rules, where they are not known.

    `derived` is asked for more columns where anything is checked: it may have to look at all rows.
    """
    for verdict in filter(None, known):
        refused = verdict.codes[verdict.codes != 0]
        suite.add(len(verdict.codes), [int((refused >> bit & 1).sum()) for bit in range(len(suite.findings))])
    unknown = [source for source, verdict in zip(sources, known, strict=True) if verdict is None]
    checked = _checked(unknown, suite, derived()) if unknown else iter(())
    for found in known:
        yield next(checked) if found is None else found.codes


def _checked(sources: Sequence[Path], suite: Suite, derive: Derive) -> Iterator[Codes]:
    """The codes of each part, as soon as all its rows are checked."""
    names = pq.read_schema(sources[0]).names
    checked = sorted({finding.rule.checked for finding in suite.findings} & set(names))
    columns = [*checked, *(name for name in ("export_id",) if name in names)]  # to derive others from
    ends = np.cumsum([pq.read_metadata(source).num_rows for source in sources])
    codes = np.zeros(ends[-1], np.min_scalar_type((1 << len(suite.findings)) - 1))  # a byte a row, of few rules

    def partitions() -> Iterator[tuple[int, pa.Table]]:
        for begin, batch in _partitions(sources, columns, rows_at_once()):
            yield begin, checkable(batch.select(checked), derive(batch, begin))

    of_parts = np.split(codes, ends[:-1])
    complete = 0
    for begin, table in _ahead(partitions()):
        for bit, rows in enumerate(suite.check_rows(table)):
            codes[begin + rows] |= codes.dtype.type(1 << bit)
        while complete < len(ends) and ends[complete] <= begin + len(table):
            yield of_parts[complete]
            complete += 1
    yield from of_parts[complete:]  # without rows


class Split:
    """A table being parted into good rows and refused ones.

    Attributes:
        name: of the table.
        reasons: why each rule refuses a row.
        bad: where the refused rows go; there is no such file where there are none.
        flags: what prevails in the good rows.
    """

    def __init__(self, name: str, reasons: Sequence[str], bad: Path, flags: Flags) -> None:
        self.name, self.reasons, self.bad, self.flags = name, reasons, bad, flags
        self._bad_file: RowGroups | None = None

    def __enter__(self) -> Split:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bad_file:
            self._bad_file.close()

    def part(self, source: Path, codes: Codes, good: Path, known: Verdict | None) -> None:
        """Write the rows of a part with code 0 to `good`, and the others with their `reason` to the refused ones.

        What is `known` is taken over.
        """
        if known and known.good:
            link(known.good, good)
            if known.bad is not None:
                place = known.bad.schema.get_field_index("reason")
                self.refuse(known.bad.set_column(place, "reason", self._why(codes[codes != 0])))  # with tonight's date
            return
        raw = pq.read_schema(source)
        if is_good(raw, codes):
            link(source, good)
            return
        kept = pa.schema([field for field in raw if field.name not in RAW_TEXTS])
        with RowGroups(good, kept, GOOD) as good_file:
            for begin, batch in _ahead(_partitions([source], raw.names, max(rows_at_once() // A_PIECE, 1))):
                of_batch = codes[begin : begin + len(batch)]
                refused = of_batch != 0
                if refused.any():
                    why = self._why(of_batch[refused])
                    refused_rows = batch.filter(pa.array(refused)).cast(raw).append_column("reason", why)
                    self.refuse(pa.Table.from_batches([refused_rows]))
                if not refused.all():
                    kept_rows = with_prevailing(batch, begin, self.name, self.flags)
                    good_rows = kept_rows.filter(pa.array(~refused)).select(kept.names).cast(kept)
                    good_file.write(pa.Table.from_batches([good_rows]))

    def _why(self, codes: Codes) -> pa.Array:
        """The reasons of refused rows."""
        distinct, which = np.unique(codes, return_inverse=True)
        found = [[text for bit, text in enumerate(self.reasons) if code >> bit & 1] for code in distinct]
        return pa.array(map("; ".join, found), pa.string()).take(pa.array(which))

    def refuse(self, rows: pa.Table) -> None:
        """Add refused rows, with their `reason`."""
        if self._bad_file is None:
            self._bad_file = RowGroups(self.bad, rows.schema, REFUSED)
        self._bad_file.write(rows)


def is_good(raw: pa.Schema, codes: Codes) -> bool:
    """Whether a part is valid as it is: no row is refused, and it has no texts but those of rows that are."""
    return not codes.any() and NUMBERS_TEXT not in raw.names  # the others hold nothing then


def derived_columns(
    db: duckdb.DuckDBPyConnection,
    name: str,
    source: Path,
    catalogue: Path,
    settings: ValidationSettings,
    published: Mapping[str, datetime] = MappingProxyType({}),
) -> Derive:
    """The columns that rules check and the table does not have, for a batch that begins at a row.

    `catalogue`: the valid items, if they must be known; `published`: when the exports that exposures may name were
    published.
    """
    if name in ("items", "users"):
        later = later_copies(db, source, f"{name[:-1]}_id")

        def occurrence(batch: pa.RecordBatch, begin: int) -> Derived:
            which = np.ones(len(batch), np.int8)
            low, high = np.searchsorted(later, [begin, begin + len(batch)])
            which[later[low:high] - begin] = 2
            return {"occurrence": which}

        return occurrence
    if name == "interactions" and settings.require_known_items:
        items = pq.read_table(catalogue, columns=["item_id"])["item_id"].combine_chunks()

        def in_catalogue(batch: pa.RecordBatch, begin: int) -> Derived:
            known = _of_each(batch["item_id"], lambda ids: pc.is_in(ids, value_set=items.cast(ids.type)))
            absent = pc.is_null(batch["item_id"])
            return {"item_in_catalogue": pc.or_kleene(known, absent).to_numpy(zero_copy_only=False)}

        return in_catalogue
    if name == "exposures" and "export_id" in pq.read_schema(source).names and published:
        exports = pa.array(list(published))
        since = pa.array([instant - SKEW for instant in published.values()], pa.timestamp("us", "UTC"))

        def after_publication(batch: pa.RecordBatch, begin: int) -> Derived:
            first = since.take(_of_each(batch["export_id"], lambda ids: pc.index_in(ids, value_set=exports)))
            after = pc.fill_null(pc.greater_equal(batch["timestamp"], first), True)  # others are judged elsewhere
            return {AFTER_PUBLICATION: after.to_numpy(zero_copy_only=False)}

        return after_publication
    return lambda batch, begin: {}


def _of_each(column: pa.Array, found: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """What is `found` of the values of a column; of one of codes, once of what each means."""
    if not pa.types.is_dictionary(column.type):
        return found(column)
    return found(column.dictionary).take(column.indices)


def _partitions(sources: Sequence[Path], columns: list[str], size: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of Parquet files in order, each time with the number of the first: about `size`, and half more at most.

    Texts stay codes of dictionaries, as the files have them. Those of two files are joined where both are small alone:
    it takes longer than all that is checked.
    """
    begin, n_held, held = 0, 0, list[pa.RecordBatch]()
    texts = [field.name for field in pq.read_schema(sources[0]) if pa.types.is_string(field.type)]
    for source in sources:
        file = pq.ParquetFile(source, read_dictionary=texts)
        n_rows = max(1, file.metadata.num_rows)
        for batch in file.iter_batches(-(-n_rows // max(1, round(n_rows / size))), columns=columns):
            if n_held and n_held + len(batch) > size:
                yield begin, pa.concat_batches(held)
                begin, n_held, held = begin + n_held, 0, []
            held.append(batch)
            n_held += len(batch)
    if n_held:
        yield begin, pa.concat_batches(held)


def rows_at_once() -> int:
    """How many rows are looked at together: two times as many are in memory, as frames of some columns."""
    return min(PARTITION, total() // A_ROW)


def _ahead(things: Iterator[T]) -> Iterator[T]:
    """The same things, the next one being made in a thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, things, None)
        while (thing := coming.result()) is not None:
            coming = thread.submit(next, things, None)
            yield thing
