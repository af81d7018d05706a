"""The command line: ``nightrec``. Heavy imports wait until a command needs them."""

import importlib
import json
import logging
import os
import sys
import threading
import tomllib
from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from recmodels.errors import ConfigError, NightrecError
from tasks.store import Store, read_json

if TYPE_CHECKING:
    from flows.config import NightConfig

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


class Day(click.ParamType[date]):
    """A date as YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{value!r} is no date: write it as YYYY-MM-DD, for instance 2026-02-28.") from None


class Mapping(click.ParamType[dict[str, str]]):
    """Column names as ours=theirs[,ours=theirs ...]."""

    name = "OURS=THEIRS,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        pairs = [pair.split("=", 1) for pair in value.split(",")]
        if any(len(pair) != 2 or not all(pair) for pair in pairs):
            raise ConfigError(
                f"{value!r} is no column mapping: write ours=theirs, for instance user_id=customer,item_id=sku."
            )
        return {ours.strip(): theirs.strip() for ours, theirs in pairs}


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--store DIR``; without it the store of ./nightrec.toml, or ./store."""
    return click.option(
        "--store", type=click.Path(path_type=Path), help="The site's folder [default: store, or as in nightrec.toml]."
    )(command)


def night_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a night reads and where it leaves its work: the options of ``run`` and ``validate``."""

    @click.option("--interactions", metavar="PATH", help="Who did what, when: a file, a folder or a glob.")
    @click.option("--items", metavar="PATH", help="The catalogue.")
    @click.option("--users", metavar="PATH", help="The users.")
    @click.option("--columns", type=Mapping(), help="Your names of the columns of --interactions.")
    @click.option("--item-columns", type=Mapping(), help="The same for --items.")
    @click.option("--user-columns", type=Mapping(), help="The same for --users.")
    @click.option("--preset", metavar="NAME", help="Known layout of the inputs: movielens or amazon.")
    @click.option("--date", "run_date", type=Day(), help="The night's date; data before its 00:00 count [today].")
    @click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
    @click.option("--fresh", is_flag=True, help="Do everything again, even what is done.")
    @store_option
    @wraps(command)
    def with_config(
        interactions: str | None,
        items: str | None,
        users: str | None,
        columns: dict[str, str] | None,
        item_columns: dict[str, str] | None,
        user_columns: dict[str, str] | None,
        preset: str | None,
        run_date: date | None,
        config: Path | None,
        store: Path | None,
        **rest: Any,
    ) -> Any:
        from flows.config import load

        settings = load(config)
        tables = {
            "interactions": (interactions, columns),
            "items": (items, item_columns),
            "users": (users, user_columns),
        }
        settings = settings.with_inputs(tables, preset)
        if store is not None:
            settings = settings.model_copy(update={"store": store})
        return command(settings=settings, run_date=run_date or settings.today(), **rest)

    return with_config


@nightrec.command()
@night_options
@click.option("--models", metavar="A,B,…", help="Only these models compete [all that are configured].")
@click.option("--k", type=click.IntRange(1, 1000), help="Items in a user's list [10].")
def run(settings: "NightConfig", run_date: date, fresh: bool, models: str | None, k: int | None) -> None:
    """Run one night, here and now; without --interactions on a built-in demo site."""
    if models:
        settings = settings.only([name.strip() for name in models.split(",") if name.strip()])
    if k:
        settings = settings.model_copy(update={"export": settings.export.model_copy(update={"k": k})})
    from flows.console import progress
    from flows.server import embedded_server

    with progress(console), embedded_server() as ready:
        from flows.nightly import nightly

        if fresh or not Store(settings.store).night(run_date).valid.exists():
            warm_up("great_expectations")
        ready()
        record = nightly(settings, run_date, fresh)
    show_night(settings.store, record)


@nightrec.command()
@night_options
def validate(settings: "NightConfig", run_date: date, fresh: bool) -> None:
    """Read and check the inputs, and stop there."""
    from flows.console import progress
    from flows.server import embedded_server

    with progress(console), embedded_server() as ready:
        from flows.checking import checking

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
    from flows.lookup import list_of

    rows = list_of(the_store(store), user_id, run_date)
    if as_json:
        click.echo(json.dumps(rows, default=str, ensure_ascii=False))
        return
    from flows.console import recommendations

    console.print(recommendations(user_id, rows))


@nightrec.command()
@store_option
@click.option("--last", type=click.IntRange(1), default=7, show_default=True, help="How many nights.")
def status(store: Path | None, last: int) -> None:
    """Show the last nights: champion, metrics, rows, duration, what went wrong."""
    from flows.console import nights

    folder = Store(the_store(store))
    records = [record for night in folder.nights()[-last:] if (record := read_json(night.summary))]
    if not records:
        raise ConfigError(f"No night has run in the store {folder.root} yet: `nightrec run` is the first.")
    if not folder.in_use():  # what still says that it is running was killed
        records = [record | ({"status": "interrupted"} if record["status"] == "running" else {}) for record in records]
    console.print(nights(records, read_json(folder.pointer)))


@nightrec.command()
@store_option
@click.option("--date", "run_date", type=Day(), help="The export of that night [the latest].")
def verify(store: Path | None, run_date: date | None) -> None:
    """Check an export against its manifest and its contract."""
    from flows.lookup import verified

    console.print(verified(the_store(store), run_date), highlight=False, soft_wrap=True)


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
    from flows.template import template

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise ConfigError(f"{path} exists already; name another file, or remove it first.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
    console.print(f"Wrote {path}: name your tables under [inputs], then `nightrec run`.", soft_wrap=True)


def the_store(store: Path | None) -> Path:
    """The named store, else that of ./nightrec.toml, else ./store."""
    if store is not None:
        return store
    try:
        return Path(tomllib.loads(Path("nightrec.toml").read_text(encoding="utf-8")).get("store", "store"))
    except (OSError, ValueError):
        return Path("store")


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
    """What a night ends with: where the export is, who won, the figures, and one user's list."""
    from flows.console import comparison, recommendations, stages
    from flows.lookup import someone

    console.print(stages(record), comparison(record))
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


if __name__ == "__main__":
    main()
