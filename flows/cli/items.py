"""`nightrec item`: who gets an item, and why it is not shown."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError
from recmodels.messages import counted
from tasks.store.paths import Store

if TYPE_CHECKING:
    from tasks.lookup.items import ItemSeen, Titled

SIMILAR = 5  # items that are named


@click.command()
@click.argument("item")
@of_a_store
@click.option(
    "--export", "name", metavar="D", help="The export: a night's newest by its date, or <date>.n [the latest]."
)
@json_option
def item(item: str, store: Path | None, name: str | None, as_json: bool) -> None:
    """Show in how many lists an item is, who gets it, what is similar to it, and why it is not shown.

    ITEM is its id or its title, or a part of one: where several items have it, they are listed.
    """
    from tasks.lookup.items import item_seen, search

    folder = Store(the_store(store))
    found = search(folder, item, name)
    exact = [one for one in found if len(found) == 1 or str(one.item_id) == item.strip()]
    if not found:
        raise ConfigError(f"No item has {item[:40]} in its title or its id: `nightrec item` takes a part of either.")
    if not exact:
        show_found(found, as_json)
        return
    seen = item_seen(folder, str(exact[0].item_id), name)
    if as_json:
        echo_json(asdict(seen))
    else:
        for line in in_words(seen):
            echo(line)


def show_found(found: "list[Titled]", as_json: bool) -> None:
    if as_json:
        echo_json({"found": [{"item_id": one.item_id, "title": one.title} for one in found]})
        return
    for one in found:
        echo(f"{one.item_id}  {one.title or ''}".rstrip())


def in_words(seen: "ItemSeen") -> list[str]:
    """An item, a sentence a line."""
    name = f"{seen.title} ({seen.item_id})" if seen.title else str(seen.item_id)
    if seen.lists is None:
        lines = [f"{name}: the export {seen.export_id} does not say in how many lists an item is."]
    else:
        share = f" ({seen.lists / max(1, seen.users):.2%})" if seen.lists else ""
        rank = "" if seen.mean_rank is None else f", at rank {seen.mean_rank:.1f} on average"
        lines = [f"{name}: in {seen.lists:,} of {counted(seen.users, 'list')}{share} of {seen.export_id}{rank}."]
    lines += [text.replace("`", "") for text in seen.why]
    if seen.sample:
        who = "Who gets it" if len(seen.sample) == seen.lists else "Some who get it"
        lines.append(f"{who}: {', '.join(f'{user} (rank {rank})' for user, rank in seen.sample)}.")
    if seen.similar:
        names = ", ".join(f"{one.title or one.item_id}" for one in seen.similar[:SIMILAR])
        lines.append(f"Similar, by {seen.similar_by}: {names}.")
    if len(seen.exposure) > 1:
        nights = ", ".join(f"{one.export_id} {one.share:.2%}" for one in seen.exposure)
        lines.append(f"Of all lists, by night: {nights}.")
    return lines
