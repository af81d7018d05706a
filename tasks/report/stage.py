"""Stage 8, report: what the night leaves behind for people: its record in the store, and artifacts in Prefect."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext

from recmodels.compute import memory
from recmodels.errors import NightrecError
from tasks.compare.stage import unbeaten
from tasks.evaluate.backtests import spread
from tasks.evaluate.reranking import effect
from tasks.report.page import up_to_date, write_report
from tasks.store.files import Json, now_text, read_json, write_json
from tasks.store.manifests import Manifest
from tasks.store.paths import Night
from tasks.store.stage import current_night, event_log, log_event, stage_task
from tasks.train.jobs import PRIMARY


@contextmanager
def recorded(night: Night) -> Iterator[Json]:
    """Keep ``night.json`` true to how a night goes: running, published, compared (a dry run), failed or interrupted.

    A night that is run again and has nothing to do, or is only compared, leaves the record of when it was published.
    """
    with stages_of(night) as stages:
        night.sweep()
        before = read_json(night.summary) or {}
        started = time.perf_counter()
        record: Json = {"run_date": str(night.run_date), "status": "running", "started_at": now_text()}
        write_json(night.summary, record)
        try:
            yield record
            record["status"] = "published" if "export_id" in record else "compared"
        except Exception as error:
            known = isinstance(error, NightrecError)
            record |= {"status": "failed", "reason": str(error) if known else f"{type(error).__name__}: {error}"}
            raise
        except BaseException:
            record |= {"status": "interrupted", "reason": "it was cancelled, or its process was stopped"}
            raise
        finally:
            record |= {"seconds": round(time.perf_counter() - started, 1), "peak_bytes": memory.peak()}
            record["stages"] = stages
            known_already = nothing_new(before, record)
            write_json(night.summary, before if known_already else record)
            if record["status"] != "interrupted" and not (known_already and up_to_date(night)):
                leave_page(night)


def leave_page(night: Night) -> None:
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


def show_page(night: Night, page: Path) -> None:
    record = read_json(night.summary) or {}
    text = (
        f"# Report of the night {night.run_date}\n\n[{page.name}]({page.absolute().as_uri()}) in `{page.parent}`, "
        f"the figures as `{page.with_suffix('.json').name}` beside it.\n\nOn a machine that sees the store: "
        f"`nightrec report --date {night.run_date} --store {night.store.root} --open`\n"
    )
    about = f"The night was {record.get('status', 'not recorded')}"
    create_markdown_artifact(key="report", markdown=text, description=about)


def show_decision(night: Night, page: Path) -> None:
    """What the gate said, of a refused night too; nothing where the night did not get so far."""
    if decision := (read_json(page.with_suffix(".json")) or {}).get("decision"):
        create_markdown_artifact(key="decision", markdown=gate_text(night, decision), description="What the gate said")


def gate_text(night: Night, decision: Json) -> str:
    """The decision, its reasons and the challengers."""
    lines = [f"# The gate, night {night.run_date}", "", f"**{decision['winner']}** ({decision['verdict']}): "]
    lines[-1] += f"{decision['reason']}."
    if decision.get("refused"):
        lines += ["", f"**Nothing may be published.** {decision['refused']}"]
    if first := unbeaten(decision):
        lines += ["", f"**{first}**"]
    if challengers := decision.get("challengers"):
        lines += ["", "| challenger | gain | p | |", "|---|---|---|---|"]
        lines += [
            f"| {one['model']} | {'' if one['gain'] is None else format(one['gain'], '+.1%')} | {one['p']:.2g} | "
            f"{'passes' if one['passed'] else '; '.join(one['reasons'])} |"
            for one in challengers
        ]
    return "\n".join([*lines, "", f"The record: `{night.evaluation / 'decision.json'}`"])


def nothing_new(before: Json, record: Json) -> bool:
    """Whether what an earlier run of a night has left says more than what this one did."""
    if before.get("status") != "published" or record["status"] not in ("published", "compared"):
        return False
    idle = all(stage["event"] in ("skipped", "note") for stage in record["stages"])
    return record["status"] == "compared" or (idle and before["export_id"] == record["export_id"])


class Progress:
    """How many of tonight's models are done, as an artifact that moves."""

    def __init__(self, total: int) -> None:
        self.total, self.done = max(1, total), 0
        text = f"Models trained and measured, of {total}"
        # In a flow that is not asynchronous, Prefect's functions return what they promise.
        self.artifact = cast(
            "UUID | None", shown(lambda: create_progress_artifact(0.0, key="training-progress", description=text))
        )

    def more(self, n: int = 1) -> None:
        self.done += n
        artifact = self.artifact
        if artifact is not None and n:
            shown(lambda: update_progress_artifact(artifact, 100 * self.done / self.total))


