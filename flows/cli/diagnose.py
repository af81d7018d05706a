"""`nightrec diagnose`: what foretells a user's next item, and whether there is an order to learn."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import Day, json_option, of_a_store
from flows.cli.place import the_store
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError
from tasks.store.manifests import finished
from tasks.store.paths import Night, Store

if TYPE_CHECKING:
    from recmodels.diagnosis import Diagnosis

NAMED = 5  # nights that are there, where another is asked for
WAYS = {
    "popularity": "what is popular",
    "recent_popularity": "what was popular in the last week",
    "together": "what goes together, in whatever order",
    "last_item": "what follows the last item",
    "last_items": "what follows the last ten items",
}


@click.command()
@click.option("--date", "run_date", type=Day(), help="The log of that night [the newest].")
@of_a_store
@json_option
def diagnose(run_date: date | None, store: Path | None, as_json: bool) -> None:
    """Say what foretells a user's next item: popularity, what goes together, or the order of the history.

    Each user's last interaction is held out and foretold by counting, which takes seconds. Where the order says
    nothing, a transformer has nothing to learn from it.
    """
    from recmodels.data.dataset import Dataset
    from recmodels.diagnosis import diagnose as diagnosed

    folder = Store(the_store(store))
    found = diagnosed(Dataset.load(night_of(folder, run_date).features, "full"))
    if as_json:
        echo_json(asdict(found) | {"verdict": found.verdict, "says": found.says})
        return
    for line in in_words(found):
        echo(line)


def night_of(store: Store, run_date: date | None) -> Night:
    """The night of a date, without one the newest, whose features are there. Raises ConfigError where there is none."""
    nights = [night for night in store.all_nights() if finished(night.prepared) and finished(night.features / "full")]
    if not nights:
        raise ConfigError(f"No night of the store {store.root} has its features any more: run one with `nightrec run`.")
    there = {night.run_date: night for night in nights}
    if run_date is None or run_date in there:
        return there[run_date] if run_date else nights[-1]
    newest = ", ".join(str(day) for day in [*there][: -NAMED - 1 : -1])
    raise ConfigError(f"The store {store.root} has no features of the night {run_date}; the newest it has: {newest}.")


def in_words(found: "Diagnosis") -> list[str]:
    """The figures, the best way last, and the verdict."""
    width = max(map(len, WAYS.values()))
    lines = [f"How well the next item of {found.users:,} users is foretold (NDCG@{found.k}) by"]
    lines += [f"  {WAYS[name]:<{width}}  {value:.4f}" for name, value in found.ndcg.items()]
    for name, gain in (("The order", found.order), ("What comes before the last item", found.history)):
        lines.append(f"{name} adds {gain.mean:+.4f} (95% interval {gain.low:+.4f} to {gain.high:+.4f}).")
    lines.append(
        f"After an item come some {found.choices:.0f} others, as if all were equally likely; {found.followed:.0%} of "
        "the next items had come directly after the same item before."
    )
    if found.tied > 0.5:
        lines.append(f"{found.tied:.0%} of the interactions have the time of the one before: their order may be none.")
    return [*lines, found.says]
