"""The command line: ``nightrec``. Heavy imports wait until a command needs them."""

import importlib
import json
import logging
import os
import sys
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from flows.cli.exports import diff, forget, mirror, pin, rollback, sink, unpin, verify
from flows.cli.operate import deploy, serve, worker
from flows.cli.options import Day, date_option, models_option, site_options, store_option, the_store
from flows.cli.reports import report, tune
from recmodels.errors import ConfigError, NightrecError
from tasks.store.files import read_json
from tasks.store.paths import Store

if TYPE_CHECKING:
    from flows.settings.site import NightConfig

console = Console() if sys.stdout.isatty() else Console(width=140)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="nightrec")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and Prefect's own log.")
def nightrec(debug: bool) -> None:
    """Recommendations, computed at night: interactions in, a checked top-k list for every user out.

    Exit codes: 0 published (or published already), 1 the night failed, 2 bad arguments or configuration, 3 the data
    were refused, 4 the result was refused.
    """
    quiet_prefect(debug)


def main() -> None:
    """Run the command line; an error meant for people becomes one sentence and its exit code."""
    try:
        nightrec.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        text = f"{type(error).__name__}: {error} (`nightrec --debug …` shows where)"
        text = str(error) if isinstance(error, NightrecError) else text
        Console(stderr=True).print(f"nightrec: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code if isinstance(error, NightrecError) else NightrecError.exit_code)


@nightrec.command()
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
    help="Publish this model, whatever the gate says.",
)
@click.option("--dry-run", is_flag=True, help="Train and compare, publish nothing.")
def run(
    settings: "NightConfig", run_date: date, fresh: bool, k: int | None, forced_model: str | None, dry_run: bool
) -> None:
    """Run one night, here and now; without --interactions on a built-in demo site."""
    settings = settings.with_k(k)
    from flows.cli.console import progress
    from flows.operate.server import embedded_server

    with progress(console), embedded_server() as ready:
        from flows.nightly import night
        from tasks.store.locking import held

        if fresh or not Store(settings.store).night(run_date).valid.exists():
            warm_up("great_expectations")
        with held(Store(settings.store.absolute())) as lease:
            ready()
            record = night(settings, run_date, fresh=fresh, dry_run=dry_run, forced_model=forced_model, lease=lease)
    show_night(settings.store, record)


@nightrec.command()
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
def backfill(settings: "NightConfig", fresh: bool, first: date, last: date, parallel: int, publish: Any) -> None:
    """Run the nights of a range; those that are complete are skipped, so it can be run again at any time."""
    from flows.cli.console import progress
    from flows.operate.server import embedded_server

    with progress(console), embedded_server() as ready:
        from flows.backfill import BackfillOptions, fill
        from tasks.store.locking import held

        options = BackfillOptions(first=first, last=last, parallel=parallel, publish=publish, fresh=fresh)
        warm_up("great_expectations")
        with held(Store(settings.store.absolute())) as lease:
            ready()
            outcome = fill(settings, options, None, lease)
    for run_date, became in outcome.items():
        console.print(f"{run_date}  {became}", highlight=False)


@nightrec.command()
@site_options
@date_option
def validate(settings: "NightConfig", run_date: date, fresh: bool) -> None:
    """Read and check the inputs, and stop there."""
    from flows.cli.console import progress
    from flows.operate.server import embedded_server

    with progress(console), embedded_server() as ready:
        from flows.validate import checking

        warm_up("great_expectations")
        ready()
        record = checking(settings, run_date, fresh)
    console.print(
        f"{record['interactions']:,} interactions are fit to learn from, {record['quarantined']:,} rows were "
        f"quarantined in {record['quarantine']}.",
        highlight=False,
        soft_wrap=True,
    )