@contextmanager
def stages_of(night: Night) -> Iterator[list[Json]]:
    """The stages as they end: what was told of them, how long each took, when it ended (seconds since the night
    began), and the most memory that this process had taken by then.
    """
    stages: list[Json] = []
    started = time.perf_counter()
    before = current_night.set(str(night.folder))

    class Collect(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            told: Any = line
            if told.event != "start" and told.night == str(night.folder):
                ended = round(time.perf_counter() - started, 3)
                said = {"stage": told.label, "event": told.event, "message": told.text, "seconds": told.seconds}
                stages.append(said | {"ended": ended, "peak_bytes": memory.peak()})

    handler = Collect()
    event_log.addHandler(handler)
    try:
        yield stages
    finally:
        event_log.removeHandler(handler)
        current_night.reset(before)


@stage_task("report")
def report(
    night: Night, raw: Manifest, valid: Manifest, prepared: Manifest, comparison: Manifest, export: Json | None
) -> Json:
    """What happened in the night, as a small record; shown in Prefect as tables and a summary.

    ``export`` is None when nothing was to be published.
    """
    decision = comparison["summary"]
    record = {
        "winner": decision["winner"],
        "reason": decision["reason"],
        "k": decision["k"],
        "models": decision["models"],
        "trained": decision["trained"],
        "failed": decision["failed"],
        "reranking": decision.get("reranking", {}),
        "windows": decision.get("windows", {}),
        "gate": decision["gate"],
        "measured_on": holdout_text(prepared["summary"]["holdout"]),
        "interactions": raw["summary"]["rows"],
        "quarantined": valid["summary"]["quarantined"],
        "notes": [*raw["summary"].get("notes", []), *valid["summary"].get("notes", [])],
    }
    if export is not None:
        record |= {
            "export_id": export["export_id"],
            "new_export": not export["skipped"],
            "users": export["users"],
            "cold_users": export["cold_users"],
            "rows": export["rows"],
        }
    shown(lambda: show_comparison(night, record))
    shown(lambda: show_quality(night, valid["summary"]))
    shown(lambda: show_summary(night, record))
    return record


R = TypeVar("R")


def shown(show: Callable[[], R]) -> R | None:
    """Show something in Prefect; that it cannot be shown must not cost the night."""
    try:
        return show()
    except Exception as error:
        log_event("report", "note", f"an artifact could not be written: {error}")
        return None


def show_comparison(night: Night, record: Json) -> None:
    k = record["k"]
    table = [
        {"model": name, "trained on": place(record["trained"].get(name))}
        | {f"{metric}@{k}": interval(figure) for metric, figure in metrics.items()}
        | ({"windows": spread(windows)} if (windows := record.get("windows", {}).get(name)) else {})
        | ({"rules": effect(rules)} if (rules := record.get("reranking", {}).get(name)) else {})
        for name, metrics in ranked(record["models"])
    ]
    table += [{"model": name, f"{PRIMARY}@{k}": f"failed: {reason}"} for name, reason in record["failed"].items()]
    create_table_artifact(key="model-comparison", table=table, description=f"Models of the night {night.run_date}")


def show_quality(night: Night, summary: Json) -> None:
    """A row a table and reason: how many rows were kept, and why others were not."""
    table = []
    for name, counts in summary["tables"].items():
        kept = {"table": name, "rows": counts["rows_in"], "good": counts["rows"], "reason": "", "refused": 0}
        reasons = dict(summary["reasons"].get(name, {}))
        if counts["rejects"]:
            reasons["not a row of the table"] = counts["rejects"]
        table.append(kept)
        table += [{"table": name, "reason": reason, "refused": refused} for reason, refused in reasons.items()]
    notes = " ".join(summary["notes"])
    text = f"Data of the night {night.run_date}; refused rows are in {night.quarantine}. {notes}"
    create_table_artifact(key="data-quality", table=table, description=text.strip())


def show_summary(night: Night, record: Json) -> None:
    create_markdown_artifact(
        key="night-summary", markdown=markdown(night, record), description="What came of the night"
    )
    if "export_id" in record:
        folder = night.store.export(record["export_id"])
        text = (
            f"# Export {record['export_id']}\n\n"
            f"{record['rows']:,} rows for {record['users']:,} users, in `{folder}`.\n\n"
            f"Readers find it through `{night.store.pointer}`:\n\n"
            f"```python\nimport pandas as pd\n\nlists = pd.read_parquet({str(folder / 'topk')!r})\n```\n"
        )
        create_markdown_artifact(key="export", markdown=text, description="Where the lists are")


def place(trained: Json | None) -> str:
    return f"{trained['host']} ({trained['device']})" if trained else ""


def ranked(models: dict[str, Json]) -> list[tuple[str, Json]]:
    """The models, best first."""
    return sorted(models.items(), key=lambda entry: -entry[1][PRIMARY]["value"])


def interval(figure: Json) -> str:
    if "low" not in figure:
        return f"{figure['value']:.4f}"
    return f"{figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}]"


def markdown(night: Night, record: Json) -> str:
    ndcg = record["models"][record["winner"]][PRIMARY]
    export = record.get("export_id")
    news = f"was published as `{export}`" if export else "would be published (this was a dry run)"
    first = unbeaten(record.get("gate", {}))
    lines = [
        *([f"**{first}**", ""] if first else []),
        f"# Night {night.run_date}",
        f"**{record['winner']}** {news}: {record['reason']}.",
        "",
        "| | |",
        "|---|---|",
        f"| NDCG@{record['k']} | {interval(ndcg)} |",
        f"| measured on | {record['measured_on']} |",
        f"| interactions | {record['interactions']:,} read, {record['quarantined']:,} quarantined |",
    ]
    if export:
        lines += [
            f"| lists | {record['rows']:,} rows for {record['users']:,} users, {record['cold_users']:,} of them cold |",
            f"| export | `{night.store.export(export)}` |",
        ]
    if windows := record.get("windows", {}).get(record["winner"]):
        lines.append(f"| NDCG@{record['k']} over windows | {spread(windows)} |")
    if rules := record.get("reranking", {}).get(record["winner"]):
        lines.append(f"| rules of the lists | {effect(rules)} |")
    lines += [f"| left out | {name}: {reason} |" for name, reason in record["failed"].items()]
    lines += [
        f"| challenger | {one['model']}: {'passed' if one['passed'] else '; '.join(one['reasons'])} |"
        for one in record.get("gate", {}).get("challengers", [])
    ]
    return "\n".join(lines)


def holdout_text(holdout: Json) -> str:
    n = holdout.get("items", 1)
    items = "last item" if n == 1 else f"last {n} items"
    share = f"{holdout.get('share', 0):.0%}"
    what = {
        "days": f"the last {holdout['days']} days",
        "random": f"{share} of all items, at random",
        "last": f"each user's {items}",
        "user-fold": f"the {items} of {share} of the users, of whom nothing was learnt",
    }[holdout["protocol"]]
    others = holdout.get("left_out", 0)
    left = f"; {others:,} others with a history had nothing held out" if others else ""
    return f"{what}: {holdout['users']:,} users, {holdout['pairs']:,} interactions{left}"
