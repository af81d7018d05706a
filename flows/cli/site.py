"""The commands that set up a site: `init`, and `demo`, whose site goes on."""

from datetime import date, timedelta
from pathlib import Path
from shlex import quote
from typing import Any

import click
from click.core import ParameterSource

from flows.cli.options import Day
from flows.cli.shown import echo
from recmodels.errors import ConfigError
from recmodels.messages import counted


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--kind",
    "shop",
    type=click.Choice(["media", "grocery"]),
    default="media",
    show_default=True,
    help="A media shop; or a grocer, where people buy the same again (1,000 users and items, 180 days, unless given).",
)
@click.option("--users", type=click.IntRange(1), default=8_000, show_default=True)
@click.option("--items", type=click.IntRange(1), default=2_000, show_default=True)
@click.option("--interactions", type=click.IntRange(1), default=250_000, show_default=True)
@click.option("--days", type=click.IntRange(1), default=90, show_default=True, help="How long the site has existed.")
@click.option("--until", type=Day(), help="The day after the last one with data [today].")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--format", "kind", type=click.Choice(["parquet", "csv"]), default="parquet", show_default=True)
@click.option(
    "--dirty",
    type=click.Choice(["none", "light", "heavy"]),
    default="light",
    show_default=True,
    help="None; a few faulty rows that validation is to catch; or files as they lie on real disks, of many kinds.",
)
@click.option("--files", type=click.IntRange(1), default=1, show_default=True, help="Of the interactions, by time.")
@click.option(
    "--domains",
    type=click.IntRange(1, 3),
    default=1,
    show_default=True,
    help="Catalogues with users in common: books and films, or audiobooks, too; with nightrec.toml.",
)
@click.option("--clean", is_flag=True, help="The same as --dirty none, for this one release.")
@click.option(
    "--react",
    "store",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="STORE",
    help="Append a day to the site in FOLDER: what its users do with the lists that STORE has published.",
)
@click.pass_context
def demo(
    context: click.Context,
    folder: Path,
    shop: str,
    users: int,
    items: int,
    interactions: int,
    days: int,
    until: date | None,
    seed: int,
    kind: Any,
    dirty: Any,
    files: int,
    domains: int,
    clean: bool,
    store: Path | None,
) -> None:
    """Write the tables of an invented site into FOLDER, always the same for the same options.

    With --react its users go on: they see the lists of STORE, click, look around, and change their taste. The day comes
    as two files of its own, interactions-DATE.parquet and exposures-DATE.parquet, which the next night reads.
    """
    if store is not None:
        if given := [option.opts[-1] for option in context.command.params if _is_given(context, option)]:
            raise ConfigError(f"With --react the site is the one in {folder}: leave out {given[0]}.")
        _react(folder, store)
        return
    if domains > 1 and (kind != "parquet" or dirty == "heavy" or files > 1):
        raise ConfigError("With --domains the tables are plain Parquet: leave out --format, --dirty, --files.")
    from recmodels.demo import split_site, write_grocery, write_site

    if shop == "grocery":
        _told(folder, write_grocery(folder, **_grocer(context), end=until or date.today(), format=kind))
        return
    written = write_site(
        folder,
        users=users,
        items=items,
        interactions=interactions,
        days=days,
        end=until or date.today(),
        seed=seed,
        dirty="none" if clean else dirty,
        format=kind,
        files=files,
    )
    if domains > 1:
        written = split_site(folder, domains)
    _told(folder, written)
    if odd := written.get("written"):
        echo()
        for file in odd:
            echo(f"{f'{file.rows:,}' if file.rows else '':>12} {file.name}: {file.what}")


def _told(folder: Path, written: dict[str, Any]) -> None:
    for table, name in written["files"].items():
        echo(f"{written['rows'][table]:>12,} {table:<12} {folder / name}")


def _grocer(context: click.Context) -> dict[str, Any]:
    """What was given of a grocer. Raises ConfigError for what it has not."""
    given = {str(option.name): option.opts[-1] for option in context.command.params if _is_given(context, option)}
    if wrong := [option for name, option in given.items() if name in ("dirty", "files", "clean", "domains")]:
        raise ConfigError(f"--kind grocery writes clean tables of one file each: leave out {wrong[0]}.")
    return {name: context.params[name] for name in ("users", "items", "interactions", "days", "seed") if name in given}


def _is_given(context: click.Context, option: click.Parameter) -> bool:
    """Whether an option that describes a new site was given."""
    of_all = option.name in ("folder", "store")
    return not of_all and context.get_parameter_source(str(option.name)) is not ParameterSource.DEFAULT


def _react(folder: Path, store: Path) -> None:
    """Write the day for which the store's current lists were made, and say how the night after it is run."""
    from recmodels.demo import write_day
    from recmodels.published.reader import Export

    export = Export.latest(store)
    day = date.fromisoformat(export.manifest["run_date"])
    done = write_day(folder, day, str(export.manifest["export_id"]), export.table("topk"))
    came, seen = counted(done.visitors, "user"), counted(done.seen, "place")
    echo(f"{day}: {came} came, saw {seen} of their lists and clicked {done.clicks:,}.")
    echo(f"{done.rows:>12,} {'interactions':<12} {done.interactions}")
    echo(f"{done.seen:>12,} {'exposures':<12} {done.exposures}")
    tables = {"interactions": "interactions*.parquet", "items": "items.parquet", "users": "users.parquet"}
    tables["exposures"] = "exposures-*.parquet"
    paths = " ".join(f"--{name} {quote(str(folder / files))}" for name, files in tables.items())
    echo(f"Next: nightrec run --date {day + timedelta(days=1)} {paths} --store {quote(str(store))}")


@click.command()
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
    echo(f"Wrote {path}: name your tables under [inputs], then `nightrec run`.")
