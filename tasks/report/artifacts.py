"""What a night shows in Prefect's UI: tables and texts as artifacts. That one cannot be shown costs no night."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from recmodels.messages import counted
from tasks.arms.results import Arms
from tasks.compare.decision import Challenge, Decision
from tasks.evaluate.summary import Figure, Trained
from tasks.report import UI_VARIABLE
from tasks.report.arms import HEADINGS, arms_rows
from tasks.report.record import NightRecord, best_first
from tasks.store.accounts import misfits, unused
from tasks.store.events import log_event
from tasks.store.files import Json, read_json
from tasks.store.paths import Night
from tasks.store.summaries import ValidSummary
from tasks.train.settings import PRIMARY

R = TypeVar("R")


def shown(show: Callable[[], R]) -> R | None:
    """Show something in Prefect; that it cannot be shown must not cost the night."""
    try:
        return show()
    except Exception as error:
        log_event("report", "note", f"an artifact could not be written: {error}")
        return None


class Progress:
    """How many of tonight's models are done, or how much of something else, as an artifact that moves."""

    def __init__(self, total: int, key: str = "training-progress", what: str = "Models trained and measured") -> None:
        self.total, self.done = max(1, total), 0
        text = f"{what}, of {total:,}"
        # In a flow that is not asynchronous, Prefect's functions return what they promise.
        self.artifact = cast("UUID | None", shown(lambda: create_progress_artifact(0.0, key=key, description=text)))

    def more(self, n: int = 1) -> None:
        self.done += n
        artifact = self.artifact
        if artifact is not None and n:
            shown(lambda: update_progress_artifact(artifact, 100 * self.done / self.total))


def address(night: Night) -> str | None:
    """Where a browser sees the night, if the pages of `nightrec ui` are served somewhere."""
    base = os.environ.get(UI_VARIABLE, "").rstrip("/")
    return f"{base}/nights/{night.run_date}" if base.startswith(("http://", "https://")) else None


def show_page(night: Night, page: Path) -> None:
    """Where the report is: a link for browsers, which refuse links to files, and the path for people."""
    record, shown_at = NightRecord.of_night(night), address(night)
    link = f"[Open it]({shown_at}). " if shown_at else ""
    text = (
        f"# Report of the night {night.run_date}\n\n{link}It is `{page.absolute()}`, with its figures as "
        f"`{page.with_suffix('.json').name}`.\n\nOn a machine that sees the store: "
        f"`nightrec report --date {night.run_date} --store {night.store.root} --open`, or `nightrec ui --store "
        f"{night.store.root}` for all nights.\n"
    )
    about = f"The night was {record.status.value if record else 'not recorded'}"
    create_markdown_artifact(key="report", markdown=text, description=about)


def show_decision(night: Night, page: Path) -> None:
    """What the gate said, of a refused night too; nothing where the night did not get so far."""
    if decision := (read_json(page.with_suffix(".json")) or {}).get("decision"):
        text = gate_text(night, Decision.of(decision))
        create_markdown_artifact(key="decision", markdown=text, description="What the gate said")


def gate_text(night: Night, decision: Decision) -> str:
    """The decision, its reasons and the challengers."""
    first = f"**{decision.winner}** ({decision.verdict}): {decision.reason}."
    lines = [f"# The gate, night {night.run_date}", "", first]
    if decision.refused:
        lines += ["", f"**Nothing may be published.** {decision.refused}"]
    for warning in decision.warnings:
        lines += ["", f"**{warning}**"]
    if decision.unbeaten:
        lines += ["", f"**{decision.unbeaten}**"]
    if decision.challengers:
        lines += ["", "| challenger | gain | p | |", "|---|---|---|---|"]
        lines += [
            f"| {one.model} | {'' if one.gain is None else format(one.gain, '+.1%')} | {one.p:.2g} | {_passes(one)} |"
            for one in decision.challengers
        ]
    return "\n".join([*lines, "", f"The record: `{night.evaluation / 'decision.json'}`"])


def show_comparison(night: Night, record: NightRecord) -> None:
    """A row a model, best first, then those that failed."""
    k = record.k
    table: list[dict[str, Any]] = [
        {"model": name, "trained on": _place(record.trained.get(name))}
        | {f"{metric}@{k}": interval(figure) for metric, figure in metrics.items()}
        | ({"backtests": backtests.clause} if (backtests := record.backtests.get(name)) else {})
        | ({"rules": rules.clause} if (rules := record.reranking.get(name)) else {})
        for name, metrics in best_first(record.models, PRIMARY)
    ]
    table += [{"model": name, f"{PRIMARY}@{k}": f"failed: {reason}"} for name, reason in record.failed.items()]
    create_table_artifact(key="model-comparison", table=table, description=f"Models of the night {night.run_date}")


