"""The inspection of some paths: open every file, guess what it is, read all as a night would, and judge that."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import duckdb

from recmodels.errors import ConfigError
from tasks.ingest.inspection import described, layouts, opening, places, roles, trial
from tasks.ingest.inspection.choosing import Choice, choose, table_input
from tasks.ingest.inspection.elsewhere import Elsewhere
from tasks.ingest.inspection.findings import Events, Inspection, Refusal
from tasks.ingest.reading import time_forms
from tasks.ingest.reading.applicable import FORMATS, concerns
from tasks.ingest.reading.inputs import TableInput
from tasks.store.duckdb import connect

Judge = Callable[[duckdb.DuckDBPyConnection, Path, datetime, Events, Mapping[str, int]], tuple[list[str], list[str]]]
"""What validation says of raw tables: why it would stop a night at a cutoff, and which rows it would refuse."""


def inspect(
    paths: Sequence[str],
    settings: opening.Settings,
    run_date: date | None,
    zone: str,
    now: datetime,
    judge: Judge,
) -> Inspection:
    """Everything about the files under some paths.

    Args:
        paths: files, folders, globs, or addresses of tables elsewhere, of which the first rows are looked at.
        settings: those of a table that are given: they are taken as they are, for all files that they can concern.
        run_date: the night; the day after the newest interaction if None.
        zone: the site's, in which a night's date begins.
        now: aware.
        judge: says what validation would.

    Raises:
        ConfigError: a path is not there, a folder holds no data, or no file can use one of the settings.
        DataRefused: the rows of a table elsewhere cannot be read.
        ConnectionError: it cannot be reached.
    """
    with TemporaryDirectory(prefix="nightrec-inspect-") as folder, connect(Path(folder)) as db:
        copies, raw = Path(folder) / "copies", Path(folder) / "raw"
        copies.mkdir()
        raw.mkdir()
        elsewhere = Elsewhere(Path(folder) / "elsewhere")
        paths = elsewhere.here(paths, settings.get("as_of"))
        found = opening.open_all(db, paths, settings, copies)
        _check_used(settings, found)
        groups = roles.merged(roles.groups(found.opened), settings.get("columns", {}))
        empty = {Path(file.path) for file in found.others if file.not_read == "empty"}
        chosen = choose(db, groups, settings.get("columns", {}))
        located = {name: places.path_of(choice.group.paths, paths, empty) for name, choice in chosen.items()}
        refusals = [Refusal(path.name, sentence, stops=not found.opened) for path, sentence in found.refused]
        refusals += [described.unplaced(name, chosen[name].group) for name, path in located.items() if path is None]
        if "interactions" not in chosen:
            refusals.append(described.none(groups, settings))
        inputs = {
            name: table_input(choice, path, settings)
            for name, choice in chosen.items()
            if (path := located[name]) is not None
        }
        known = None if settings else layouts.fitting(paths, found.opened)
        if known and known.refused:
            refusals.append(
                Refusal(known.name, f"It looks like the data set {known.name}: {known.refused}", stops=False)
            )
        if known and known.tables and "items" in inputs and "items" not in known.tables:
            why = f"It looks like the data set {known.name}, whose preset has no use for {inputs['items'].path}"
            refusals.append(Refusal(known.name, f"{why}: the files are read as they are instead.", stops=False))
            known = None
        if known and known.tables:
            inputs = known.tables
        read = trial.read(inputs, raw, now) if "interactions" in inputs else trial.Trial(inputs)
        refusals += read.refusals
        result = Inspection(
            tuple(described.files(found, chosen)),
            tuple(described.tables(groups, chosen, located, read)),
            read.tables,
            known.name if known and known.tables else None,
            known.path if known and known.tables else None,
            notes=tuple(read.notes),
            refusals=tuple(refusals),
        )
        if read.summary is None:
            return elsewhere.named(result)
        judged = _judged(
            db,
            raw,
            replace(result, notes=(*read.notes, *read.summary["notes"])),
            read,
            chosen,
            run_date,
            zone,
            now,
            judge,
        )
        return elsewhere.named(judged)


def _check_used(settings: opening.Settings, found: opening.Opening) -> None:
    """Raise ConfigError where a setting is given that none of the files has a use for."""
    for setting in FORMATS:
        if setting in settings and found.opened and not any(concerns(setting, o.source.format) for o in found.opened):
            first = found.opened[0]
            raise ConfigError(
                f"--{setting} is not for files such as {first.path.name} ({first.source.format}), and there is no "
                "other: leave it out."
            )


def _judged(
    db: duckdb.DuckDBPyConnection,
    raw: Path,
    result: Inspection,
    read: trial.Trial,
    chosen: Mapping[str, Choice],
    run_date: date | None,
    zone: str,
    now: datetime,
    judge: Judge,
) -> Inspection:
    """With what the tables hold before the night's cutoff, and what validation would say."""
    last = trial.newest(db, raw, now)
    if last is None:
        refusal = Refusal("interactions", "No timestamp can be read: check which column holds the times.")
        return replace(result, refusals=(*result.refusals, refusal))
    night = run_date or last.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    cutoff = datetime.combine(night, time(), ZoneInfo(zone))
    log = chosen["interactions"].group
    written, of = _written(chosen["interactions"], read.tables["interactions"])
    written += f" in {log.first.path.name}" if len(log.files) > 1 else ""
    events = trial.events(db, raw, cutoff, written, of)
    assert read.summary is not None
    rejects = {name: counts["rejects"] for name, counts in read.summary["tables"].items()}
    stops, rows = judge(db, raw, cutoff, events, rejects)
    refusals = [Refusal("validation", sentence) for sentence in stops]
    refusals += [Refusal("quarantine", sentence, stops=False) for sentence in rows]
    return replace(result, events=events, date=str(night), refusals=(*result.refusals, *refusals))


def _written(choice: Choice, table: TableInput) -> tuple[str, str]:
    """The form of the timestamps in words, and the zone they are in."""
    column = choice.guesses["timestamp"].column
    sample = next(each for each in choice.group.first.samples if each.name == column)
    if sample.type.startswith(("timestamp", "date")):
        zoned = "time zone" in sample.type or sample.type.startswith("timestamptz")
        return sample.type, "UTC" if zoned else f"none in the values, read as {table.timezone}"
    form = time_forms.reading(list(sample.raw), table.timestamp_unit).written
    if form.unit:
        return str(form), "UTC"
    zones = [bool(re.search(r"(?:[Zz]|UTC|GMT|[+-]\d\d:?\d\d|:\d\d[+-]\d\d)(?:\[.*\])?$", text)) for text in sample.raw]
    written = str(form) if sample.iso > 0.5 else f"such as {sample.examples[0]}"
    return written, "as the values say" if all(zones) else f"none in the values, read as {table.timezone}"
