"""Vectors of items or users that cannot be used go to the quarantine with the reason; the others are valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from expectations.settings import ValidationSettings
from recmodels.messages import counted
from tasks.store.summaries import TableCounts
from tasks.store.vector_tables import VECTOR, VECTOR_TABLES, dimension_of

ROWS = 2**13  # that are read at a time, and of a row group
GOOD, NO_ID, NO_VECTOR, LENGTH, NOT_FINITE, ZERO, AGAIN = range(7)
UNEVEN = 1000.0
"""How many times longer than the shortest vector the longest may be without a note: of encoders they hardly differ."""


@dataclass(frozen=True)
class CheckedVectors:
    """What was found of a table of vectors."""

    name: str
    counts: TableCounts
    reasons: Mapping[str, int]
    dimension: int
    shortest: float
    longest: float

    def refusal(self, settings: ValidationSettings) -> str | None:
        """Why the night cannot go on with it, if it cannot."""
        counts = self.counts
        why = "; ".join(f"{n:,} {reason.partition(': ')[2]}" for reason, n in self.reasons.items())
        if not counts["rows"]:
            return f"{self.name}: no row can be used{f' ({why})' if why else ''}; give vectors, or leave the table out."
        if counts["share"] <= settings.max_quarantined_share:
            return None
        return (
            f"{self.name}: {counts['refused']:,} of {counted(counts['rows_in'], 'row')} are refused "
            f"({counts['share']:.1%}; {settings.max_quarantined_share:.1%} may be): {why}. They are in "
            f"quarantine/{self.name}.parquet; correct the file, or raise validation.max_quarantined_share."
        )

    def notes(self) -> Iterator[str]:
        """What people are told."""
        if superseded := self.counts["superseded"]:
            yield f"{self.name}: {counted(superseded, 'row')} of ids that an earlier row has are superseded"
        if self.longest > UNEVEN * self.shortest:
            yield (
                f"{self.name}: lengths (norms) are from {self.shortest:.3g} to {self.longest:.3g}, and only directions "
                "count; if lengths mean something, add a number that says it to the vectors"
            )


def check_vectors(name: str, raw: Path, out: Path, quarantine: Path, settings: ValidationSettings) -> CheckedVectors:
    """Part the good rows of a raw table of vectors (`out`) from those that are refused (`quarantine`).

    Valid are an id and a vector of as many finite numbers as most vectors have, not all of them zero; of several rows
    of one id the first that is valid.

    Args:
        name: `item_vectors` or `user_vectors`.
        raw: the folder of the raw tables.
        out: where `<name>.parquet` goes: the id, and the vector as a fixed-size list of float32.
        quarantine: where the refused rows go, with their reasons, if there are any.
        settings: what the data must be.
    """
    path, key = raw / f"{name}.parquet", VECTOR_TABLES[name]
    dimension, norms = dimension_of(path), [np.inf, 0.0]
    reasons = dict(enumerate(_reasons(key, dimension)))
    totals = np.zeros(len(reasons), np.int64)
    with pq.ParquetFile(path) as file:
        later = _later_rows(file, key, dimension)
        kept = pa.schema({key: file.schema_arrow.field(key).type, VECTOR: pa.list_(pa.float32(), dimension)})
        bad = [pa.schema([*file.schema_arrow.remove_metadata(), pa.field("reason", pa.string())]).empty_table()]
        with pq.ParquetWriter(out / f"{name}.parquet", kept, compression="none", use_dictionary=False) as writer:
            row = 0
            for batch in file.iter_batches(ROWS):
                codes = _codes(batch, key, dimension)
                again = later[row : row + len(batch)] & (codes == GOOD)
                codes[again] = AGAIN
                row += len(batch)
                totals += np.bincount(codes, minlength=len(reasons))
                good = batch.filter(pa.array(codes == GOOD))
                if len(good):
                    values = good[VECTOR].flatten()
                    lengths = np.linalg.norm(values.to_numpy().reshape(-1, dimension).astype(np.float64), axis=1)
                    norms = [min(norms[0], float(lengths.min())), max(norms[1], float(lengths.max()))]
                    vectors = pa.FixedSizeListArray.from_arrays(values, dimension)
                    writer.write_table(pa.table([good[key], vectors], schema=kept), row_group_size=ROWS)
                if (codes != GOOD).any():
                    why = pa.array([reasons[code] for code in codes[codes != GOOD].tolist()], pa.string())
                    refused = pa.table(batch.filter(pa.array(codes != GOOD)))
                    bad.append(refused.append_column("reason", why).cast(bad[0].schema))
    if len(bad) > 1:
        pq.write_table(pa.concat_tables(bad), quarantine / f"{name}.parquet")
    refused_rows, superseded = int(totals[NO_ID:AGAIN].sum()), int(totals[AGAIN])
    counts: TableCounts = {
        "rows_in": row,
        "rows": int(totals[GOOD]),
        "refused": refused_rows,
        "superseded": superseded,
        "rejects": 0,
        "share": refused_rows / max(row - superseded, 1),
    }
    found = {reasons[code]: int(totals[code]) for code in range(NO_ID, len(reasons)) if totals[code]}
    return CheckedVectors(name, counts, found, dimension, *norms)


def _reasons(key: str, dimension: int) -> list[str]:
    """Why a row is in quarantine, by its code."""
    return [
        "",
        f"{key}: have no id as the other tables have them",
        f"{VECTOR}: have no vector",
        f"{VECTOR}: have another length than most, {dimension:,}",
        f"{VECTOR}: have numbers that are missing or not finite",
        f"{VECTOR}: have nothing but zeros",
        f"{key}: have an id that an earlier row has",
    ]


def _later_rows(file: pq.ParquetFile, key: str, dimension: int) -> NDArray[np.bool_]:
    """Whether an earlier row is a valid one of the same id: bool [n]. Vectors are read only where ids are repeated."""
    ids = file.read([key])[key].combine_chunks()
    if len(ids.drop_null().unique()) == len(ids) - ids.null_count:
        return np.zeros(len(ids), np.bool_)
    codes = [_codes(batch, key, dimension) for batch in file.iter_batches(ROWS)]
    good = np.flatnonzero(np.concatenate(codes) == GOOD)
    first = np.unique(ids.take(pa.array(good)).dictionary_encode().indices.to_numpy(), return_index=True)[1]
    later = np.zeros(len(ids), np.bool_)
    later[np.delete(good, first)] = True
    return later


def _codes(batch: pa.RecordBatch, key: str, dimension: int) -> NDArray[np.int64]:
    """What is wrong with each row, taken alone: int64 [n]."""
    vectors = batch[VECTOR]
    lengths = pc.fill_null(pc.list_value_length(vectors), -1).to_numpy()
    codes = np.select(
        [~batch[key].is_valid().to_numpy(zero_copy_only=False), lengths < 0, lengths != dimension],
        [NO_ID, NO_VECTOR, LENGTH],
        GOOD,
    )
    whole = np.flatnonzero(lengths == dimension)
    if dimension == 0 or not len(whole):
        return np.where((codes == GOOD) & (lengths == 0), ZERO, codes)
    values = vectors.take(pa.array(whole)).flatten()
    numbers = pc.fill_null(values, np.nan).to_numpy(zero_copy_only=False).reshape(-1, dimension)
    finite = np.isfinite(numbers).all(axis=1)
    wrong = np.select([~finite, ~numbers.any(axis=1)], [NOT_FINITE, ZERO], GOOD)
    codes[whole] = np.where(codes[whole] == GOOD, wrong, codes[whole])
    return codes