def show_arms(night: Night, found: Arms) -> None:
    """A row a figure of each arm, below what there is to know in a sentence each."""
    table = [dict(zip(HEADINGS, row, strict=True)) for row in arms_rows(found)]
    says = " ".join(one.says for one in found.arms)
    create_table_artifact(key="arms", table=table, description=f"Arms of the night {night.run_date}. {says}")


def show_long_term(night: Night, found: Json) -> None:
    """A row a figure of the long run with its slopes, below three sentences."""
    windows = {"7": "7 days", "28": "28 days", "90": "90 days"}
    table = [
        {"figure": one["title"], "tonight": one["now"]}
        | {title: _slope(one["slopes"][window]) for window, title in windows.items()}
        for one in found["measures"]
    ]
    says = " ".join(found["sentences"])
    create_table_artifact(key="long-term", table=table, description=f"The long run, up to {night.run_date}. {says}")


def _slope(slope: Json | None) -> str:
    if slope is None:
        return ""
    return f"{slope['text']} ({slope['interval']})" if slope["interval"] else str(slope["text"])


def show_quality(night: Night, summary: ValidSummary) -> None:
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


def show_summary(night: Night, record: NightRecord) -> None:
    """What came of the night, and where the lists are."""
    text = markdown(night, record)
    create_markdown_artifact(key="night-summary", markdown=text, description="What came of the night")
    if record.export_id is not None:
        folder = night.store.export(record.export_id)
        text = (
            f"# Export {record.export_id}\n\n"
            f"{counted(record.rows or 0, 'row')} for {counted(record.users or 0, 'user')}, in `{folder}`.\n\n"
            f"Readers find it through `{night.store.pointer}`:\n\n"
            f"``python\nimport pandas as pd\n\nlists = pd.read_parquet({str(folder / 'topk')!r})\n``\n"
        )
        create_markdown_artifact(key="export", markdown=text, description="Where the lists are")


def markdown(night: Night, record: NightRecord) -> str:
    """The summary of a night."""
    assert record.winner is not None  # a night without one has no summary
    ndcg, gate = record.winner_figures.get(PRIMARY), record.gate
    export = record.export_id
    refused = gate.refused if gate else None
    news = f"was published as `{export}`" if export else "would be published (this was a dry run)"
    said = f"**{record.winner}** {news}: {record.reason}."
    if refused and not export:
        said = f"Nothing would be published (this was a dry run). {refused}"
    lines = [
        *(line for warning in record.warnings for line in (f"**{warning}**", "")),
        *([f"**{gate.unbeaten}**", ""] if gate and gate.unbeaten else []),
        f"# Night {night.run_date}",
        said,
        *(["", f"[The night's page]({shown_at})"] if (shown_at := address(night)) else []),
        "",
        "| | |",
        "|---|---|",
        f"| NDCG@{record.k} | {interval(ndcg) if ndcg else 'not measured'} |",
        f"| measured on | {record.measured_on} |",
        f"| interactions | {record.interactions:,} read, {record.quarantined:,} quarantined |",
    ]
    lines += [f"| data | {text} |" for text in (unused(record.data), misfits(record.data)) if text]
    if export:
        rows, users = counted(record.rows or 0, "row"), counted(record.users or 0, "user")
        lists = f"{rows} for {users}, {record.cold_users:,} with popular items only"
        lines += [f"| lists | {lists} |", f"| export | `{night.store.export(export)}` |"]
    if backtests := record.backtests.get(record.winner):
        lines.append(f"| NDCG@{record.k} in backtests | {backtests.clause} |")
    if rules := record.reranking.get(record.winner):
        lines.append(f"| rules of the lists | {rules.clause} |")
    lines += [f"| left out | {name}: {reason} |" for name, reason in record.failed.items()]
    lines += [f"| challenger | {one.model}: {_passes(one)} |" for one in (gate.challengers if gate else [])]
    return "\n".join(lines)


def interval(figure: Figure) -> str:
    """A figure with its interval, where it has one."""
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]"


def _passes(challenge: Challenge) -> str:
    return "passes" if challenge.passed else "; ".join(challenge.reasons)


def _place(trained: Trained | None) -> str:
    return f"{trained.host} ({trained.device})" if trained else ""
