"""The check of one table: its rows, of which the good are parted from the refused, and then the table that remains."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from expectations import exposures
from expectations.rules import OCCURRENCE
from expectations.runner import Finding, Suite
from expectations.settings import ValidationSettings
from expectations.tables import row_rules, table_rules
from tasks.store.accounts import FileAccount
from tasks.store.parts import alike, parts
from tasks.store.summaries import TableCounts
from tasks.validate import profiles
from tasks.validate.copies import prevailing
from tasks.validate.counts import Earlier
from tasks.validate.counts import counts as counts_of
from tasks.validate.known import Verdicts
from tasks.validate.part_checks import checked
from tasks.validate.rows import Codes, Derive, Split, Verdict, derived_columns, find_refused


@dataclass(frozen=True)
class Checked:
    """What was found of a table."""

    rows: Suite
    table: Suite
    counts: TableCounts
    profile: Mapping[str, Any]
    codes: Codes

    def refused_of(self, files: Sequence[FileAccount]) -> list[int]:
        """How many rows of each file are refused: they stand in the order of the files."""
        ends = np.cumsum([file["rows"] for file in files])[:-1]
        return [int(np.count_nonzero(codes)) for codes in np.split(self.codes, ends)]

    def failed(self, severity: Literal["critical", "warning"]) -> list[Finding]:
        return [*self.rows.failed(severity), *self.table.failed(severity)]


@dataclass(frozen=True)
class TableCheck:
    """The check of each table of a night, the catalogue before the interactions."""

    db: duckdb.DuckDBPyConnection
    raw: Path
    out: Path
    quarantine: Path
    settings: ValidationSettings
    cutoff: datetime
    now: datetime
    recent_rows: Sequence[int]
    after_cutoff: int
    published: Mapping[str, datetime]
    listed: Mapping[str, Path]
    verdicts: Verdicts
    on_engine: Path | None

    def run(self, name: str, rejects: int) -> Checked:
        """Check a table's rows, part the good from the refused, and check the table that remains."""
        sources, bad = parts(self.raw, name), self.quarantine / f"{name}.parquet"
        columns = pq.read_schema(sources[0]).names
        if name == "exposures" and "export_id" in columns and self.published:
            columns = [*columns, exposures.AFTER_PUBLICATION]
        rows = Suite(f"{name}-rows", row_rules(name, columns, self.settings, self.now))
        known = self.verdicts.fitting(self.db, name, self.raw, self.out, self.settings, self.now)
        verdicts = self._on_engine(name, columns, rows, sources, known, self.on_engine) if self.on_engine else known
        taken = [verdict is not None and (bool(verdict.good) or not verdict.codes.any()) for verdict in verdicts]
        flags = {} if all(taken) else prevailing(self.db, name, sources[0])
        reasons = [finding.rule.reason for finding in rows.findings]
        of_parts, parting = list[Codes](), list[Future[None]]()
        with Split(name, reasons, bad, flags) as split, ThreadPoolExecutor(1) as thread:
            checks = find_refused(sources, verdicts, rows, lambda: self._derived(name, sources[0]))
            for source, verdict, found in zip(sources, verdicts, checks, strict=True):
                of_parts.append(found)
                parting.append(thread.submit(split.part, source, found, alike(source, self.raw, self.out), verdict))
            for one in parting:
                one.result()
        self.verdicts.note(name, self.raw, self.settings, of_parts)
        earlier = self.verdicts.earlier(sources, known, self.raw, self.out) if name == "interactions" else None
        codes = np.concatenate(of_parts)
        counts = _counts(codes, rejects, _superseding(rows))
        profile = self._profile(name, rows, counts, earlier)
        table = Suite(f"{name}-table", table_rules(name, profile, self.settings, self.cutoff))
        table.check(pd.DataFrame([profile]))
        return Checked(rows, table, counts, profile, codes)

    def _derived(self, name: str, source: Path) -> Derive:
        return derived_columns(self.db, name, source, self.out / "items.parquet", self.settings, self.published)

    def _on_engine(
        self,
        name: str,
        columns: Sequence[str],
        rows: Suite,
        sources: Sequence[Path],
        known: Sequence[Verdict | None],
        to: Path,
    ) -> Sequence[Verdict]:
        """The verdicts on all parts of a table."""
        items = self.out / "items.parquet"
        catalogue = items if name == "interactions" and self.settings.require_known_items else None
        return checked(name, columns, rows, sources, known, catalogue, self.settings, self.now, self.published, to)

    def _profile(self, name: str, rows: Suite, counts: TableCounts, earlier: Earlier | None) -> dict[str, Any]:
        """The row of numbers that the rules of a table judge."""
        good, bad = self.out / f"{name}.parquet", self.quarantine / f"{name}.parquet"
        profile: dict[str, Any] = {"table": name, "rows": counts["rows"], "quarantined_share": counts["share"]}
        allowed = counts["share"] <= self.settings.max_quarantined_share
        profile["refusals"] = "" if allowed else profiles.refusals(self.db, name, rows, counts, bad, self.quarantine)
        if name == "interactions":
            profile |= profiles.of_interactions(self.db, self.out, self.settings, self.cutoff, earlier)
            self.verdicts.counts = counts_of(self.db)
            profile["opted_out"] = profiles.of_opted_out(self.db, self.out / "users.parquet")
            profile["after_cutoff"] = self.after_cutoff
            if self.recent_rows:
                profile["recent_median"] = statistics.median(self.recent_rows)
                profile["rows_to_recent"] = counts["rows"] / max(profile["recent_median"], 1)
        elif name == "items":
            profile |= profiles.of_items(self.db, good)
        elif name == "exposures":
            profile |= profiles.of_exposures(self.db, good, self.out, self.listed)
        return profile


def _superseding(rows: Suite) -> Codes:
    """The codes of rows that are refused for nothing but another row of the same id."""
    bits = [bit for bit, finding in enumerate(rows.findings) if finding.rule.checked == OCCURRENCE]
    return np.array([1 << bit for bit in bits], np.uint32)


def _counts(codes: Codes, rejects: int, superseding: Codes) -> TableCounts:
    rows_in, all_refused = len(codes), int(np.count_nonzero(codes))
    superseded = int(np.isin(codes, superseding).sum()) if superseding.size else 0
    refused = all_refused - superseded
    return {
        "rows_in": rows_in,
        "rows": rows_in - all_refused,
        "refused": refused,
        "superseded": superseded,
        "rejects": rejects,
        "share": (refused + rejects) / max(rows_in - superseded + rejects, 1),
    }
