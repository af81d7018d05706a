"""The commands that run nights, or a part of one: `run`, `backfill` and `validate`."""

import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from flows.cli import completing
from flows.cli.options import Day, date_option, json_option, models_option, site_options
from flows.cli.shown import echo, echo_json
from tasks.errors import DEGRADED
from tasks.store.paths import Store

if TYPE_CHECKING:
    from flows.settings.options import BackfillOptions
    from flows.settings.site import NightConfig


@click.command()
@site_options
@date_option
@models_option
@click.option(
    "--k",
    type=click.IntRange(1, 1000),
    help="Items in an exported list [export.k, 10]; models are still compared by evaluation.k.",
)
@click.option(
    "--force-model",
    "--force-champion",
    "--champion",
    "forced_model",
    metavar="NAME",
    shell_complete=completing.models,
    help="Publish this model, whatever the gate says.",
)
@click.option("--dry-run", is_flag=True, help="Train and compare, publish nothing.")
def run(
    settings: "NightConfig", run_date: date, fresh: bool, k: int | None, forced_model: str | None, dry_run: bool
) -> None:
    """Run one night, on this machine; without --interactions on a built-in demo site."""
    from flows.settings.checks import check_engine, check_forced_model, check_installed

    settings = settings.with_k(k)
    check_installed(settings)
    check_engine(settings)
    store = Store(settings.store.absolute())
    if forced_model is not None:
        check_forced_model(settings, store, run_date, forced_model)
    from flows.cli.console import console, progress, show_night
    from flows.in_process import run_in_process

    with progress(console):
        record = run_in_process(settings, run_date, fresh=fresh, dry_run=dry_run, forced_model=forced_model)
    show_night(settings.store, record)
    from tasks.report.record import NightRecord

    if NightRecord.of(record).warnings:
        sys.exit(DEGRADED)


@click.command()
@site_options
@models_option
@click.option("--from", "first", type=Day(), required=True, help="The first night.")
@click.option("--to", "last", type=Day(), required=True, help="The last night.")
@click.option("--parallel", type=click.IntRange(1, 16), default=1, show_default=True, help="Nights at a time.")
@click.option(
    "--publish",
    type=click.Choice(["newest", "all", "none"]),
    default="newest",
    show_default=True,
    help="Which nights are published; the others are trained and compared.",
)
@json_option
def backfill(
    settings: "NightConfig", fresh: bool, first: date, last: date, parallel: int, publish: Any, as_json: bool
) -> None:
    """Run the nights of a range; those that are complete are skipped, so it can be run again at any time."""
    from flows.settings.checks import check_engine, check_installed
    from flows.settings.options import BackfillOptions

    check_installed(settings)
    check_engine(settings)
    options = BackfillOptions(first=first, last=last, parallel=parallel, publish=publish, fresh=fresh)
    from flows.cli.console import console, progress
    from flows.in_process import warm_up
    from flows.operate.server import embedded_server
    from tasks.store.locking import held

    folder = Store(settings.store.absolute())
    failure = None
    with progress(console, aside=as_json), held(folder) as lease, embedded_server() as ready:
        from flows.backfill import NightsFailed, fill

        warm_up()
        ready()
        try:
            outcome = fill(settings, options, None, lease)
        except NightsFailed as error:
            outcome, failure = error.outcome, error
    if as_json:
        _print_nights(folder, options)
    else:
        for run_date, became in outcome.items():
            echo(f"{run_date}  {became}")
    if failure is not None:
        raise failure


def _print_nights(store: Store, options: "BackfillOptions") -> None:
    """The nights of a range as JSON, in the shape of `status --json`."""
    from flows.cli.night_json import night_json
    from flows.cli.nights import records_of
    from tasks.store.exports import pointer_of

    pointer = pointer_of(store)
    echo_json({"nights": [night_json(record, pointer) for record in records_of(store, list(options.nights(store)))]})


@click.command()
@site_options
@date_option
@json_option
def validate(settings: "NightConfig", run_date: date, fresh: bool, as_json: bool) -> None:
    """Read and check the inputs, print what became of their files, columns and rows, and stop there."""
    from flows.cli.account import lines
    from flows.cli.console import console, progress
    from flows.in_process import warm_up
    from flows.operate.server import embedded_server
    from flows.settings.checks import check_engine

    check_engine(settings)
    with progress(console, aside=as_json), embedded_server() as ready:
        from flows.validate import NotFit, checking

        warm_up()
        ready()
        try:
            record, refusal = checking(settings, run_date, fresh), None
        except NotFit as error:
            record, refusal = error.record, error
    if as_json:
        echo_json(record | {"fit": refusal is None}, indent=2)
    else:
        for line in lines(record):
            echo(line)
    if refusal is not None:
        raise refusal
