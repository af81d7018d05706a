"""`nightrec answer`: a user's list now, with what the user did since the night."""

import csv
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json

if TYPE_CHECKING:
    from tasks.lookup.answers import Answered, Answers

NAMED = 5  # unknown items that are named


@click.command()
@click.argument("user_id", required=False)
@click.option("--history", metavar="I1,I2,…", default="", help="Items since the night, oldest first.")
@click.option("--k", type=click.IntRange(1, 1000), help="Items in the list [as in the export].")
@of_a_store
@json_option
def answer(user_id: str | None, history: str, k: int | None, store: Path | None, as_json: bool) -> None:
    """Show the list that a user has with the items of a session, without training, by the model of the current export.

    Without USER_ID, or with one that the night does not know, the session counts alone. A program loads the model once
    and answers in milliseconds: see docs/between-nights.md.
    """
    from tasks.lookup.answers import Answers

    answers = Answers.latest(the_store(store))
    items = [text.strip() for text in next(csv.reader([history], skipinitialspace=True), [])]
    found = answers.answer(user_id, items, k)
    rows = titled(answers, found, user_id)
    about = answers.export.manifest
    if as_json:
        told = {"export_id": about["export_id"], "run_date": about["run_date"], "model": found.model}
        said = {name: getattr(found, name) for name in ("folded", "note", "known", "counted", "unknown")}
        echo_json(told | said | {"list": rows})
        return
    for line in remarks(user_id, found):
        echo(line)
    if rows:
        from flows.cli.console import console
        from flows.cli.tables import recommendations

        console.print(recommendations(console, user_id or "without a name", rows))
    else:
        echo("There is no item left to list.")


def titled(answers: "Answers", found: "Answered", user_id: str | None) -> list[dict[str, Any]]:
    """A list as `nightrec recs` has it, with titles and reasons."""
    import pyarrow as pa

    from recmodels.published.schema import arrow_schema
    from tasks.lookup.lists import with_titles

    topk = next(file for file in answers.export.manifest["files"] if file["path"].startswith("topk/"))
    schema = arrow_schema("topk", pa.string(), pa.int64() if topk["schema"]["item_id"] == "int64" else pa.string())
    n, run_date = len(found.items), date.fromisoformat(answers.export.manifest["run_date"])
    columns = {
        "run_date": [run_date] * n,
        "user_id": [user_id] * n,
        "rank": list(range(1, n + 1)),
        "item_id": found.items,
        "score": found.scores,
        "model": [found.model] * n,
        "source": found.sources,
        "reason_item_id": found.reasons,
    }
    table = pa.table({name: pa.array(column, schema.field(name).type) for name, column in columns.items()})
    return with_titles(answers.store, answers.export, table)


def remarks(user_id: str | None, found: "Answered") -> list[str]:
    """What there is to say about a list, a sentence each."""
    said = [] if found.note is None else [found.note]
    if found.folded and user_id is not None and not found.known:
        said.append("The night does not know the user: the list is that of the session alone.")
    if found.unknown:
        more = f" and {len(found.unknown) - NAMED} more" if len(found.unknown) > NAMED else ""
        said.append(f"Not in the catalogue, and passed over: {', '.join(map(str, found.unknown[:NAMED]))}{more}.")
    return said
