"""The inspection of some paths: open every file, guess what it is, read all as a night would, and judge that."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.inspection import layouts, names, opening, places, roles, trial
from tasks.ingest.inspection.findings import (
    ColumnFound,
    Events,
    FileFound,
    Inspection,
    Refusal,
    TableFound,
)
from tasks.ingest.inspection.sampling import Sample
from tasks.ingest.reading import schema, time_forms
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.sources import as_text, run
from tasks.store.duckdb import connect

_LINKED = 20_000  # rows of the interactions whose ids are looked for in other tables
TABLES = ("interactions", "tags", "items", "users")
Judge = Callable[[duckdb.DuckDBPyConnection, Path, datetime, Events, Mapping[str, int]], tuple[list[str], list[str]]]
"""What validation says of raw tables: why it would stop a night at a cutoff, and which rows it would refuse."""


@dataclass(frozen=True)
class Choice:
    """A table of ours among the files."""

    group: roles.Group
    guesses: Mapping[str, roles.Guess]
    fitness: float


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
        paths: files, folders or globs.
        settings: those of a table that are given: they are taken as they are, for all files that they can concern.
        run_date: the night; the day after the newest interaction if None.
        zone: the site's, in which a night's date begins.
        now: aware.
        judge: says what validation would.

    Raises:
        ConfigError: a path is not there, or a folder holds no data.
    """
    with TemporaryDirectory(prefix="nightrec-inspect-") as folder, connect(Path(folder)) as db:
        copies, raw = Path(folder) / "copies", Path(folder) / "raw"
        copies.mkdir()
        raw.mkdir()
        found = opening.open_all(db, paths, settings, copies)
        groups = roles.merged(roles.groups(found.opened), settings.get("columns", {}))
        empty = {Path(file.path) for file in found.others if file.not_read == "empty"}
        chosen = _choose(db, groups, settings.get("columns", {}))
        located = {name: places.path_of(choice.group.paths, paths, empty) for name, choice in chosen.items()}
        refusals = [Refusal(path.name, sentence, stops=not found.opened) for path, sentence in found.refused]
        refusals += [_unplaced(name, chosen[name].group) for name, path in located.items() if path is None]
        if "interactions" not in chosen:
            refusals.append(_none(groups, settings))
        inputs = {
            name: _table(choice, path, settings)
            for name, choice in chosen.items()
            if (path := located[name]) is not None
        }
        known = None if settings else layouts.fitting(paths, found.opened)
        if known and known.refused:
            refusals.append(
                Refusal(known.name, f"It looks like the data set {known.name}: {known.refused}", stops=False)
            )
        if known and known.tables:
            inputs = known.tables
        read = trial.read(inputs, raw, now) if "interactions" in inputs else trial.Trial(inputs)
        refusals += read.refusals
        result = Inspection(
            tuple(_files(found, chosen)),
            tuple(_tables(groups, chosen, located, read)),
            read.tables,
            known.name if known and known.tables else None,
            known.path if known and known.tables else None,
            notes=tuple(read.notes),
            refusals=tuple(refusals),
        )
        if read.summary is None:
            return result
        return _judged(
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


def _choose(
    db: duckdb.DuckDBPyConnection, groups: Sequence[roles.Group], given: Mapping[str, str]
) -> dict[str, Choice]:
    """The files for each of our tables: the interactions first, which the others must fit."""
    left = list(groups)
    chosen: dict[str, Choice] = {}
    tags = {id(group) for group in groups if roles.are_tags(group)}
    for name in TABLES:
        fits = []
        for group in left:
            if (id(group) in tags) != (name == "tags"):
                continue
            guesses = roles.mapping(group, name, given if name == "interactions" else {})
            if name in ("items", "users") and roles.is_log(roles.mapping(group, "interactions", {})):
                continue
            if name in ("items", "users") and "interactions" in chosen:
                guesses = _linked(db, name, group, guesses, chosen["interactions"])
            if fitness := roles.fitness(group, name, guesses):
                fits.append(Choice(group, guesses, fitness))
        if fits:
            best = max(
                fits,
                key=lambda choice: (
                    round(choice.fitness, 1),
                    sum(len(f.samples) and f.samples[0].rows for f in choice.group.files),
                ),
            )
            chosen[name] = best
            left.remove(best.group)
    return chosen


def _linked(
    db: duckdb.DuckDBPyConnection,
    name: str,
    group: roles.Group,
    guesses: dict[str, roles.Guess],
    interactions: Choice,
) -> dict[str, roles.Guess]:
    """The key of items or users by its values: the column that has most of the ids of the interactions."""
    key = schema.KEYS[name][0]
    log, one = interactions.group.first, group.first
    of_log = as_text(log.source.value(interactions.guesses[key].column))
    ids = f"SELECT DISTINCT {of_log} AS id FROM (SELECT * FROM {log.source.relation()} LIMIT {_LINKED})"
    other = "user_id" if key == "item_id" else "item_id"
    best: roles.Guess | None = None
    for sample in one.samples:
        if sample.nested or sample.repeats > 1.5 or names.fitness(sample.name, other) >= 0.8:
            continue
        there = f"SELECT {as_text(one.source.value(sample.name))} FROM {one.source.relation()}"
        try:
            (row,) = run(db, f"SELECT count(*), count(*) FILTER (WHERE id IN ({there})) FROM ({ids})", one.path)
        except DataRefused:
            continue
        share = row[1] / max(row[0], 1)
        if share >= 0.5 and row[1] >= 2 and (best is None or share > best.sure):
            best = roles.Guess(sample.name, share, f"it has {share:.0%} of the ids that the interactions have")
    if best is None:
        return guesses
    named = guesses.get(key)
    if named and named.column == best.column:
        best = best._replace(sure=max(named.sure, best.sure))
    return {key: best} | {ours: guess for ours, guess in guesses.items() if ours != key and guess.column != best.column}


def _table(choice: Choice, path: str, settings: opening.Settings) -> TableInput:
    """The settings that read a table: those of its files, and the names of its columns."""
    own = dict(choice.group.settings)
    given = {key: value for key, value in settings.items() if key not in ("columns", "header") or key in own}
    header = settings.get("header") if choice.group.first.source.format == "csv" else None
    if header:
        own["header"] = header
    renamed = {guess.column: ours for ours, guess in choice.guesses.items()}
    if choice.group.first.headless:
        own["header"] = [renamed.get(name, name) for name in own["header"]]
        return TableInput(path=path, **own | given)
    columns = {ours: guess.column for ours, guess in choice.guesses.items() if guess.column != ours}
    return TableInput(path=path, **own | given, **({"columns": columns} if columns else {}))


def _files(found: opening.Opening, chosen: Mapping[str, Choice]) -> list[FileFound]:
    of = {one.path: name for name, choice in chosen.items() for one in choice.group.files}
    return [opening.found_file(one, of.get(one.path)) for one in found.opened] + found.others


def _tables(
    groups: Sequence[roles.Group], chosen: Mapping[str, Choice], located: Mapping[str, str | None], read: trial.Trial
) -> list[TableFound]:
    by_group = {id(choice.group): name for name, choice in chosen.items()}
    order = {name: place for place, name in enumerate(("interactions", "items", "users", "tags"))}
    tables = []
    for group in sorted(groups, key=lambda group: order.get(by_group.get(id(group), ""), 9)):
        name = by_group.get(id(group))
        files = tuple(str(one.path) for one in group.files)
        if name is None:
            why = (
                "no table of ours was recognized in it"
                if "interactions" in chosen
                else "no interactions were recognized"
            )
            tables.append(
                TableFound(
                    None,
                    "unsure",
                    why,
                    None,
                    files,
                    _columns(group, {}),
                    group.first.samples[0].rows if group.first.samples else 0,
                )
            )
            continue
        choice = chosen[name]
        sure = min(choice.guesses[ours].sure for ours in schema.REQUIRED[name])
        counts = read.summary["tables"].get(name) if read.summary and name in read.tables else None
        guessed = ", ".join(
            f"{guess.column} is {ours}"
            for ours, guess in choice.guesses.items()
            if ours in schema.REQUIRED[name] and ours != guess.column
        )
        tables.append(
            TableFound(
                name,
                roles.certainty(sure),
                guessed,
                located[name],
                files,
                _columns(group, choice.guesses),
                group.first.samples[0].rows,
                counts["rows"] if counts else None,
                counts["rejects"] if counts else 0,
                counts["blank_lines"] if counts else 0,
            )
        )
    return tables


def _columns(group: roles.Group, guesses: Mapping[str, roles.Guess]) -> tuple[ColumnFound, ...]:
    of = {guess.column: (ours, guess) for ours, guess in guesses.items()}

    def column(sample: Sample) -> ColumnFound:
        found = ColumnFound(sample.name, sample.type, sample.examples, sample.rows - sample.filled, sample.distinct)
        if sample.name not in of:
            return found
        ours, guess = of[sample.name]
        return replace(
            found, used_as=ours, sure="given" if guess.why == "as given" else roles.certainty(guess.sure), why=guess.why
        )

    return tuple(column(sample) for sample in group.first.samples)


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


def _unplaced(name: str, group: roles.Group) -> Refusal:
    files = ", ".join(one.path.name for one in group.files[:4])
    return Refusal(
        name,
        f"{name}: no one path names these {len(group.files)} files and no others ({files}): put them into a folder of "
        "their own, or inspect one of them.",
        stops=name == "interactions",
    )


def _none(groups: Sequence[roles.Group], settings: opening.Settings) -> Refusal:
    """Why there are no interactions, by the file that is nearest to some."""
    wanted = ("user_id", "item_id", "timestamp")
    best = max(
        (roles.mapping(group, "interactions", settings.get("columns", {})) for group in groups), key=len, default={}
    )
    lacking = [ours for ours in wanted if ours not in best]
    if not groups:
        return Refusal("interactions", "There is no file that can be read.")
    if not any(sample.filled for group in groups for sample in group.first.samples):
        return Refusal("interactions", f"{groups[0].first.path} has no rows; give a file with rows.")
    what = {"user_id": "who (a column of user ids)", "item_id": "what (item ids)", "timestamp": "when (times)"}
    missing = " and ".join(what[ours] for ours in lacking) or "rows of who, what and when"
    return Refusal(
        "interactions",
        f"No file was recognized as interactions: {missing} was not found. If a column holds it, name it with "
        f"--columns {','.join(f'{ours}=…' for ours in lacking or wanted)}.",
    )
