"""`nightrec plan`: what memory, disk and time a night will take, from counts alone."""

import re
from pathlib import Path
from typing import Any

import click

from flows.cli import completing
from flows.cli.options import Memory, json_option, store_option
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError
from recmodels.messages import short

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
MOST = 10**12


class CountOrPath(click.ParamType[int | str]):
    """A number, such as 1000000, 1M or 1e6, or a path."""

    name = "COUNT|PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        found = re.fullmatch(r"([+-]?\d+(?:[,_]\d{3})*(?:\.\d+)?(?:e\d{1,2})?)([kmg]?)", str(value).strip().lower())
        if found is None:
            return str(value)
        count = int(float(re.sub("[,_]", "", found[1])) * UNITS[found[2]])
        if not 0 < count < MOST:
            raise ConfigError(f"{_named(param)} {short(str(value))}: give a number from 1 to 1000G.")
        return count


class Count(CountOrPath):
    """A number alone."""

    name = "COUNT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = super().convert(value, param, ctx)
        if isinstance(found, str):
            raise ConfigError(f"{_named(param)} {short(found)}: give a number, such as 50M.")
        return found


def _named(param: click.Parameter | None) -> str:
    return f"--{param.name}" if param else "The count"


@click.command()
@click.option("--interactions", type=CountOrPath(), help="How many rows, such as 100000000 or 100M; or Parquet files.")
@click.option("--users", type=CountOrPath(), help="How many users.")
@click.option("--items", type=CountOrPath(), help="How many items.")
@click.option("--pairs", type=Count(), help="How many different pairs of user and item.")
@click.option("--cores", type=click.IntRange(1, 4096), help="Of the machine [those of this one].")
@click.option("--memory", type=Memory(), help="Of the machine, such as 8GiB [what a night here would plan with].")
@click.option("--models", metavar="A,B,…", help="Only these [all that compete].", shell_complete=completing.models)
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@store_option
@json_option
def plan(
    interactions: int | str | None,
    users: int | str | None,
    items: int | str | None,
    pairs: int | None,
    cores: int | None,
    memory: int | None,
    models: str | None,
    config: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Say what memory, disk and time each stage and model of a night will take, and which models do not fit.

    Nothing is read but counts: those that are given; else those of the store's last night; else the footers of the
    Parquet files that are configured. What is given replaces what is found.
    """
    from flows.settings.site import load

    settings = load(config)
    settings = settings if store is None else settings.model_copy(update={"store": store})
    if models:
        settings = settings.only([name.strip() for name in models.split(",") if name.strip()])
    from flows.cli.planned import planned

    given = {"interactions": interactions, "users": users, "items": items, "pairs": pairs}
    made = planned(settings, {name: value for name, value in given.items() if value is not None}, cores, memory)
    if as_json:
        echo_json(made.json_ready())
        return
    from flows.cli.console import console
    from flows.cli.planned import sentences, table

    console.print(table(console, made))
    for line in sentences(made):
        echo(line)
