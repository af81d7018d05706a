"""Validation: what is fit to learn from goes to ``valid/``, the rest to ``quarantine/`` with the reason.

Rules of rows run on a million rows at a time; rules of tables run on a profile, one row of numbers that DuckDB
computes. What a rule says is in ``expectations/``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from expectations import interactions, items, users
from expectations.rules import Rule
from expectations.runner import Finding, Suite, check_schema, to_frame, write_docs
from expectations.settings import ValidationSettings
from recmodels.errors import ConfigError, DataRefused
from tasks.store.duckdb import connect, literal, quoted
from tasks.store.files import Json, replacing
from tasks.store.manifests import Manifest, finished, outputs
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of
from tasks.validate import profiles

one_at_a_time = threading.Lock()  # Great Expectations keeps one context a process

T = TypeVar("T")
Codes = NDArray[np.uint32]  # one a row: bit r is set where rule r refuses it
Derived = dict[str, NDArray[Any]]

MONTH = timedelta(days=30)
PARTITION = 1_000_000
TABLES = {  # in the order of their checks: trouble in the catalogue explains trouble in the interactions
    "items": (items.REQUIRED, items.OPTIONAL),
    "users": (users.REQUIRED, users.OPTIONAL),
    "interactions": (interactions.REQUIRED, interactions.OPTIONAL),
    "tags": (items.TAG_REQUIRED, items.TAG_OPTIONAL),
}


@stage_task("validate")
def validate(night: Night, rules: ValidationSettings, cutoff: datetime, raw: Manifest, fresh: bool = False) -> Manifest:
    """Bring ``valid/``, ``quarantine/`` and ``quality/<run_date>/`` up to date with the raw tables.

    Raises:
        DataRefused: the data are not fit to learn from. What was refused is in the quarantine.
    """
    recent = recent_rows(night)

    def build(out: Path) -> Json:
        with (
            replacing(night.quarantine, even_after=(DataRefused,)) as quarantine,
            replacing(night.store.quality(night.run_date), even_after=(DataRefused,)) as docs,
        ):
            after = raw["summary"]["after_cutoff"]
            return write_valid(
                night.raw, rules, cutoff, datetime.now(UTC), recent, out, quarantine, docs, after_cutoff=after
            )

    parameters = rules.model_dump() | {"cutoff": cutoff.isoformat(), "recent_rows": recent}
    with one_at_a_time:
        return logged_stage(
            "validate",
            night.valid,
            build,
            code=code_of(__name__),
            inputs=outputs(raw=raw),
            parameters=parameters,
            fresh=fresh,
        )


def recent_rows(night: Night) -> list[int]:
    """How many good interactions the nights of the last month had."""
    before = [other for other in night.store.nights() if timedelta(0) < night.run_date - other.run_date <= MONTH]
    manifests = [finished(other.valid) for other in before]
    return [manifest["summary"]["rows"] for manifest in manifests if manifest]


def write_valid(
    raw: Path,
    rules: ValidationSettings,
    cutoff: datetime,
    now: datetime,
    recent_rows: Sequence[int],
    out: Path,
    quarantine_out: Path,
    docs_out: Path | None = None,
    *,
    after_cutoff: int = 0,
    memory_limit: str = "700MB",
) -> dict[str, Any]:
    """Split the tables of ``raw`` into good rows (``out``) and refused rows (``quarantine_out``), in their order.

    Args:
        cutoff, now: aware datetimes; ``now`` tells which interactions are from the future.
        recent_rows: valid interactions of recent nights, for the volume rule; may be empty.
        docs_out: where to write Data Docs, if anywhere.
        after_cutoff: how many interactions the ingest left out, to explain an empty table.
        memory_limit: of DuckDB, which spills beyond it.

    A table without a refused row is hard-linked, with its ``*_text`` columns (which hold nothing then); otherwise
    they are left out. The summary counts, for each table, ``rows_in``, ``rows``, ``refused``, ``rejects`` (lines
    that are no rows) and their ``share``, and the rows refused for each reason.

    Raises:
        DataRefused: an expectation of a table is broken; quarantine and Data Docs are written by then.
        ConfigError: known items are required, and there is no items table.
    """
    found = [name for name in TABLES if (raw / f"{name}.parquet").exists()]
    for name in found:
        check_schema(name, pq.read_schema(raw / f"{name}.parquet"), *TABLES[name])
    if rules.require_known_items and "items" not in found:
        raise ConfigError("validation.require_known_items is on, but there is no items table: give one with --items.")
    for folder in (out, quarantine_out):
        for name in (*TABLES, "rejects"):  # an earlier try may have left links to raw files: never write through them
            (folder / f"{name}.parquet").unlink(missing_ok=True)
    rejects = _quarantine_rejects(raw, quarantine_out)

    suites: list[Suite] = []
    stops: list[Finding] = []
    summary: dict[str, Any] = {"tables": {}, "reasons": {}, "notes": []}
    with connect(out, memory_limit) as db:
        for name in found:
            source, good, bad = (folder / f"{name}.parquet" for folder in (raw, out, quarantine_out))
            rows = Suite(f"{name}-rows", _row_rules(name, pq.read_schema(source).names, rules, now))
            codes = find_refused(source, rows, _derive(db, name, source, out, rules))
            split(source, codes, [finding.rule.reason for finding in rows.findings], good, bad)
            counts = _counts(codes, rejects.get(name, 0))

            profile = {"table": name, "rows": counts["rows"], "quarantined_share": counts["share"]}
            allowed = counts["share"] <= rules.max_quarantined_share
            profile["refusals"] = "" if allowed else profiles.refusals(db, name, rows, counts, bad, quarantine_out)
            if name == "interactions":
                profile |= profiles.of_interactions(db, good, out / "items.parquet", rules, cutoff)
                profile["after_cutoff"] = after_cutoff
                if recent_rows:
                    profile["recent_median"] = statistics.median(recent_rows)
                    profile["rows_to_recent"] = counts["rows"] / max(profile["recent_median"], 1)
                summary |= profiles.overview(profile)
            elif name == "items":
                profile |= profiles.of_items(db, good)
            table = Suite(f"{name}-table", _table_rules(name, profile, rules, cutoff))
            table.check(pd.DataFrame([profile]))

            suites += [rows, table]
            stops += [*rows.failed("critical"), *table.failed("critical")]
            summary["notes"] += [f"{finding.rule.says}: {finding.rule.advice}" for finding in table.failed("warning")]
            summary["tables"][name] = counts
            summary["reasons"][name] = {f.rule.reason: f.refused for f in rows.findings if f.refused}
    if docs_out is not None:
        write_docs(docs_out, suites, f"{cutoff:%Y-%m-%d}")
    if stops:
        raise DataRefused(_sentence(stops))
    quarantined = sum(counts["refused"] + counts["rejects"] for counts in summary["tables"].values())
    told = f"{summary['rows']:,} interactions are good, {quarantined:,} rows in quarantine"
    return {**summary, "quarantined": quarantined, "message": told}


def find_refused(source: Path, suite: Suite, derive: Callable[[pa.RecordBatch, int], Derived]) -> Codes:
    """Run a suite of row rules over a Parquet file; ``derive`` adds columns to a batch that begins at a row."""
    file = pq.ParquetFile(source)
    columns = sorted({finding.rule.checked for finding in suite.findings} & set(file.schema_arrow.names))
    codes = np.zeros(file.metadata.num_rows, np.uint32)

    def frames() -> Iterator[tuple[int, pd.DataFrame]]:
        for begin, batch in partitions(file, columns):
            yield begin, to_frame(batch, derive(batch, begin))

    for begin, frame in ahead(frames()):
        for bit, rows in enumerate(suite.check(frame)):
            codes[begin + rows] |= np.uint32(1 << bit)
    return codes


def split(source: Path, codes: Codes, reasons: Sequence[str], good: Path, bad: Path) -> None:
    """Write the rows with code 0 to ``good``, and the others to ``bad`` with a column ``reason``."""
    if not codes.any():
        link(source, good)
        return
    file = pq.ParquetFile(source)
    raw = file.schema_arrow
    kept = pa.schema([field for field in raw if not field.name.endswith("_text")])
    distinct = np.unique(codes)
    texts = pa.array(["; ".join(text for bit, text in enumerate(reasons) if code >> bit & 1) for code in distinct])
    with (
        pq.ParquetWriter(good, kept) as good_file,
        pq.ParquetWriter(bad, raw.append(pa.field("reason", pa.string()))) as bad_file,
    ):
        for begin, batch in ahead(partitions(file, raw.names, PARTITION // 2)):
            part = codes[begin : begin + len(batch)]
            refused = part != 0
            if refused.any():
                why = texts.take(pa.array(np.searchsorted(distinct, part[refused])))
                bad_file.write_batch(batch.filter(pa.array(refused)).append_column("reason", why))
            if not refused.all():
                good_file.write_batch(batch.filter(pa.array(~refused)).select(kept.names))


def partitions(file: pq.ParquetFile, columns: list[str], size: int = 0) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of a Parquet file in order, a bounded number at a time, each with the number of its first row."""
    begin = 0
    for batch in file.iter_batches(size or PARTITION, columns=columns):
        yield begin, batch
        begin += len(batch)


