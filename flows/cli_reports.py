"""The commands that look back on nights: ``report``."""

import webbrowser
from datetime import date
from pathlib import Path

import click

from flows.cli_options import Day, store_option, the_store
from recmodels.errors import ConfigError
from tasks.store import Store


@click.command()
@store_option
@click.option("--date", "run_date", type=Day(), help="The night to report on [the newest].")
@click.option("--open", "show", is_flag=True, help="Open the page in the browser.")
def report(store: Path | None, run_date: date | None, show: bool) -> None:
    """Write the report of a night again, from what the store holds of it."""
    folder = Store(the_store(store).absolute())
    page = rebuilt(folder, run_date)
    click.echo(page)
    if show and not webbrowser.open(page.as_uri()):
        raise ConfigError(f"There is no browser to open it with: {page} is a file that any browser can open.")


def rebuilt(store: Store, run_date: date | None) -> Path:
    """Write the report of a night, the newest one without a date."""
    from tasks.reporting.page import write_report

    nights = store.nights()
    if run_date is None and not nights:
        raise ConfigError(f"No night has run in the store {store.root} yet: `nightrec run` is the first.")
    return write_report(store.night(run_date) if run_date else nights[-1])
