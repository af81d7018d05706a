"""What a site's nights came to, as Prometheus reads it: a text file, or the answer to a scraper."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tasks.compare.decision import Verdict
from tasks.report.past import record_of
from tasks.report.record import Attempt, NightRecord, NightStatus
from tasks.store.events import log_event
from tasks.store.exports import current, manifest_of
from tasks.store.files import Json, replaced
from tasks.store.locking import in_use
from tasks.store.paths import Store
from tasks.store.versions import NIGHTREC_VERSION
from tasks.train.settings import PRIMARY

LOOKED_AT = 60  # nights that are looked through for the last one that published

METRICS = {
    "nightrec_build_info": "1; the version says which nightrec wrote this.",
    "nightrec_last_success_timestamp_seconds": "When the newest night that published ended.",
    "nightrec_last_run_timestamp_seconds": "When the last run of the newest night ended, or began if it is running.",
    "nightrec_last_run_exit_code": "What it ended with: 0, or as nightrec --help says.",
    "nightrec_last_run_status": "1 for how it ended, 0 for the other ways.",
    "nightrec_export_created_timestamp_seconds": "When the export that readers see was made.",
    "nightrec_export_age_seconds": "How old the export that readers see is; not in files, where it would stand still.",
    "nightrec_export_valid_until_timestamp_seconds": "Until when readers may rely on it.",
    "nightrec_export_users": "Users with a list in it.",
    "nightrec_export_cold_users": "Users whose list has popular items only.",
    "nightrec_export_rows": "Rows of its lists.",
    "nightrec_champion_info": "1; the model whose lists readers see.",
    "nightrec_champion_ndcg": "Its NDCG, of the newest night that published.",
    "nightrec_champion_ndcg_low": "The lower end of its confidence interval.",
    "nightrec_champion_ndcg_high": "The upper end of its confidence interval.",
    "nightrec_model_ndcg": "NDCG of each model of that night.",
    "nightrec_night_verdict": "1 for how the newest night decided, 0 for the other ways.",
    "nightrec_night_warnings": "Reasons why the newest night is no ordinary one.",
    "nightrec_night_failed_models": "Models of the newest night that could not be measured.",
    "nightrec_night_failed_sinks": "Sinks of the newest night that were not loaded.",
    "nightrec_night_interactions": "Interactions that the newest night read.",
    "nightrec_night_quarantined_rows": "Rows that it refused.",
    "nightrec_night_quarantine_ratio": "Share of the lines of its interactions that were refused.",
    "nightrec_night_duration_seconds": "How long it took.",
    "nightrec_stage_duration_seconds": "How long each of its stages took; one that was done before is left out.",
    "nightrec_night_peak_memory_bytes": "The most memory that its process took.",
    "nightrec_store_free_bytes": "Free space on the disk of the store.",
}
"""Every metric, a gauge, with what it is. Each has the label `site`."""


@dataclass(frozen=True)
class Sample:
    """A value of a metric."""

    name: str
    value: float
    labels: Mapping[str, str]


def metrics_text(store: Store, site: str, now: datetime | None) -> str:
    """All metrics of a site in Prometheus' text format.

    Args:
        store: its folder, which may be empty.
        site: its name.
        now: the time that ages count to; None leaves them out.
    """
    samples = [*_of_nights(store), *_of_export(store, now), *_of_disk(store)]
    samples.append(Sample("nightrec_build_info", 1, {"version": NIGHTREC_VERSION}))
    lines = []
    for name, about in METRICS.items():
        if mine := [sample for sample in samples if sample.name == name]:
            lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
            lines += [f"{name}{{{_labels({'site': site, **one.labels})}}} {float(one.value)!r}" for one in mine]
    return "\n".join(lines) + "\n"


def write_metrics(store: Store, site: str, file: Path) -> None:
    """Write the metrics, without ages, so that a collector sees the old file or the new one."""
    text = metrics_text(store, site, None)
    with replaced(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def metrics_left(store: Store, site: str, file: Path | None) -> Iterator[None]:
    """Write the metrics when a night ends, however it does; that this fails does not cost the night."""
    try:
        yield
    finally:
        if file is not None:
            try:
                write_metrics(store, site, file)
            except Exception as error:
                why = error.strerror if isinstance(error, OSError) else type(error).__name__
                log_event("metrics", "note", f"metrics.file {file} could not be written: {why}")


def _of_nights(store: Store) -> Iterator[Sample]:
    records = _records(store)
    newest = next(records, None)
    if newest is None:
        return
    yield from _of_run(newest.later[-1] if newest.later else newest, alive=in_use(store))
    yield from _of_night(newest)
    published = newest if newest.status is NightStatus.PUBLISHED else None
    published = published or next((one for one in records if one.status is NightStatus.PUBLISHED), None)
    if published is None:
        return
    if (ended := _end(published.started_at, published.seconds)) is not None:
        yield Sample("nightrec_last_success_timestamp_seconds", ended, {})
    if figure := published.winner_figures.get(PRIMARY):
        yield Sample("nightrec_champion_ndcg", figure.value, {})
        for end, value in (("low", figure.low), ("high", figure.high)):
            if value is not None:
                yield Sample(f"nightrec_champion_ndcg_{end}", value, {})
    for name, figures in published.models.items():
        if PRIMARY in figures:
            yield Sample("nightrec_model_ndcg", figures[PRIMARY].value, {"model": name})


def _records(store: Store) -> Iterator[NightRecord]:
    """The records of the newest nights, newest first; one that is damaged is left out."""
    for night in reversed(store.nights()[-LOOKED_AT:]):
        if (record := record_of(night)) is not None:
            yield record


def _of_run(run: NightRecord | Attempt, alive: bool) -> Iterator[Sample]:
    """How a run of a night ended; one that says it is running, and has no store to run in, was killed."""
    killed = run.status is NightStatus.RUNNING and not alive
    status = NightStatus.INTERRUPTED if killed else run.status
    if (ended := _end(run.started_at, run.seconds)) is not None:
        yield Sample("nightrec_last_run_timestamp_seconds", ended, {})
    if run.exit_code is not None:
        yield Sample("nightrec_last_run_exit_code", run.exit_code, {})
    yield from _one_of("nightrec_last_run_status", "status", status.value, NightStatus)


def _of_night(record: NightRecord) -> Iterator[Sample]:
    if record.gate is not None:
        yield from _one_of("nightrec_night_verdict", "verdict", record.gate.verdict.value, Verdict)
    log = record.data.get("interactions")
    refused = (log["refused"] + log["rejects"]) / log["lines"] if log and log["lines"] else None
    values = {
        "nightrec_night_warnings": len(record.warnings),
        "nightrec_night_failed_models": len(record.failed),
        "nightrec_night_failed_sinks": len(record.sink_failures),
        "nightrec_night_interactions": record.interactions,
        "nightrec_night_quarantined_rows": record.quarantined,
        "nightrec_night_quarantine_ratio": refused,
        "nightrec_night_duration_seconds": record.seconds,
        "nightrec_night_peak_memory_bytes": record.peak_bytes,
    }
    yield from (Sample(name, value, {}) for name, value in values.items() if value is not None)
    seconds = {line.stage: line.seconds for line in record.stages if line.event in ("done", "failed")}
    yield from (Sample("nightrec_stage_duration_seconds", took, {"stage": stage}) for stage, took in seconds.items())


def _of_export(store: Store, now: datetime | None) -> Iterator[Sample]:
    pointer = current(store)
    about: Json = (manifest_of(store, pointer["export_id"]) if pointer else None) or {}
    for name in ("users", "cold_users", "rows"):
        if name in about:
            yield Sample(f"nightrec_export_{name}", about[name], {})
    if "champion" in about:
        yield Sample("nightrec_champion_info", 1, {"model": str(about["champion"])})
    if "valid_until" in about:
        until = datetime.fromisoformat(about["valid_until"]).timestamp()
        yield Sample("nightrec_export_valid_until_timestamp_seconds", until, {})
    if "created_at" in about:
        created = datetime.fromisoformat(about["created_at"]).timestamp()
        yield Sample("nightrec_export_created_timestamp_seconds", created, {})
        if now is not None:
            yield Sample("nightrec_export_age_seconds", now.timestamp() - created, {})


def _of_disk(store: Store) -> Iterator[Sample]:
    if store.root.is_dir():
        yield Sample("nightrec_store_free_bytes", shutil.disk_usage(store.root).free, {})


def _one_of(name: str, label: str, value: str, values: Iterable[str]) -> Iterator[Sample]:
    """A sample for each value that there is, 1 for the one that holds."""
    yield from (Sample(name, float(one == value), {label: str(one)}) for one in values)


def _end(started_at: str | None, seconds: float | None) -> float | None:
    """When a run ended, or began if it has not ended: seconds since 1970."""
    if started_at is None:
        return None
    started = datetime.fromisoformat(started_at)
    return (started if started.tzinfo else started.replace(tzinfo=UTC)).timestamp() + (seconds or 0)


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