def ahead(things: Iterator[T]) -> Iterator[T]:
    """The same things, the next one being made in a thread while one is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, things, None)
        while (thing := coming.result()) is not None:
            coming = thread.submit(next, things, None)
            yield thing


def link(source: Path, target: Path) -> None:
    """The same file under another name: a hard link, or a copy where there are none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _row_rules(name: str, columns: list[str], rules: ValidationSettings, now: datetime) -> list[Rule]:
    if name == "interactions":
        return interactions.row_rules(columns, rules, now)
    if name == "tags":
        return items.tag_row_rules(columns)
    return items.row_rules() if name == "items" else users.row_rules()


def _table_rules(name: str, profile: Mapping[str, Any], rules: ValidationSettings, cutoff: datetime) -> list[Rule]:
    if name == "interactions":
        return interactions.table_rules(profile, rules, cutoff)
    if name == "tags":
        return items.tag_table_rules(profile, rules)
    return items.table_rules(profile, rules) if name == "items" else users.table_rules(profile, rules)


def _derive(
    db: duckdb.DuckDBPyConnection, name: str, source: Path, out: Path, rules: ValidationSettings
) -> Callable[[pa.RecordBatch, int], Derived]:
    """The columns that rules check and the table does not have, for a batch that begins at a row."""
    if name in ("items", "users"):
        later = _later_copies(db, source, f"{name[:-1]}_id")

        def occurrence(batch: pa.RecordBatch, begin: int) -> Derived:
            which = np.ones(len(batch), np.int8)
            low, high = np.searchsorted(later, [begin, begin + len(batch)])
            which[later[low:high] - begin] = 2
            return {"occurrence": which}

        return occurrence
    if name == "interactions" and rules.require_known_items:
        catalogue = pq.read_table(out / "items.parquet", columns=["item_id"])["item_id"].combine_chunks()

        def in_catalogue(batch: pa.RecordBatch, begin: int) -> Derived:
            ids = batch["item_id"]
            known = pc.is_in(ids, value_set=catalogue.cast(ids.type))
            return {"item_in_catalogue": pc.or_(known, pc.is_null(ids)).to_numpy(zero_copy_only=False)}

        return in_catalogue
    return lambda batch, begin: {}


