"""The commands that look back on nights: `status` and `report`."""

import webbrowser
from datetime import date
from pathlib import Path

import click

from flows.cli.options import Day, of_a_store, the_store
from flows.cli.shown import echo
from recmodels.errors import ConfigError, NightrecError
from tasks.store.paths import Store


@click.command()
@of_a_store
@click.option("--last", type=click.IntRange(1), default=7, show_default=True, help="How many nights.")
def status(store: Path | None, last: int) -> None:
    """Show the last nights: winner, metrics, rows, duration, what went wrong."""
    folder = Store(the_store(store))
    found = folder.last_nights(last)
    from flows.cli.console import console, effect_of_rules, nights
    from tasks.report.record import NightRecord, NightStatus
    from tasks.store.exports import pointer_of
    from tasks.store.locking import in_use

    records = []
    for night in found:
        try:
            records += [record] if (record := NightRecord.of_night(night)) else []
        except NightrecError as error:  # one damaged record hides none of the others
            echo(f"{error} Run the night again to have its record.", err=True)
    if not in_use(folder):  # what still says that it is running was killed
        for record in records:
            if record.status is NightStatus.RUNNING:
                record.status = NightStatus.INTERRUPTED
    console.print(nights(records, pointer_of(folder)))
    if (effect := effect_of_rules(records)) is not None:
        console.print(effect)


@click.command()
@of_a_store
@click.option("--date", "run_date", type=Day(), help="The night to report on [the newest].")
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
def report(store: Path | None, run_date: date | None, show: bool) -> None:
    """Write the report of a night again, from what the store holds of it."""
    folder = Store(the_store(store).absolute())
    night = folder.night(run_date) if run_date else folder.last_nights()[-1]
    from tasks.report.page import write_report

    page = write_report(night)
    echo(str(page))
    if show and not webbrowser.open(page.as_uri()):
        raise ConfigError(f"There is no browser to open it with: {page} is a file that any browser can open.")
