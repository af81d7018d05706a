"""What is said of the files and of the tables that were recognized in them, or were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tasks.ingest.inspection import opening, roles, trial
from tasks.ingest.inspection.choosing import Choice
from tasks.ingest.inspection.findings import ColumnFound, FileFound, Refusal, TableFound
from tasks.ingest.inspection.sampling import Sample
from tasks.ingest.reading import our_columns
from tasks.store.vector_tables import VECTOR_TABLES


def files(found: opening.Opening, chosen: Mapping[str, Choice]) -> list[FileFound]:
    of = {one.path: name for name, choice in chosen.items() for one in choice.group.files}
    return [opening.found_file(one, of.get(one.path)) for one in found.opened] + found.others


def tables(
    groups: Sequence[roles.Group], chosen: Mapping[str, Choice], located: Mapping[str, str | None], read: trial.Trial
) -> list[TableFound]:
    by_group = {id(choice.group): name for name, choice in chosen.items()}
    order = {
        name: place
        for place, name in enumerate(("interactions", "items", "users", "tags", "exposures", *VECTOR_TABLES))
    }
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
        sure = min(choice.guesses[ours].sure for ours in our_columns.REQUIRED[name])
        counts = read.summary["tables"].get(name) if read.summary and name in read.tables else None
        guessed = ", ".join(
            f"{guess.column} is {ours}"
            for ours, guess in choice.guesses.items()
            if ours in our_columns.REQUIRED[name] and ours != guess.column
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


def unplaced(name: str, group: roles.Group) -> Refusal:
    files = ", ".join(one.path.name for one in group.files[:4])
    return Refusal(
        name,
        f"{name}: no one path names these {len(group.files)} files and no others ({files}): put them into a folder of "
        "their own, or inspect one of them.",
        stops=name == "interactions",
    )


def none(groups: Sequence[roles.Group], settings: opening.Settings) -> Refusal:
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
