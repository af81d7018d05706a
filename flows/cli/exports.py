"""The commands about published exports: looking at them, keeping them, and going back."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from flows.cli import completing
from flows.cli.options import Day, json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json
from recmodels.messages import counted
from tasks.store.paths import Store

NAME = "D"  # a night's newest export by its date, its n-th as <date>.n


@click.command()
@click.argument("user_id", shell_complete=completing.users)
@of_a_store
@click.option("--date", "run_date", type=Day(), help="The list of that night [the latest].")
@click.option("--domain", help="Of a site with several domains: the list of this one alone.")
@click.option("--context", help="The list in this context, such as a weekday, where there are some.")
@click.option("--why", is_flag=True, help="Name the column that an ensemble's trees rank an item high by.")
@json_option
def recs(
    user_id: str,
    store: Path | None,
    run_date: date | None,
    domain: str | None,
    context: str | None,
    why: bool,
    as_json: bool,
) -> None:
    """Show a user's current list, with titles and reasons."""
    from tasks.lookup.lists import list_of

    rows = list_of(the_store(store), user_id, run_date, domain, context, why)
    if as_json:
        echo_json(rows)
        return
    from flows.cli.console import console
    from flows.cli.tables import recommendations

    console.print(recommendations(console, user_id, rows))


@click.command()
@of_a_store
@click.option("--date", "run_date", type=Day(), help="The export of that night [the latest].")
@json_option
def verify(store: Path | None, run_date: date | None, as_json: bool) -> None:
    """Check an export against its manifest and its contract.

    Files are compared with their hashes, sizes and rows; while the night's features are there, lists are compared with
    what the users have, and reasons with their histories.
    """
    from tasks.export.verification import verified

    found = verified(the_store(store), run_date)
    if as_json:
        echo_json(asdict(found))
    else:
        echo(found.sentence)


@click.command()
@of_a_store
@click.option(
    "--to",
    metavar=NAME,
    help="The night (its newest export) or the export to go to [the one before].",
    shell_complete=completing.exports,
)
@json_option
def rollback(store: Path | None, to: str | None, as_json: bool) -> None:
    """Point readers at an earlier export, whose files are checked first.

    The exports after it stay, and are withdrawn: only a new one, or `rollback --to` one of them, moves readers on.
    """
    from tasks.store.exports import rollback as go_back

    before, now = go_back(Store(the_store(store)), to)
    if as_json:
        echo_json({"now": now, "before": before})
        return
    echo(f"Readers see {now} now; before, it was {before}." if before != now else f"Readers see {now}, as before.")


@click.command()
@click.argument("first", metavar="D1", shell_complete=completing.exports)
@click.argument("second", metavar="D2", shell_complete=completing.exports)
@of_a_store
@json_option
def diff(first: str, second: str, store: Path | None, as_json: bool) -> None:
    """Show what changed for users and items from the export D1 to D2; each is a night's newest export by its
    date, or its n-th as <date>.n."""
    from tasks.export.differences import difference

    found = difference(Store(the_store(store)), first, second)
    if as_json:
        echo_json(found)
        return
    for line in in_words(found):
        echo(line)


def in_words(found: dict[str, Any]) -> list[str]:
    """A difference, a sentence a line."""
    old, new, both = found["old"], found["new"], max(found["users_in_both"], 1)
    come, gone = (found[f"users_{side}"] - found["users_in_both"] for side in ("new", "old"))
    lines = [
        f"{old['export_id']} ({old['champion']}, top {old['k']}) → {new['export_id']} ({new['champion']}, "
        f"top {new['k']})",
        f"Users: {found['users_in_both']:,} in both, {come:,} came, {gone:,} went.",
        f"Lists: {found['users_unchanged'] / both:.1%} unchanged, {found['users_reordered'] / both:.1%} in another "
        f"order only, {found['users_wholly_new_lists'] / both:.1%} wholly new; "
        f"{found['mean_churn']:.1%} of a user's list is new on average.",
        f"Scores of what stayed: {found['mean_score_old']:.4g} → {found['mean_score_new']:.4g} on average "
        f"(by {found['mean_score_shift_size']:.4g} a place)"
        + ("." if old["champion"] == new["champion"] else "; the models differ, and so do their scales."),
        f"Items: {found['items_entered']:,} came into lists, {found['items_left']:,} left them all.",
    ]
    lines += [
        f"Arm {name}: {counted(arm['users_in_both'], 'user')}; {arm['mean_churn']:.1%} of a list is new on average."
        for name, arm in found["arms"].items()
    ]
    for name in ("entered", "left", "moved"):
        lines += [
            f"  {name} {row['item_id']}: in {row['before']:,} → {counted(row['after'], 'list')}" for row in found[name]
        ]
    return lines


@click.command()
@click.argument("name", metavar=NAME, shell_complete=completing.exports)
@of_a_store
def pin(name: str, store: Path | None) -> None:
    """Keep an export (a night's newest by its date, or its n-th as <date>.n), however old it grows."""
    from tasks.publish.retention import pin as keep

    echo(f"{keep(Store(the_store(store)), name)} is pinned.")


@click.command()
@click.argument("name", metavar=NAME, shell_complete=completing.exports)
@of_a_store
def unpin(name: str, store: Path | None) -> None:
    """Let a pinned export grow old like the others."""
    from tasks.publish.retention import unpin as release

    echo(f"{', '.join(release(Store(the_store(store)), name))}: no longer pinned.")
