"""An inspection on one screen."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.cli.shown import console as visible_console
from tasks.ingest.inspection.findings import ColumnFound, FileFound, Inspection, TableFound
from tasks.ingest.inspection.sampling import ROWS, shown

_FILES, _COLUMNS, _NOTES, _KINDS = 12, 14, 6, 6
_MARKS = {"sure": "", "given": "", "likely": " (likely)", "unsure": " (unsure)"}
_STYLES = {"sure": "green", "given": "green", "likely": "yellow", "unsure": "red"}
_DELIMITERS = {"\t": "tab", " ": "space", ",": "comma", ";": "semicolon", "|": "pipe"}


def console() -> Console:
    """The terminal, or a width that holds a table where the output is none."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return visible_console(highlight=False) if known else visible_console(highlight=False, width=120)


def show(console: Console, found: Inspection, command: str, settings: str) -> None:
    """All that a person needs to see, the command last; what is to be copied is not broken into lines."""
    console.print(_page(found, console.width))
    if not (found.inputs and found.date):
        return
    about = "A night on these data" if found.fit else "Once that is put right"
    how = "with the nightrec.toml below, which --write FILE writes" if "--config" in command else "as options"
    console.print(_heading(f"{about} ({how})"))
    console.print(Text(command, style="bold"), soft_wrap=True)
    console.print(_heading("The same as nightrec.toml"))
    console.print(Text(settings.rstrip()), soft_wrap=True)


def _page(found: Inspection, width: int) -> Group:
    parts: list[RenderableType] = [_files(found.files)]
    parts += [_table(table, width) for table in found.tables]
    if found.preset:
        about = f"The files are those of the preset {found.preset} (`nightrec presets {found.preset}` explains)."
        parts.append(Text(f"\n{about}", style="green"))
    parts += [*_events(found), *_notes(found), *_refusals(found)]
    return Group(*parts)


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold cyan")


def _files(files: Sequence[FileFound]) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for file in files[:_FILES]:
        if file.not_read:
            table.add_row(
                _plain(file.path, 200), Text("not read", style="yellow"), _size(file.bytes), _plain(file.not_read, 200)
            )
        else:
            table.add_row(
                _plain(file.path, 200),
                Text(file.table or "not used", style="green" if file.table else "yellow"),
                _size(file.bytes) if file.bytes else "",
                _plain(_how(file), 200),
            )
    more = [Text(f"… and {len(files) - _FILES:,} more files", style="dim")] if len(files) > _FILES else []
    return Group(Text("Files", style="bold cyan"), table, *more)


def _how(file: FileFound) -> str:
    delimiter = file.delimiter and _DELIMITERS.get(file.delimiter, repr(file.delimiter))
    parts = [file.format, file.packed, file.encoding, delimiter]
    parts += {True: ["header"], False: ["no header"]}.get(file.header, []) if file.header is not None else []
    parts += [f"quote {file.quote}"] if file.quote not in (None, '"', "") else []
    return ", ".join(part for part in parts if part)


