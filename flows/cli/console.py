"""What a person sees while a night runs, and after it: progress, the comparison, and one user's list."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from flows.cli.shown import console as visible_console
from tasks.evaluate.summary import Figure
from tasks.report.record import NightRecord, NightStatus, best_first
from tasks.store.accounts import misfits, unused
from tasks.store.records import Pointer
from tasks.train.settings import PRIMARY

MARKS = {"done": "[green]✓[/]", "skipped": "[dim]·[/]", "failed": "[red]✗[/]", "note": "[yellow]![/]"}
STYLES = {"skipped": "dim", "failed": "red", "note": "yellow"}

console = visible_console() if sys.stdout.isatty() else visible_console(width=140)


@contextmanager
def progress(console: Console) -> Iterator[None]:
    """Show the event log of the night as it grows: finished stages as lines, running ones beside a spinner.

    Quiet where the output is not a terminal.
    """
    if not console.is_terminal:
        yield
        return
    running: list[str] = []
    with console.status("starting Prefect") as status:
        handler = EventPrinter(console, status, running)
        logger = logging.getLogger("nightrec.events")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


class EventPrinter(logging.Handler):
    """Prints each event on a console."""

    def __init__(self, console: Console, status: Status, running: list[str]) -> None:
        super().__init__()
        self.console, self.status, self.running = console, status, running

    def emit(self, record: logging.LogRecord) -> None:
        line: Any = record
        if line.event == "start":
            self.running.append(line.label)
        else:
            if line.label in self.running:
                self.running.remove(line.label)
            before = " [dim](done before)[/]" if line.event == "skipped" else f" [dim]{line.seconds:.1f} s[/]"
            self.console.print(
                f"{MARKS[line.event]} [bold]{line.label}[/]  {escape(line.text)}{before}", highlight=False
            )
        self.status.update(", ".join(self.running) or "…")


def comparison(record: NightRecord) -> Table:
    """The candidates, best first."""
    table = Table(title=f"Models, measured on {record.measured_on}", title_justify="left")
    table.add_column("model")
    names = {PRIMARY: f"NDCG@{record.k}", "recall": "recall", "precision": "precis.", "hit_rate": "hit rate"}
    names |= {"map": "MAP", "mrr": "MRR", "coverage": "coverage"}
    for metric, heading in names.items():
        table.add_column(heading, justify="right", no_wrap=True)
        if metric == PRIMARY:
            table.add_column("interval", no_wrap=True)
    if record.backtests:
        table.add_column("backtests", no_wrap=True)
    for name, metrics in best_first(record.models, PRIMARY):
        cells = [f"{metrics[metric].value:.4f}" for metric in names]
        cells.insert(1, interval(metrics[PRIMARY]))
        if found := record.backtests.get(name):
            cells.append(f"{found.mean:.4f}" + ("" if found.spread is None else f" ± {found.spread:.4f}"))
        table.add_row(name, *cells, style="bold green" if name == record.winner else None)
    for name in record.failed:  # the stages say why
        table.add_row(name, "failed", style="red")
    return table


def nights(records: list[NightRecord], pointer: Pointer | None) -> Table:
    """The last nights, newest last; the one that readers are pointed to is marked."""
    table = Table(title="Nights", title_justify="left")
    for heading in ("night", "status", "winner", "gate", "NDCG", "users", "rows", "seconds", "what went wrong"):
        table.add_column(heading, justify="right" if heading in ("NDCG", "users", "rows", "seconds") else "left")
    for record in records:
        failed, gate = record.status is NightStatus.FAILED, record.gate
        verdict = "" if gate is None else "refused" if gate.refused and failed else gate.verdict.value
        cells = ["", verdict, "", "", ""]
        if record.winner is not None:
            ndcg = record.winner_figures.get(PRIMARY)
            counts = ["" if count is None else f"{count:,}" for count in (record.users, record.rows)]
            cells = [record.winner, verdict, f"{ndcg.value:.4f}" if ndcg else "", *counts]
        wrong = [text.rstrip(".") for text in record.warnings]
        wrong += [f"{name}: {why}" for name, why in record.failed.items()]
        if failed:
            wrong = [record.reason or ""]
        wrong += record.sink_failures
        current = pointer is not None and pointer["export_id"] == record.export_id
        color = "yellow" if record.warnings else "green"
        color = color if record.status is NightStatus.PUBLISHED else "red"
        status = f"[{color}]{record.status.value}[/]"
        seconds = "" if record.seconds is None else f"{record.seconds:.0f}"
        night = f"{record.run_date}{' (latest)' if current else ''}"
        table.add_row(night, status, *cells, seconds, escape("; ".join(wrong)))
    return table


def effect_of_rules(records: list[NightRecord]) -> Table | None:
    """What the rules of the lists changed in the winners' figures; None where no night had any."""
    table = Table(title="Rules of the lists", title_justify="left")
    for heading in ("night", "winner"):
        table.add_column(heading)
    for figure in ("NDCG", "diversity", "coverage"):
        table.add_column(f"{figure} without", justify="right")
        table.add_column("with", justify="right")
    for record in records:
        if record.winner is not None and (found := record.reranking.get(record.winner)):
            before, after = found.without_rules, found.with_rules
            pairs = [before.ndcg, after.ndcg, before.diversity, after.diversity, before.coverage, after.coverage]
            figures = ["" if value is None else f"{value:.4f}" for value in pairs]
            table.add_row(record.run_date, record.winner, *figures)
    return table if table.row_count else None