@nightrec.command()
@click.argument("user_id")
@store_option
@click.option("--date", "run_date", type=Day(), help="The list of that night [the latest].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def recs(user_id: str, store: Path | None, run_date: date | None, as_json: bool) -> None:
    """Show a user's current list, with titles and reasons."""
    from tasks.export.lookup import list_of

    rows = list_of(the_store(store), user_id, run_date)
    if as_json:
        click.echo(json.dumps(rows, default=str, ensure_ascii=False))
        return
    from flows.cli.console import recommendations

    console.print(recommendations(user_id, rows))


@nightrec.command()
@store_option
@click.option("--last", type=click.IntRange(1), default=7, show_default=True, help="How many nights.")
def status(store: Path | None, last: int) -> None:
    """Show the last nights: champion, metrics, rows, duration, what went wrong."""
    from flows.cli.console import nights, rules

    folder = Store(the_store(store))
    records = [record for night in folder.nights()[-last:] if (record := read_json(night.summary))]
    if not records:
        raise ConfigError(f"No night has run in the store {folder.root} yet: `nightrec run` is the first.")
    from tasks.store.locking import in_use

    if not in_use(folder):  # what still says that it is running was killed
        records = [record | ({"status": "interrupted"} if record["status"] == "running" else {}) for record in records]
    console.print(nights(records, read_json(folder.pointer)))
    if (by_rules := rules(records)) is not None:
        console.print(by_rules)


@nightrec.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--users", type=click.IntRange(1), default=8_000, show_default=True)
@click.option("--items", type=click.IntRange(1), default=2_000, show_default=True)
@click.option("--interactions", type=click.IntRange(1), default=250_000, show_default=True)
@click.option("--days", type=click.IntRange(1), default=90, show_default=True, help="How long the site has existed.")
@click.option("--until", type=Day(), help="The day after the last one with data [today].")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--format", "kind", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option("--clean", is_flag=True, help="Without the few dirty rows that validation is to catch.")
def demo(
    folder: Path,
    users: int,
    items: int,
    interactions: int,
    days: int,
    until: date | None,
    seed: int,
    kind: Any,
    clean: bool,
) -> None:
    """Write the tables of an invented site into FOLDER, always the same for the same options."""
    from recmodels.demo import write_site

    written = write_site(
        folder,
        users=users,
        items=items,
        interactions=interactions,
        days=days,
        end=until or date.today(),
        seed=seed,
        dirty=not clean,
        format=kind,
    )
    for table, name in written["files"].items():
        console.print(f"{written['rows'][table]:>12,} {table:<12} {folder / name}", highlight=False, soft_wrap=True)


@nightrec.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("nightrec.toml"))
def init(path: Path) -> None:
    """Write a commented configuration with every setting and its default."""
    from flows.settings.template import template

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise ConfigError(f"{path} exists already; name another file, or remove it first.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
    console.print(f"Wrote {path}: name your tables under \\[inputs], then `nightrec run`.", soft_wrap=True)


def quiet_prefect(debug: bool) -> None:
    """Prefect with its embedded server where no other is configured, without telemetry, its log kept to its UI."""
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "nightrec",
        "GX_ANALYTICS_ENABLED": "false",
    }
    if not debug:
        defaults |= {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL", "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL"}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    logging.raiseExceptions = debug  # an interrupted night cannot send its last log lines, and that is no news


def warm_up(module: str) -> None:
    """Import a slow module beside what comes first: here, the rest of the start of Prefect's server."""
    threading.Thread(target=importlib.import_module, args=(module,), daemon=True).start()


def show_night(store: Path, record: dict[str, Any]) -> None:
    """What a night ends with: who won, the figures, and if it was published where, and one user's list."""
    from flows.cli.console import comparison, recommendations, stages
    from tasks.compare.stage import unbeaten
    from tasks.export.lookup import someone

    if first := unbeaten(record["gate"]):
        console.print(f"[yellow]{first}[/]", soft_wrap=True)
    console.print(stages(record), comparison(record))
    if "export_id" not in record:
        news = f"\nA dry run: [bold]{record['winner']}[/] would be published, {record['reason']}."
        console.print(news, highlight=False, soft_wrap=True)
        return
    ndcg = record["models"][record["winner"]]["ndcg"]
    news = "Published" if record["new_export"] else "Published before"
    console.print(
        f"\n{news}: [bold]{store / 'exports' / record['export_id']}[/]\n"
        f"Winner: [bold]{record['winner']}[/], NDCG@{record['k']} {ndcg['value']:.4f} "
        f"[{ndcg['low']:.4f}, {ndcg['high']:.4f}], {record['reason']}.\n"
        f"Lists: {record['rows']:,} rows for {record['users']:,} users, {record['cold_users']:,} of them with popular "
        f"items only. The night took {record['seconds']:.0f} s.\n",
        highlight=False,
        soft_wrap=True,
    )
    user_id, rows = someone(store, date.fromisoformat(record["run_date"]))
    console.print(recommendations(user_id, rows))


for command in (verify, rollback, diff, pin, unpin, forget, mirror, sink, serve, deploy, worker, report, tune):
    nightrec.add_command(command)


if __name__ == "__main__":
    main()