def _table(found: TableFound, width: int) -> RenderableType:
    name = (found.table or "not used").replace("_", " ")
    sure = {"given": "as given"}.get(found.sure, found.sure)
    rows = f"{found.rows:,} rows" if found.rows is not None else ""
    rejects = f"{found.rejects:,} lines that are no rows" if found.rejects else ""
    files = f"{len(found.files):,} files" if len(found.files) > 1 else ""
    about = ", ".join(part for part in (files, rows, rejects) if part)
    heading = _heading(f"{name[0].upper()}{name[1:]}: ")
    heading.append(shown(found.path or found.files[0], 60))
    heading.append(f"  {about}" if about else "", style="not bold default")
    heading.append(
        f"  ({sure}: {_short(found.why)})" if found.table else f"  ({found.why})",
        style="not bold " + (_STYLES[found.sure] if found.table else "yellow"),
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    columns = _first(found.columns)
    all_cells = [_cells(column) for column in columns]
    headings = ("column", "type", "missing", "values", "used as")
    taken = [max(cell.cell_len for cell in cells) for cells in zip(*all_cells, list(map(Text, headings)), strict=True)]
    room = max(width - sum(taken) - 2 * len(taken), 8)
    for heading_of in headings[:4]:
        table.add_column(heading_of, justify="right" if heading_of in ("missing", "values") else "left", no_wrap=True)
    table.add_column("examples", no_wrap=True, overflow="ellipsis", max_width=room)
    table.add_column("used as", no_wrap=True)
    for column, cells in zip(columns, all_cells, strict=True):
        table.add_row(*cells[:4], Text("  ".join(column.examples)), cells[4])
    hidden = len(found.columns) - len(columns)
    below = [f"and {hidden} more columns"] if hidden else []
    below += [f"columns by the first {ROWS:,} rows"] if found.looked_at >= ROWS else []
    doubts = [
        f"{column.used_as}: {column.why}"
        for column in found.columns
        if column.sure in ("likely", "unsure") and not column.why.startswith("its name")
    ]
    lines = [Text(f"… {'; '.join(below)}", style="dim")] if below else []
    lines += [Text(f"! {doubt}", style="yellow") for doubt in (shown(text, 160) for text in doubts)]
    return Group(heading, table, *lines)


def _first(columns: Sequence[ColumnFound]) -> list[ColumnFound]:
    """Those that are ours, and others up to what a screen holds, in their order."""
    if len(columns) <= _COLUMNS:
        return list(columns)
    room = _COLUMNS - sum(bool(column.used_as) for column in columns)
    kept = []
    for column in columns:
        room -= not column.used_as
        if column.used_as or room >= 0:
            kept.append(column)
    return kept


def _used(column: ColumnFound) -> Text:
    if not column.used_as or column.sure is None:
        return Text("")
    return Text(f"{column.used_as}{_MARKS[column.sure]}", style=_STYLES[column.sure])


def _events(found: Inspection) -> list[RenderableType]:
    events = found.events
    if events is None:
        return []
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    table.add_row(
        "interactions", f"{events.rows:,} by {events.users:,} users with {events.items:,} items, before {found.date}"
    )
    if times := events.times:
        first, last = (f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}" for text in (times.oldest, times.newest))
        table.add_row("times", f"{first} to {last} UTC")
        table.add_row("", f"{times.written}; zone: {times.zone}")
        if "read as" in times.zone:
            table.add_row("", "give --timezone if they are in another one")
    kinds = [
        f"{shown(kind or 'missing')} {each.rows:,} ({each.users:,} users, {each.items:,} items)"
        for kind, each in events.kinds.items()
    ]
    if kinds:
        more = f"; and {len(kinds) - _KINDS} more" if len(kinds) > _KINDS else ""
        table.add_row("events", Text("; ".join(kinds[:_KINDS]) + more))
    share = f" ({events.repeated / events.rows:.1%})" if events.rows else ""
    table.add_row("repeated", f"{events.repeated:,}{share} rows have the user, item and time of an earlier one")
    if events.known_items is not None:
        table.add_row("known items", f"{events.known_items:.1%} of the interactions are with items of the items table")
    return [_heading("What they hold"), table]


def _notes(found: Inspection) -> list[RenderableType]:
    if not found.notes:
        return []
    lines = [Padding(Text(f"- {shown(note, 300)}"), 0) for note in found.notes[:_NOTES]]
    more = (
        [Text(f"… and {len(found.notes) - _NOTES} more (--json has all)", style="dim")]
        if len(found.notes) > _NOTES
        else []
    )
    return [_heading("To know"), *lines, *more]


def _refusals(found: Inspection) -> list[RenderableType]:
    stops = [refusal for refusal in found.refusals if refusal.stops]
    others = [refusal for refusal in found.refusals if not refusal.stops]
    lines: list[RenderableType] = []
    if stops:
        lines += [
            _heading("A night would be refused"),
            *(Text(f"✗ {shown(each.sentence, 600)}", style="red") for each in stops),
        ]
    if others:
        lines += [_heading("Left out, and why"), *(Text(f"! {shown(each.sentence, 400)}") for each in others)]
    return lines


def _plain(text: str, longest: int) -> Text:
    return Text(shown(text, longest))


def _cells(column: ColumnFound) -> list[Text]:
    counts = (Text(f"{column.missing:,}"), Text(f"{column.distinct:,}"))
    return [_cut(column.name, 26), _cut(column.type, 14), *counts, _used(column)]


def _cut(text: str, longest: int) -> Text:
    found = Text(shown(text, longest))
    found.truncate(longest, overflow="ellipsis")
    return found


def _short(text: str) -> str:
    return shown(text, 120) or "by the names of its columns"


def _size(size: int) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size = size / 1000  # type: ignore[assignment]
    return ""
