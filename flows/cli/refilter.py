"""`nightrec refilter`: the current export without what is sold out or withdrawn since the night."""

from dataclasses import asdict
from pathlib import Path

import click

from flows.cli.options import json_option, of_a_store
from flows.cli.shown import echo, echo_json
from recmodels.messages import counted
from tasks.store.paths import Store


@click.command()
@click.option("--items", metavar="PATH", help="The catalogue as it is now, written as that of the nights [the same].")
@click.option("--changes", is_flag=True, help="The table has only what has changed: what it lacks is still there.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@of_a_store
@json_option
def refilter(items: str | None, changes: bool, config: Path | None, store: Path | None, as_json: bool) -> None:
    """Publish the current export again without items that are sold out or withdrawn since.

    An item is gone if the table says that it is not available, or does not have it any more. The lists that had one are
    made anew by the model of that night, under its rules; nothing is trained. An item that is back is listed again.
    """
    from flows.refilter import bring_up_to_date
    from flows.settings.site import load
    from tasks.store.locking import held

    settings = load(config)
    if store is not None:
        settings = settings.model_copy(update={"store": store})
    with held(Store(settings.store.absolute())):
        found = bring_up_to_date(settings, items, complete=not changes)
    if as_json:
        echo_json(asdict(found))
    elif found.published:
        gone, lists = counted(found.items, "item"), counted(found.lists, "list")
        echo(f"Published as {found.export_id}: {found.of} without {gone}, with {lists} made anew.")
    else:
        echo(f"{found.export_id} is without {counted(found.items, 'gone item')} already: nothing is published.")
