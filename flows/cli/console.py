"""What a person sees after a night: its stages, the comparison, and one user's list."""

import sys
from datetime import date
from pathlib import Path
from typing import Any

from rich.markup import escape

from flows.cli.progress import progress
from flows.cli.shown import console as visible_console
from flows.cli.tables import comparison, interval, recommendations, stages
from recmodels.messages import counted
from tasks.report.record import NightRecord
from tasks.store.accounts import misfits, unused
from tasks.train.settings import PRIMARY

__all__ = ["console", "progress", "show_night"]

WIDE = 140  # characters of a line that goes into a file or a pipe

console = visible_console() if sys.stdout.isatty() else visible_console(width=WIDE)


def show_night(store: Path, content: dict[str, Any]) -> None:
    """What a night ends with: who won, the figures, and if it was published where, and one user's list."""
    from tasks.lookup.lists import someone

    record = NightRecord.of(content)
    assert record.winner is not None  # a night without one has ended with an error
    for warning in record.warnings:
        console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True, highlight=False)
    if record.engine and record.engine.unavailable:
        console.print(f"[yellow]{escape(record.engine.sentence)}[/]", soft_wrap=True, highlight=False)
    if record.gate and record.gate.unbeaten:
        console.print(f"[yellow]{record.gate.unbeaten}[/]", soft_wrap=True)
    console.print(stages(console, record))
    for sentence in (unused(record.data), misfits(record.data)):
        if sentence:
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    console.print(comparison(console, record))
    if record.export_id is None:
        news = f"\nA dry run: [bold]{record.winner}[/] would be published, {escape(record.reason or '')}."
        if record.gate and record.gate.refused:
            news = f"\nA dry run: nothing would be published. {escape(record.gate.refused)}"
        console.print(news, highlight=False, soft_wrap=True)
        return
    ndcg = record.winner_figures.get(PRIMARY)
    figure = f"NDCG@{record.k} {ndcg.value:.4f} {interval(ndcg)}" if ndcg else "not measured"
    ran_on = f" {escape(record.engine.sentence)}" if record.engine and not record.engine.unavailable else ""
    news = "Published" if record.new_export else "Published before"
    console.print(
        f"\n{news}: [bold]{store / 'exports' / record.export_id}[/]\n"
        f"Winner: [bold]{record.winner}[/], {figure}, {escape(record.reason or '')}.\n"
        f"Lists: {counted(record.rows or 0, 'row')} for {counted(record.users or 0, 'user')}, "
        f"{record.cold_users or 0:,} of them with popular items only. "
        f"The night took {record.seconds:.0f} s.{ran_on}\n",
        highlight=False,
        soft_wrap=True,
    )
    if (example := someone(store, date.fromisoformat(record.run_date))) is not None:
        console.print(recommendations(console, *example))