def _later_copies(db: duckdb.DuckDBPyConnection, source: Path, column: str) -> NDArray[np.int64]:
    """Row numbers, ascending, whose id stands in an earlier row."""
    rows = f"read_parquet({literal(source)}, file_row_number = true)"
    key = quoted(column)
    found = db.execute(
        f"""
        WITH repeated AS (SELECT {key} FROM {rows} GROUP BY {key} HAVING count(*) > 1),
        numbered AS (
            SELECT file_row_number AS n, row_number() OVER (PARTITION BY {key} ORDER BY file_row_number) AS copy
            FROM {rows} WHERE {key} IN (FROM repeated)
        )
        SELECT n FROM numbered WHERE copy > 1 ORDER BY n
        """
    ).fetchnumpy()["n"]
    return np.asarray(found, np.int64)


def _quarantine_rejects(raw: Path, quarantine_out: Path) -> dict[str, int]:
    """Lines that are no rows, by table."""
    source = raw / "rejects.parquet"
    if not source.exists():
        return {}
    link(source, quarantine_out / "rejects.parquet")
    counted = pc.value_counts(pq.read_table(source, columns=["table"])["table"].combine_chunks())
    return {each["values"]: each["counts"] for each in counted.to_pylist()}


def _counts(codes: Codes, rejects: int) -> dict[str, Any]:
    rows_in, refused = len(codes), int(np.count_nonzero(codes))
    share = (refused + rejects) / max(rows_in + rejects, 1)
    return {"rows_in": rows_in, "rows": rows_in - refused, "refused": refused, "rejects": rejects, "share": share}


def _sentence(stops: Sequence[Finding]) -> str:
    """The first broken expectation in a sentence, and the names of the others."""
    first = stops[0]
    rule = first.rule
    if first.error:
        return (
            f"{rule.expectation} on {rule.column} could not be evaluated: {first.error}; check the type of the column."
        )
    observed = f"{first.observed:,.4g}" if isinstance(first.observed, float) else f"{first.observed}"
    sentence = f"{rule.says} ({rule.expectation} on {rule.column}: {rule.checked} is {observed}); {rule.advice}."
    others = ", ".join(finding.rule.checked for finding in stops[1:])
    return sentence[0].upper() + sentence[1:] + (f" Broken too: {others}." if others else "")
