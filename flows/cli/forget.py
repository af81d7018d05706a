"""The command that forgets a user."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import of_a_store
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError, NightrecError
from tasks.store.paths import Store

if TYPE_CHECKING:
    from flows.settings.site import NightConfig
    from tasks.forgetting.forget import Outside
    from tasks.forgetting.receipt import Receipt


@click.command()
@click.argument("user_id")
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@click.option("--json", "as_json", is_flag=True, help="Print the receipt as JSON, for scripts.")
@of_a_store
def forget(user_id: str, config: Path | None, as_json: bool, store: Path | None) -> None:
    """Remove a user from the store, its copy, its databases, and Prefect's.

    Remove them from your own tables first (or set `opted_out`): the next night trains on these. Models of nights that
    were trained on the user go, too. The receipt that is printed is kept in forgotten.jsonl, without the id. What could
    not be done is in it, and the same command again completes it: the exit code is 1 until then, and 2 for a user who
    is nowhere.
    """
    from flows.settings.site import load
    from tasks.forgetting.forget import forget as remove
    from tasks.store.in_step import leave_nothing
    from tasks.store.locking import held

    settings = load(config)
    folder = Store((store or settings.store).absolute())
    if not folder.root.is_dir():
        raise ConfigError(f"There is no store {folder.root}: name it with --store.")
    theirs = config is not None or folder.root == settings.store.absolute()
    with held(folder):
        receipt = remove(folder, user_id, _outside(settings, folder, theirs))
        leave_nothing(folder)
    if as_json:
        echo_json(receipt.json_ready())
    else:
        for place in receipt.places:
            echo(f"{place.name}: {place.sentence}.")
    _conclude(receipt, folder, quiet=as_json)


def _outside(settings: "NightConfig", store: Store, theirs: bool) -> "Outside":
    """What there is besides the store; copies and databases only by the settings of this store, not of another."""
    from flows.operate.database import prefect_places
    from tasks.forgetting.forget import Outside
    from tasks.publish.sinks.settings import SinkSettings
    from tasks.store.working_copy import address_of

    home, database, api = prefect_places()
    return Outside(
        mirror=(settings.mirror.to if theirs else None) or address_of(store.root),
        sinks=settings.sinks if theirs else SinkSettings(),
        prefect_home=home,
        prefect_database=database,
        prefect_server=api is not None,
    )


def _conclude(receipt: "Receipt", store: Store, quiet: bool) -> None:
    """Say how it ended as a whole, by the exit code, too."""
    if not receipt.complete:
        n = len(receipt.failures)
        raise NightrecError(
            f"Not all of it could be done ({n} {'failure' if n == 1 else 'failures'}, as printed): mend that and run "
            f"the same command again. Reference: {receipt.reference}."
        )
    if not receipt.found and not receipt.resumed:
        raise ConfigError(
            f"Nothing in {store.root} is of this user: check how your tables write the id, of which only blanks at its "
            "ends do not matter."
        )
    if not quiet:
        echo(f"The user is forgotten. Reference: {receipt.reference}")