def interval(figure: Figure) -> str:
    return escape(f"[{figure.low:.4f}, {figure.high:.4f}]")


def stages(record: NightRecord) -> Table:
    """How long each stage of the night took."""
    table = Table(title="Stages", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for stage in record.stages:
        seconds = "before" if stage.event == "skipped" else f"{stage.seconds:.1f}"
        table.add_row(stage.stage, seconds, escape(stage.message), style=STYLES.get(stage.event))
    return table


def recommendations(user_id: object, rows: list[dict[str, Any]]) -> Table:
    """One user's list with titles and reasons."""
    first = rows[0]
    table = Table(
        title=f"For user {escape(str(user_id))}, by {first['model']} ({first['run_date']})", title_justify="left"
    )
    for heading, justify in (
        ("", "right"),
        ("item", "left"),
        ("title", "left"),
        ("score", "right"),
        ("because of", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        reason = row["reason_title"] or row["reason_item_id"]
        because = escape(str(reason)) if reason is not None else "popular" if row["source"] == "cold" else ""
        if row["reason_terms"]:
            because += escape(f" ({', '.join(row['reason_terms'])})")
        table.add_row(
            str(row["rank"]), escape(str(row["item_id"])), escape(row["title"] or ""), f"{row['score']:.4f}", because
        )
    return table


def show_night(store: Path, content: dict[str, Any]) -> None:
    """What a night ends with: who won, the figures, and if it was published where, and one user's list."""
    from tasks.export.lookup import someone

    record = NightRecord.of(content)
    assert record.winner is not None  # a night without one has ended with an error
    for warning in record.warnings:
        console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True, highlight=False)
    if record.gate and record.gate.unbeaten:
        console.print(f"[yellow]{record.gate.unbeaten}[/]", soft_wrap=True)
    console.print(stages(record))
    for sentence in (unused(record.data), misfits(record.data)):
        if sentence:
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    console.print(comparison(record))
    if record.export_id is None:
        news = f"\nA dry run: [bold]{record.winner}[/] would be published, {record.reason}."
        console.print(news, highlight=False, soft_wrap=True)
        return
    ndcg = record.winner_figures.get(PRIMARY)
    figure = f"NDCG@{record.k} {ndcg.value:.4f} {interval(ndcg)}" if ndcg else "not measured"
    news = "Published" if record.new_export else "Published before"
    console.print(
        f"\n{news}: [bold]{store / 'exports' / record.export_id}[/]\n"
        f"Winner: [bold]{record.winner}[/], {figure}, {escape(record.reason or '')}.\n"
        f"Lists: {record.rows:,} rows for {record.users:,} users, {record.cold_users:,} of them with popular "
        f"items only. The night took {record.seconds:.0f} s.\n",
        highlight=False,
        soft_wrap=True,
    )
    user_id, rows = someone(store, date.fromisoformat(record.run_date))
    console.print(recommendations(user_id, rows))
