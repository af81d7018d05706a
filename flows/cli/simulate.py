"""`nightrec simulate`: what a switch would do over many nights, by users who are simulated."""

import sys
from pathlib import Path

import click

from flows.cli import completing
from flows.cli.options import json_option, store_option
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError
from tasks.errors import DEGRADED
from tasks.store.files import read_json


@click.command()
@click.option("--from-store", is_flag=True, help="Users and items like the site's own, as the last night knows them.")
@click.option("--policies", metavar="A,B,…", help="Only these are compared.", shell_complete=completing.policies)
@click.option("--nights", type=click.IntRange(1, 10_000), help="How many nights go by [simulate.nights, 100].")
@click.option("--users", type=click.IntRange(20, 1_000_000), help="Users at most [simulate.users, 5000].")
@click.option("--repetitions", type=click.IntRange(1, 100), help="With other chances each time [1].")
@click.option(
    "--name",
    metavar="NAME",
    help="What it is called [the night's date, or generated].",
    shell_complete=completing.simulations,
)
@click.option("--fresh", is_flag=True, help="Replace what there is under the name.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@store_option
@json_option
def simulate(
    from_store: bool,
    policies: str | None,
    nights: int | None,
    users: int | None,
    repetitions: int | None,
    name: str | None,
    fresh: bool,
    config: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Let many nights go by on simulated users, and say what each policy does in the long run.

    Users choose from the lists and by themselves, models are trained on what they chose, night after night. With
    --from-store they are like the site's own, and what is published is compared with every other candidate, with
    exploration, and with re-ranked lists; without it, the candidates on an invented market.

    Policies run side by side, one a core, and give way to nights, which may go on meanwhile. One that was stopped goes
    on with the same command. docs/simulate.md says what to make of it, and what it cannot know.
    """
    from flows.settings.options import SimulateOptions
    from flows.settings.site import load

    settings = load(config)
    if store is not None:
        if store.is_file():
            raise ConfigError(f"{store} is a file: name the folder of a store.")
        settings = settings.model_copy(update={"store": store})
    chosen = [one.strip() for one in policies.split(",") if one.strip()] if policies is not None else []
    given = {"nights": nights, "users": users, "repetitions": repetitions, "name": name}
    options = SimulateOptions.model_validate(
        {"from_store": from_store, "policies": chosen, "fresh": fresh}
        | {option: value for option, value in given.items() if value is not None}
    )
    from flows.cli.console import console, progress
    from flows.operate.server import embedded_server

    with progress(console, aside=as_json), embedded_server() as ready:
        from flows.simulate import simulated

        ready()
        simulation = simulated(settings, options)
    verdict = read_json(simulation.verdict) or {}
    if as_json:
        echo_json(verdict)
    else:
        from flows.cli.tables import simulated_policies
        from tasks.simulate.table import sentences

        console.print(simulated_policies(console, verdict))
        for sentence in sentences(verdict):
            echo(sentence)
        echo(f"The page: {simulation.page}")
    if verdict["failed"]:
        sys.exit(DEGRADED)
