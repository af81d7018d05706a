"""Which files hold which of our tables, and the settings that read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.inspection import names, opening, roles
from tasks.ingest.reading import our_columns
from tasks.ingest.reading.applicable import concerns
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.sources import as_text, run
from tasks.store.vector_tables import VECTOR_TABLES

_LINKED = 20_000  # rows of the interactions whose ids are looked for in other tables
TABLES = ("interactions", "tags", "items", "users", "exposures", *VECTOR_TABLES)


@dataclass(frozen=True)
class Choice:
    """A table of ours among the files."""

    group: roles.Group
    guesses: Mapping[str, roles.Guess]
    fitness: float


def choose(db: duckdb.DuckDBPyConnection, groups: Sequence[roles.Group], given: Mapping[str, str]) -> dict[str, Choice]:
    """The files for each of our tables: the interactions first, which the others must fit."""
    left = list(groups)
    chosen: dict[str, Choice] = {}
    tags = {id(group) for group in groups if roles.are_tags(group)}
    shown = {id(group) for group in groups if roles.are_exposures(group)}
    vectors = {id(group) for group in groups if roles.are_vectors(group)}
    logs = {id(group) for group in groups if roles.is_log(roles.mapping(group, "interactions", given))}
    if not logs - shown - tags:  # what there is but one of are the interactions
        shown = set()
    for name in TABLES:
        fits = []
        for group in left:
            if (id(group) in tags) != (name == "tags") or (id(group) in shown) != (name == "exposures"):
                continue
            if (id(group) in vectors) != (name in VECTOR_TABLES):
                continue
            guesses = roles.mapping(group, name, given if name == "interactions" else {})
            if name in ("items", "users") and roles.is_log(roles.mapping(group, "interactions", {})):
                continue
            if name in ("items", "users", *VECTOR_TABLES) and "interactions" in chosen:
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
    key = our_columns.KEYS[name][0]
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


def table_input(choice: Choice, path: str, settings: opening.Settings) -> TableInput:
    """The settings that read a table: those of its files, and the names of its columns."""
    own = dict(choice.group.settings)
    kind = choice.group.first.source.format
    given = {key: value for key, value in settings.items() if key != "columns" and concerns(key, kind)}
    renamed = {guess.column: ours for ours, guess in choice.guesses.items()}
    if choice.group.first.headless:
        own["header"] = [renamed.get(name, name) for name in own["header"]]
        return TableInput(path=path, **own | given)
    columns = {ours: guess.column for ours, guess in choice.guesses.items() if guess.column != ours}
    return TableInput(path=path, **own | given, **({"columns": columns} if columns else {}))
