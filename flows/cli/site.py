"""The commands that set up a site: `init` and `demo`."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from flows.cli.options import Day
from flows.cli.shown import echo
from recmodels.errors import ConfigError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
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
@click.option("--clean", is_flag=True, help="The same as --dirty none, for this one release.")
def demo(
    folder: Path,
    users: int,
    items: int,
    interactions: int,
    days: int,
    until: date | None,
    seed: int,
    kind: Any,
    dirty: Any,
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
        dirty="none" if clean else dirty,
        format=kind,
    )
    for table, name in written["files"].items():
        echo(f"{written['rows'][table]:>12,} {table:<12} {folder / name}")
    if files := written.get("written"):
        echo()
        for file in files:
            echo(f"{f'{file.rows:,}' if file.rows else '':>12} {file.name}: {file.what}")


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
