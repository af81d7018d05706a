"""`nightrec longterm`: which early signals foretell who stays, and what an arm will have done weeks later."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import Day, json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json
from tasks.store.paths import Store

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tasks.longterm.results import LongTerm


@click.command()
@click.option("--outcome", metavar="NAME", help="retention, visits or interactions and a number of days [retention28].")
@click.option("--surrogates", metavar="A,B,…", help="Only by these early signals [all that the site has].")
@click.option("--window", type=click.IntRange(1, 28), default=7, show_default=True, help="Days of the early signals.")
@click.option("--arm", "arms", multiple=True, metavar="NAME", help="Only this arm; may be given again [all].")
@click.option("--date", "run_date", type=Day(), help="By what was known in that night [the newest].")
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@of_a_store
@json_option
def longterm(
    outcome: str | None,
    surrogates: str | None,
    window: int,
    arms: tuple[str, ...],
    run_date: date | None,
    config: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Say which early signals foretell who stays, and what each arm will have done weeks later.

    What users do in the first days is held against what they do in the days of the outcome, in past weeks. By that,
    the effect of an arm is foretold as soon as its first days are over. A verdict says whether to trust it, to doubt
    it, or that it is refused, and why: it takes arms whose effect is known by now to test by.
    """
    from flows.settings.site import load
    from tasks.longterm.asked import long_term, newest
    from tasks.longterm.outcome import DEFAULT, Outcome

    asked = Outcome.of(outcome or DEFAULT)
    settings = load(config)
    folder = Store(settings.store if store is None and config is not None else the_store(store))
    found = long_term(
        folder.night(run_date) if run_date else newest(folder),
        settings.arms,
        settings.features,
        settings.feedback.keep_days,
        asked,
        window=window,
        signals=None if surrogates is None else [name.strip() for name in surrogates.split(",") if name.strip()],
        arms=list(arms),
    )
    if as_json:
        echo_json(found.json_ready())
        return
    from flows.cli.console import console

    for arm in found.arms:
        echo(arm.says)
    console.print(signals_table(console, found))
    for line in found.about:
        echo(line)
    if not found.arms:
        echo("There are no arms to foretell of: docs/feedback.md says how to name some under [arms.groups.NAME].")


def signals_table(console: "Console", found: "LongTerm") -> "Table":
    """How well each early signal foretells."""
    from rich.markup import escape

    from flows.cli.tables import Column, fitted
    from tasks.longterm.results import SIGNAL_HEADINGS, signal_rows

    keep = {"name": 0, "who has more of it": 1}
    columns = [Column(name, keep.get(name), right=name == "explains") for name in SIGNAL_HEADINGS]
    rows = [[escape(cell) for cell in row] for row in signal_rows(found)]
    title = f"What the first {found.window} days tell of {found.outcome}"
    return fitted(console, title, columns, rows, [None] * len(rows))
