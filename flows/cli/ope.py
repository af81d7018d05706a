"""`nightrec ope`: what models and other policies would have earned, by what exploration has shown."""

from pathlib import Path

import click

from flows.cli import completing
from flows.cli.options import json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL ...]", shell_complete=completing.models)
@click.option("--days", type=click.IntRange(1), help="Of how many days the exposures are [feedback.ope_days].")
@click.option("--policy", type=click.Path(path_type=Path), help="A policy of your own: Parquet with user_id, item_id.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@of_a_store
@json_option
def ope(
    models: tuple[str, ...],
    days: int | None,
    policy: Path | None,
    config: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Say what models would have earned, by the places of lists that exploration has drawn.

    Every model that proposed something in those days is judged by default, and what is published without exploration,
    what was done, and one of the models at random. The file of a policy has the items that it shows to each user in
    such a place, with the column probability where it chooses at random.

    A verdict says whether to trust a value, to doubt it, or that it is refused, and why.
    """
    from flows.settings.site import load
    from tasks.offpolicy.asked import asked

    settings = load(config)
    folder = settings.store if store is None and config is not None else the_store(store)
    found = asked(folder, settings.cutoff, list(models) or None, days or settings.feedback.ope_days, policy)
    if as_json:
        echo_json(found.json_ready())
        return
    from flows.cli.console import console
    from flows.cli.tables import off_policy

    console.print(off_policy(console, found))
    for sentence in [found.about, *found.sentences]:
        echo(sentence)
