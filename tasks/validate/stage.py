"""Validation: valid rows go to `valid/`, the others to `quarantine/` with the reason.

Rules of rows run on a million rows at a time; rules of tables run on a profile, one row of numbers that DuckDB
computes. What a rule says is in `expectations/`.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pyarrow.compute as pc
import pyarrow.parquet as pq

from expectations import exposures, interactions, items, users
from expectations.runner import INDEX, Finding, check_schema, write_docs
from expectations.settings import ValidationSettings
from expectations.tables import DISPENSABLE
from recmodels.engine.current import asked_for
from recmodels.errors import ConfigError, DataRefused
from recmodels.messages import LONGEST
from tasks.store.accounts import TableAccount, TableBalance, balance, check_table
from tasks.store.duckdb import connect
from tasks.store.engine_parts import began, engine_parts
from tasks.store.files import replacing
from tasks.store.manifests import Manifest, finished, outputs
from tasks.store.parts import link, parts, remove
from tasks.store.paths import Night
from tasks.store.publications import first_published
from tasks.store.stage import logged_stage, stage_task
from tasks.store.summaries import RawSummary, ValidSummary
from tasks.store.vector_tables import VECTOR_TABLES
from tasks.store.versions import code_of
from tasks.validate import profiles
from tasks.validate.known import Verdicts
from tasks.validate.table_check import Checked, TableCheck
from tasks.validate.vectors import CheckedVectors, check_vectors

one_at_a_time = threading.Lock()  # Great Expectations keeps one context a process

MONTH = timedelta(days=30)
TABLES = {  # in the order of their checks: trouble in the catalogue explains trouble in the interactions
    "items": (items.REQUIRED, items.OPTIONAL),
    "users": (users.REQUIRED, users.OPTIONAL),
    "interactions": (interactions.REQUIRED, interactions.OPTIONAL),
    "tags": (items.TAG_REQUIRED, items.TAG_OPTIONAL),
    "exposures": (exposures.REQUIRED, exposures.OPTIONAL),
}


@stage_task("validate")
def validate(
    night: Night, settings: ValidationSettings, cutoff: datetime, raw: Manifest[RawSummary], fresh: bool = False
) -> Manifest[ValidSummary]:
    """Bring `valid/`, `quarantine/` and `quality/<run_date>/` up to date with the raw tables.

    Raises:
        DataRefused: the data failed validation. What was refused is in the quarantine.
    """
    recent, code = _recent_rows(night), code_of(__name__)
    verdicts = Verdicts.of(night, code, raw, fresh=fresh)
    published = first_published(night.store, cutoff) if "exposures" in raw["summary"]["tables"] else {}

    def build(out: Path) -> ValidSummary:
        with (
            replacing(night.quarantine, even_after=(DataRefused,)) as quarantine,
            replacing(night.store.quality(night.run_date), even_after=(DataRefused,)) as docs,
            engine_parts(night, "validate", fresh=fresh) if asked_for() else nullcontext() as work,
        ):
            after, accounts = raw["summary"]["after_cutoff"], raw["summary"]["accounts"]
            return write_valid(
                night.raw,
                settings,
                cutoff,
                began(work),
                recent,
                out,
                quarantine,
                docs,
                after_cutoff=after,
                accounts=accounts,
                published=published,
                listed=_listed(night, published),
                verdicts=verdicts,
                on_engine=work,
            )

    parameters = settings.model_dump() | {"cutoff": cutoff.isoformat(), "recent_rows": recent}
    with one_at_a_time:
        valid = logged_stage(
            "validate",
            night.valid,
            build,
            code=code,
            inputs=outputs(raw=raw) | ({"published": sorted(published)} if published else {}),
            parameters=parameters,
            fresh=fresh,
            beside=[night.quarantine, night.store.quality(night.run_date) / INDEX],
            digests=verdicts.digests,
        )
        if not valid["skipped"]:
            verdicts.save(night, valid)
        return valid


def _recent_rows(night: Night) -> list[int]:
    """The numbers of valid interactions in the nights of the last month."""
    nights = night.store.nights(night.run_date - MONTH)
    before = [other for other in nights if other.run_date < night.run_date]
    manifests = [finished(other.valid) for other in before]
    return [manifest["summary"]["rows"] for manifest in manifests if manifest]


def _listed(night: Night, published: Iterable[str]) -> dict[str, Path]:
    """The tables of listed items of the exports that are still there."""
    parts = {export_id: night.store.export(export_id) / "listed" / "part-00000.parquet" for export_id in published}
    return {export_id: path for export_id, path in parts.items() if path.exists()}


def write_valid(
    raw: Path,
    settings: ValidationSettings,
    cutoff: datetime,
    now: datetime,
    recent_rows: Sequence[int],
    out: Path,
    quarantine_out: Path,
    docs_out: Path | None = None,
    *,
    after_cutoff: int = 0,
    accounts: Mapping[str, TableAccount] | None = None,
    published: Mapping[str, datetime] = MappingProxyType({}),
    listed: Mapping[str, Path] = MappingProxyType({}),
    verdicts: Verdicts | None = None,
    memory_limit: str = "700MB",
    on_engine: Path | None = None,
) -> ValidSummary:
    """Split the tables of `raw` into good rows (`out`) and refused rows (`quarantine_out`), in their order.

    A table without a refused row is hard-linked, with its `*_text` columns if they hold nothing then; otherwise these
    are left out.

    Args:
        raw: the folder of the raw tables.
        settings: what the data must be.
        cutoff: aware; staleness is measured to it.
        now: aware; interactions a day later than it are from the future.
        recent_rows: valid interactions of recent nights, for the volume rule; may be empty.
        out: where the valid tables go.
        quarantine_out: where the refused rows go, with their reasons.
        docs_out: where to write Data Docs, if anywhere.
        after_cutoff: how many interactions the ingest left out, to explain an empty table.
        accounts: what became of the lines of the tables' files, to be balanced.
        published: when the exports that exposures may name were published.
        listed: of those that are there, the tables of listed items.
        verdicts: what earlier nights have found of parts, which learn what this one has.
        memory_limit: of DuckDB, which spills beyond it.
        on_engine: a folder for parts of the work, which is given to the engine then.

    Returns:
        For each table its counts, and the rows refused for each reason; the profile of the interactions; notes.

    Raises:
        DataRefused: an expectation of a table is broken; quarantine and Data Docs are written by then.
        ConfigError: known items are required, and there is no items table.
    """
    found = [name for name in TABLES if parts(raw, name)]
    if "interactions" not in found:  # a mount that went away
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(raw / "interactions.parquet"))
    for name in found:
        check_schema(name, pq.read_schema(parts(raw, name)[0]), *TABLES[name])
    if settings.require_known_items and "items" not in found:
        raise ConfigError("validation.require_known_items is on, but there is no items table: give one with --items.")
    for folder in (out, quarantine_out):
        for name in (*TABLES, *VECTOR_TABLES, "rejects"):  # links of an earlier try to raw files: never write through
            remove(folder, name)
    rejects = _quarantine_rejects(raw, quarantine_out)
    with connect(out, memory_limit) as db:
        check = TableCheck(
            db,
            raw,
            out,
            quarantine_out,
            settings,
            cutoff,
            now,
            recent_rows,
            after_cutoff,
            published,
            listed,
            verdicts or Verdicts(),
            on_engine,
        )
        checks = {name: check.run(name, rejects.get(name, 0)) for name in found}
    if docs_out is not None:
        suites = [suite for checked in checks.values() for suite in (checked.rows, checked.table)]
        write_docs(docs_out, suites, f"{cutoff:%Y-%m-%d}")
    vectors = [
        check_vectors(name, raw, out, quarantine_out, settings)
        for name in VECTOR_TABLES
        if (raw / f"{name}.parquet").exists()
    ]
    if stops := [finding for name in found if name not in DISPENSABLE for finding in checks[name].failed("critical")]:
        raise DataRefused(_sentence(stops))
    for one in vectors:
        if refusal := one.refusal(settings):
            raise DataRefused(refusal)
    left_aside = []
    for name in DISPENSABLE:
        if name in checks and (broken := checks[name].failed("critical")):
            remove(out, name)
            left_aside.append(f"the night goes on without the table {name}: {_sentence(broken)}")
    return _summary(checks, vectors, accounts or {}, left_aside)


def _quarantine_rejects(raw: Path, quarantine_out: Path) -> dict[str, int]:
    """Lines that are no rows, by table."""
    source = raw / "rejects.parquet"
    if not source.exists():
        return {}
    link(source, quarantine_out / "rejects.parquet")
    counted = pc.value_counts(pq.read_table(source, columns=["table"])["table"].combine_chunks())
    return {each["values"]: each["counts"] for each in counted.to_pylist()}


def _balances(checks: Mapping[str, Checked], accounts: Mapping[str, TableAccount]) -> dict[str, TableBalance]:
    """The accounts with what validation made of the rows, checked to add up."""
    found = {}
    for name, account in accounts.items():
        counts = checks[name].counts
        found[name] = balance(account, counts["rows"], counts["refused"], counts["superseded"])
        check_table(name, found[name])
    return found


def _summary(
    checks: Mapping[str, Checked],
    vectors: Sequence[CheckedVectors],
    accounts: Mapping[str, TableAccount],
    left_aside: Sequence[str],
) -> ValidSummary:
    main = profiles.overview(checks["interactions"].profile)
    of_tables = {name: checked.counts for name, checked in checks.items()} | {one.name: one.counts for one in vectors}
    quarantined = sum(c["refused"] + c["superseded"] + c["rejects"] for c in of_tables.values())
    warnings = [finding for checked in checks.values() for finding in checked.table.failed("warning")]
    return {
        **main,
        "tables": of_tables,
        "reasons": {
            name: {finding.rule.reason: finding.refused for finding in checked.rows.findings if finding.refused}
            for name, checked in checks.items()
        }
        | {one.name: dict(one.reasons) for one in vectors},
        "refused_of_files": {name: checks[name].refused_of(account["files"]) for name, account in accounts.items()},
        "opted_out": checks["interactions"].profile.get("opted_out", 0),
        "balances": _balances(checks, accounts),
        "notes": [
            *left_aside,
            *(f"{finding.rule.says}: {finding.rule.advice}" for finding in warnings),
            *_superseded(checks),
            *(note for one in vectors for note in one.notes()),
        ],
        "quarantined": quarantined,
        "message": f"{main['rows']:,} interactions are good, {quarantined:,} rows in quarantine",
    }


def _superseded(checks: Mapping[str, Checked]) -> list[str]:
    """A note of each table in which ids stand in several rows."""
    return [
        f"{name}: {n:,} {'row is' if n == 1 else 'rows are'} superseded: an earlier row of the same id is kept; in a "
        "log of changes, write the newest first"
        for name, checked in checks.items()
        if (n := checked.counts["superseded"])
    ]


def _sentence(stops: Sequence[Finding]) -> str:
    """The first broken expectation in a sentence, and the names of the others."""
    first = stops[0]
    rule = first.rule
    if first.error:
        return (
            f"{rule.expectation} on {rule.column} could not be evaluated: {first.error}; check the type of the column."
        )
    observed = f"{first.observed:,.4g}" if isinstance(first.observed, float) else f"{first.observed}"
    how = f" ({rule.expectation} on {rule.column}: {rule.checked} is {observed})"
    others = ", ".join(finding.rule.checked for finding in stops[1:])
    also = f" Broken too: {others}." if others else ""
    if len(rule.says + how + rule.advice + also) + 3 > LONGEST:
        how = ""  # what was found and what to do about it are worth more
    sentence = f"{rule.says}{how}; {rule.advice}.{also}"
    return sentence[0].upper() + sentence[1:]
