"""`nightrec replay`: nights of the past once more, and how their lists were followed by what people did."""

from datetime import date
from typing import TYPE_CHECKING

import click

from flows.cli.options import Day, json_option, models_option, site_options
from flows.cli.shown import echo, echo_json

if TYPE_CHECKING:
    from flows.settings.site import NightConfig


@click.command()
@site_options
@models_option
@click.option("--from", "first", type=Day(), required=True, help="The first night.")
@click.option("--to", "last", type=Day(), required=True, help="The last night.")
@click.option("--every", type=click.IntRange(1, 366), default=1, show_default=True, help="Days between nights.")
@click.option(
    "--horizon",
    type=click.IntRange(1, 366),
    help="Days after a night whose interactions its lists are held against [until the next night].",
)
@click.option("--parallel", type=click.IntRange(1, 64), help="Nights at a time [one a core].")
@click.option("--name", metavar="NAME", help="Of its folder in replays/ [by its range].")
@json_option
def replay(
    settings: "NightConfig",
    fresh: bool,
    first: date,
    last: date,
    every: int,
    horizon: int | None,
    parallel: int | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Replay nights of the past, and hold each model's lists against what people did next.

    Nothing that is published is touched. What is measured already is not done again.
    """
    from pydantic import ValidationError

    from flows.settings.checks import check_installed
    from flows.settings.options import ReplayOptions
    from recmodels.errors import ConfigError

    check_installed(settings)
    try:
        given = {"horizon": horizon, "parallel": parallel, "name": name}
        asked = {"first": first, "last": last, "every": every, "fresh": fresh}
        options = ReplayOptions.model_validate(asked | {key: one for key, one in given.items() if one is not None})
    except ValidationError:
        raise ConfigError(f"--name {name!r:.40} is no name of a folder: use small letters, digits, - and _.") from None
    from flows.cli.console import console, progress
    from flows.replay import NightsNotReplayed, replaying
    from tasks.replay.result import PAGE, told

    failure = None
    with progress(console, aside=as_json):
        try:
            result = replaying(settings, options)
        except NightsNotReplayed as error:
            result, failure = error.result, error
    if as_json:
        echo_json(result)
    else:
        for line in result["sentences"]:
            echo(line)
        echo(f"{told(result)}: {options.spec(settings).root / PAGE}")
    if failure is not None:
        raise failure
