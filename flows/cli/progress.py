"""What a person or a log sees while a night runs: the event log as it grows."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from flows.cli.encoding import unicode
from recmodels.messages import visible

MARKS = {"done": "[green]✓[/]", "skipped": "[dim]·[/]", "failed": "[red]✗[/]", "note": "[yellow]![/]"}


@contextmanager
def progress(console: Console, *, aside: bool = False) -> Iterator[None]:
    """Show stages as they end: in a terminal as lines, with the running ones beside a spinner, else as lines of a log.

    Lines of a log go to standard error where standard output is to hold something else (`aside`).
    """
    logger = logging.getLogger("nightrec.events")
    if not console.is_terminal or aside:
        with _heard(logger, LogWriter(aside)):
            yield
        return
    spinner = "dots" if unicode(console.encoding) else "line"
    with console.status("starting Prefect", spinner=spinner) as status, _heard(logger, EventPrinter(console, status)):
        yield


@contextmanager
def _heard(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class EventPrinter(logging.Handler):
    """Prints each event on a console."""

    def __init__(self, console: Console, status: Status) -> None:
        super().__init__()
        self.console, self.status = console, status
        self.running: dict[str, str] = {}  # what is said of it, by its label
        self.night = ""

    def emit(self, record: logging.LogRecord) -> None:
        line: Any = record
        if line.night and line.night != self.night:  # of several, in a backfill
            self.night = line.night
            self.console.print(f"[bold]Night {Path(line.night).name}[/]", highlight=False)
        if line.event == "start":
            self.running[line.label] = line.label
        elif line.event == "progress":
            self.running[line.label] = f"{line.label} ({line.text})"
        else:
            self.running.pop(line.label, None)
            before = " [dim](done before)[/]" if line.event == "skipped" else f" [dim]{line.seconds:.1f} s[/]"
            self.console.print(
                f"{MARKS[line.event]} [bold]{line.label}[/]  {escape(line.text)}{before}", highlight=False
            )
        self.status.update(", ".join(self.running.values()) or "…")


class LogWriter(logging.Handler):
    """Writes a line for each stage that has ended, with when that was and in which night."""

    def __init__(self, aside: bool) -> None:
        super().__init__()
        self.aside = aside

    def emit(self, record: logging.LogRecord) -> None:
        line: Any = record
        if line.event != "start":
            click.echo(visible(log_line(line, datetime.now())), err=self.aside)


def log_line(line: Any, now: datetime) -> str:
    """An event in a line: `03:00:12 night 2026-03-31: train ease done, 1,234 items (5.1 s)`."""
    night = f"night {Path(line.night).name}: " if line.night else ""
    took = " (done before)" if line.event == "skipped" else f" ({line.seconds:.1f} s)" if line.seconds else ""
    text = f", {line.text}" if line.text and line.text != line.event else ""
    if line.event == "progress":
        return f"{now:%H:%M:%S} {night}{line.label}, {line.text}"
    return f"{now:%H:%M:%S} {night}{line.label} {line.event}{text}{took}"
