"""Stage 8, report: what the night leaves behind for people: its record in the store, its page, artifacts in Prefect."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.context import FlowRunContext

from recmodels.compute import memory
from recmodels.errors import NightrecError
from recmodels.messages import counted
from tasks.arms.stage import arms_of_night
from tasks.arms.tonight import remarks
from tasks.compare.decision import ComparisonSummary
from tasks.errors import DEGRADED, exit_code
from tasks.exploration.summary import ExplorationSummary
from tasks.export.nearly import ApproximateSummary
from tasks.exposures.stage import exposure_notes
from tasks.longterm.stage import foretold_of_night
from tasks.panel.stage import panel_notes
from tasks.report.artifacts import (
    show_arms,
    show_comparison,
    show_decision,
    show_long_term,
    show_page,
    show_quality,
    show_summary,
    shown,
)
from tasks.report.long_term import long_term
from tasks.report.offpolicy import show_offpolicy
from tasks.report.page import up_to_date, write_report
from tasks.report.record import NightRecord, NightStatus, StageLine
from tasks.report.runs import Runs, why_interrupted
from tasks.store.events import current_night, event_log, log_event
from tasks.store.files import Json, now_text, write_json
from tasks.store.leftovers import sweep_night
from tasks.store.manifests import Manifest
from tasks.store.paths import Night
from tasks.store.stage import stage_task
from tasks.store.summaries import HoldoutSummary, PreparedSummary, RawSummary, ValidSummary


@contextmanager
def recorded(night: Night) -> Iterator[NightRecord]:
    """Keep `night.json` true to how a night goes: running, published, compared (a dry run), failed or interrupted.

    The block fills in what it finds. A published night that is run again, and fails, has nothing to do or
    is only compared, keeps the record of when it was published, with the failed run beside it.
    """
    with _stages_of(night) as stages:
        sweep_night(night)
        history = Runs.of(night)
        started = time.perf_counter()
        record = NightRecord(
            run_date=str(night.run_date),
            status=NightStatus.RUNNING,
            started_at=now_text(),
            memory_bytes=memory.total(),
        )
        write_json(night.summary, history.with_run(record))
        try:
            yield record
            record.status = NightStatus.COMPARED if record.export_id is None else NightStatus.PUBLISHED
            record.exit_code = DEGRADED if record.warnings else 0
        except Exception as error:
            known = isinstance(error, NightrecError)
            record.status, record.exit_code = NightStatus.FAILED, exit_code(error)
            record.reason = str(error) if known else f"{type(error).__name__}: {error}"
            raise
        except BaseException as error:
            record.status, record.exit_code = NightStatus.INTERRUPTED, exit_code(error)
            record.reason = why_interrupted(error)
            raise
        finally:
            record.seconds, record.peak_bytes = round(time.perf_counter() - started, 1), memory.peak()
            record.stages = list(stages)
            _write_record(night, history.with_run(record), record.status)
            stays = history.stands(record)
            as_it_was = stays and (record.status is NightStatus.FAILED or up_to_date(night))
            if record.status is not NightStatus.INTERRUPTED and not as_it_was:
                _leave_page(night)


@stage_task("report")
def report(
    night: Night,
    raw: Manifest[RawSummary],
    valid: Manifest[ValidSummary],
    prepared: Manifest[PreparedSummary],
    comparison: Manifest,
    export: Json | None,
) -> NightRecord:
    """What happened in the night, as a part of its record; shown in Prefect as tables and a summary.

    `export` is None when nothing was to be published.
    """
    found = ComparisonSummary.of_manifest(comparison)
    record = NightRecord(
        winner=found.winner,
        reason=found.reason,
        k=found.k,
        models=found.models,
        trained=found.trained,
        failed=found.failed,
        reranking=found.reranking,
        backtests=found.backtests,
        gate=found.gate.model_copy(update={"warnings": [*found.gate.warnings, *remarks(export, faults=True)]}),
        measured_on=holdout_text(prepared["summary"]["holdout"]),
        interactions=raw["summary"]["rows"],
        quarantined=valid["summary"]["quarantined"],
        data=valid["summary"]["balances"],
        notes=[
            *(*raw["summary"]["notes"], *valid["summary"]["notes"]),
            *(*exposure_notes(night), *remarks(export, faults=False), *panel_notes(night)),
        ],
    )
    if export is not None and (found_long := long_term(night)):
        record.long_term = found_long["sentences"]
        shown(lambda: show_long_term(night, found_long))
    if (compared := arms_of_night(night)) is not None:
        record.arms = compared
        shown(lambda: show_arms(night, compared))
    if (ahead := foretold_of_night(night)) is not None:
        record.foretold = ahead
    if export is not None:
        record.export_id, record.new_export = export["export_id"], not export["skipped"]
        record.users, record.cold_users, record.rows = export["users"], export["cold_users"], export["rows"]
        if "exploration" in export:
            record.exploration = ExplorationSummary.of(export["exploration"])
        if "approximate" in export:
            record.approximate = ApproximateSummary.of(export["approximate"])
    shown(lambda: show_comparison(night, record))
    if (earned := found.offpolicy) is not None:
        record.offpolicy = earned
        shown(lambda: show_offpolicy(night, earned))
    shown(lambda: show_quality(night, valid["summary"]))
    shown(lambda: show_summary(night, record))
    return record


def _write_record(night: Night, content: Json, status: NightStatus) -> None:
    """Write the record of a night; where the disk does not take it, an error that says more is on its way."""
    try:
        write_json(night.summary, content)
    except OSError as error:
        if status in (NightStatus.PUBLISHED, NightStatus.COMPARED):
            raise
        log_event("report", "note", f"the record could not be written: {error.strerror}")


def holdout_text(holdout: HoldoutSummary) -> str:
    """What the candidates were measured on, in words."""
    n = holdout.get("items", 1)
    items = "last item" if n == 1 else f"last {n} items"
    share = f"{holdout.get('share', 0):.0%}"
    what = {
        "days": "the last day" if holdout["days"] == 1 else f"the last {holdout['days']} days",
        "random": f"{share} of all items, at random",
        "last": f"each user's {items}",
        "user-fold": f"the {items} of {share} of the users, who were held out of training",
    }[holdout["protocol"]]
    others = holdout.get("left_out", 0)
    left = f"; {counted(others, 'other')} with a history had nothing held out" if others else ""
    users, of_all = counted(holdout["users"], "user"), holdout.get("drawn_from", holdout["users"])
    if of_all > holdout["users"]:
        users += f" drawn at random from {of_all:,}"
    measured = f"{users}, {counted(holdout['pairs'], 'interaction')}"
    return f"{what}: {measured}{left}"


def _leave_page(night: Night) -> None:
    """Write the page about a night, and show in Prefect where it is; that this fails must not cost the night."""
    started = time.perf_counter()
    try:
        page = write_report(night)
    except Exception as error:
        log_event("report", "note", f"the page could not be written: {type(error).__name__}: {error}")
        return
    log_event("report", "done", str(page), time.perf_counter() - started)
    if FlowRunContext.get():  # without a run, Prefect would start a server for the artifact alone
        shown(lambda: show_page(night, page))
        shown(lambda: show_decision(night, page))


@contextmanager
def _stages_of(night: Night) -> Iterator[list[StageLine]]:
    """The stages as they end: the lines of the event log, with when each ended and the memory held meanwhile."""
    stages: list[StageLine] = []
    started = time.perf_counter()
    before = current_night.set(str(night.folder))

    class Collect(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            event: Any = line
            if event.event not in ("start", "progress") and event.night == str(night.folder):
                stages.append(
                    StageLine(
                        stage=event.label,
                        event=event.event,
                        message=event.text,
                        seconds=event.seconds,
                        ended=round(time.perf_counter() - started, 3),
                        peak_bytes=event.peak_bytes or memory.peak(),
                        cpu_seconds=event.cpu_seconds,
                    )
                )

    handler = Collect()
    event_log.addHandler(handler)
    try:
        yield stages
    finally:
        event_log.removeHandler(handler)
        current_night.reset(before)
