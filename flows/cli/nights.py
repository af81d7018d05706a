"""The commands that look back on nights: `status` and `report`."""

import webbrowser
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import Day, json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError, NightrecError
from tasks.store.paths import Night, Store

if TYPE_CHECKING:
    from tasks.report.record import NightRecord


@click.command()
@of_a_store
@click.option("--last", type=click.IntRange(1), default=7, show_default=True, help="How many nights.")
@json_option
def status(store: Path | None, last: int, as_json: bool) -> None:
    """Show the last nights: winner, metrics, rows, duration, what went wrong.

    The same as JSON, one object with the nights in a list, the newest last: --json.
    """
    folder = Store(the_store(store))
    records = records_of(folder, folder.last_nights(last))
    from flows.cli.night_json import night_json
    from tasks.store.exports import pointer_of

    pointer = pointer_of(folder)
    if as_json:
        latest = pointer["export_id"] if pointer else None
        nights = [night_json(record, pointer) for record in records]
        echo_json({"store": str(folder.root.absolute()), "latest": latest, "nights": nights}, indent=2)
        return
    from flows.cli.console import console
    from flows.cli.tables import effect_of_rules, explored, nights_table, what_went_wrong

    console.print(nights_table(console, records, pointer))
    for line in [*what_went_wrong(records), *explored(records)]:
        echo(line)
    if (effect := effect_of_rules(console, records)) is not None:
        console.print(effect)


def records_of(store: Store, nights: list[Night]) -> "list[NightRecord]":
    """The records of nights, as they stand: one that says it is running, and nobody is at work, was killed."""
    from tasks.report.record import NightRecord, NightStatus
    from tasks.report.runs import KILLED
    from tasks.store.locking import in_use

    records = []
    for night in nights:
        try:
            records += [record] if (record := NightRecord.of_night(night)) else []
        except NightrecError as error:  # one damaged record hides none of the others
            echo(f"{error} Run the night again to have its record.", err=True)
    if any(record.unfinished for record in records) and not in_use(store):
        killed = {"status": NightStatus.INTERRUPTED, "reason": KILLED}
        for n, record in enumerate(records):
            attempts = [
                one.model_copy(update=killed) if one.status is NightStatus.RUNNING else one for one in record.attempts
            ]
            stopped = killed if record.status is NightStatus.RUNNING else {}
            records[n] = record.model_copy(update={"attempts": attempts, **stopped})
    return records


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
