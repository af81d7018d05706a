"""`nightrec presets`: the public data sets whose files are known, and what to do with each."""

import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from flows.cli import completing
from flows.cli.options import json_option
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError
from tasks.ingest.reading.presets.catalog import PRESETS, preset_of
from tasks.ingest.reading.presets.layouts import PREPARED, DataFile, Layout, Preset

_WIDTH = 110


@click.command()
@click.argument("name", required=False, shell_complete=completing.presets)
@click.option("--prepare", "folder", type=click.Path(path_type=Path), help="Make the tables that NAME needs there.")
@json_option
def presets(name: str | None, folder: Path | None, as_json: bool) -> None:
    """List the public data sets that are read by name, with their files and where to get them; or explain NAME.

    Some have files that no setting describes: --prepare FOLDER makes tables of them, beside them, once.
    """
    if folder is not None:
        _prepare(preset_of(name) if name else None, folder)
        return
    found = [preset_of(name)] if name else list(PRESETS.values())
    if as_json:
        described = [described_as_json(preset) for preset in found]
        echo_json(described[0] if name else described)
    elif name:
        echo("\n".join(explained(found[0])))
    else:
        echo("\n\n".join("\n".join(listed(preset)) for preset in found))
        echo("\nWhat to know about each, and the command to copy: nightrec presets NAME")


def _prepare(preset: Preset | None, folder: Path) -> None:
    if preset is None:
        raise ConfigError("Name the data set to prepare: nightrec presets NAME --prepare FOLDER.")
    from tasks.ingest.reading.presets.prepare import prepare

    for table, path, number in prepare(preset, folder):
        echo(f"{number:>12,} {table:<12} {path}")
    dates = {layout.until for layout in usable(preset)}
    date = f" --date {dates.pop()}" if len(dates) == 1 else ""
    echo(f"Now: nightrec run --preset {preset.name} --interactions {shlex.quote(str(folder))}{date}")


def use(file: DataFile) -> str:
    """What becomes of a file, in words."""
    pairs = [ours if ours == theirs else f"{ours} = {theirs}" for ours, theirs in file.used.items()]
    return file.refused or ", ".join(pairs)


def rows(preset: Preset) -> Iterator[tuple[str, str, str, str]]:
    """Layout, table, file and use of each file, and of the tables that are made of some."""
    for layout in preset.layouts:
        for file in layout.files:
            yield layout.name, file.table, ", ".join(file.names), use(file)
    for one in preset.preparations:
        yield "made by --prepare", one.table, PREPARED.format(table=one.table), f"{one.about} ({', '.join(one.needs)})"


def command(preset: Preset, layout: Layout) -> str:
    """The command that runs a night on a layout, ready to copy."""
    date = f" --date {layout.until}" if layout.until else ""
    return f"nightrec run --preset {preset.name} --interactions {layout.folder or preset.folder}{date}"


def usable(preset: Preset) -> list[Layout]:
    """The layouts that lead to a night, as they are or prepared."""
    prepared = any(one.table == "interactions" for one in preset.preparations)
    return [layout for layout in preset.layouts if not layout.refused or (prepared and layout is preset.layouts[0])]


def listed(preset: Preset) -> Iterator[str]:
    """A preset in a few lines."""
    yield f"{preset.name}: {preset.title}"
    yield f"  {preset.home}"
    yield f"  terms: {preset.terms}"
    for layout, files in groupby(rows(preset), key=lambda row: row[0]):
        yield f"  {layout}"
        for _, table, names, text in files:
            yield click.wrap_text(f"{names}: {text}", _WIDTH, f"    {table:<13} ", " " * 20)


def explained(preset: Preset) -> Iterator[str]:
    """All there is to say about a preset."""
    yield from listed(preset)
    if preset.notes:
        yield ""
        yield from (click.wrap_text(f"- {note}", _WIDTH, "", "  ") for note in preset.notes)
    yield ""
    yield from commands(preset) or ["A night cannot be run on this data set."]
    if preset.min_rating is not None:
        yield f"Ratings below {preset.min_rating:g} are no likes: prepare.min_rating decides ('none': all are)."
    if preset.weights:
        yield ""
        yield "In nightrec.toml, as a suggestion:"
        yield f"[prepare]\nevent_weights = {weights(preset)}"


def commands(preset: Preset) -> list[str]:
    """What to type, in that order."""
    prepare = [f"nightrec presets {preset.name} --prepare {preset.folder}"] if preset.preparations else []
    return prepare + [command(preset, layout) for layout in usable(preset)]


def weights(preset: Preset) -> str:
    """The suggested weights of events, as TOML."""
    return "{ " + ", ".join(f"{event} = {weight:g}" for event, weight in preset.weights.items()) + " }"


def described_as_json(preset: Preset) -> dict[str, Any]:
    """A preset for scripts."""
    return {
        "name": preset.name,
        "title": preset.title,
        "home": preset.home,
        "terms": preset.terms,
        "files": [
            {"layout": layout.name, "table": file.table, "names": file.names, "columns": file.used}
            | ({"refused": file.refused} if file.refused else {})
            for layout in preset.layouts
            for file in layout.files
        ],
        "notes": list(preset.notes),
        "event_weights": dict(preset.weights),
        "min_rating": preset.min_rating,
        "prepares": {one.table: list(one.needs) for one in preset.preparations},
        "commands": commands(preset),
    }
