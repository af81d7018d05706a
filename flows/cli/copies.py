"""The commands that bring copies of the exports up to date: `mirror` and `sink`."""

from pathlib import Path

import click

from flows.cli.options import of_a_store
from flows.cli.shown import echo
from recmodels.errors import ConfigError, NightrecError
from recmodels.messages import counted, short
from recmodels.published.addresses import shown
from tasks.store.paths import Store


@click.command()
@click.option("--to", metavar="URL", help="Where to [mirror.to of the settings].")
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@of_a_store
def mirror(to: str | None, config: Path | None, store: Path | None) -> None:
    """Bring the copy of the exports up to date, after a rollback or when someone was forgotten.

    A night does this by itself where `mirror.to` is set. The URL is s3://bucket/prefix, gs://bucket/prefix,
    abfss://container@account.dfs.core.windows.net/prefix or file:///folder; credentials come from the environment.
    """
    from flows.settings.site import load
    from tasks.publish.mirror import mirror as copy
    from tasks.store.working_copy import address_of

    settings = load(config)
    folder = Store((store or settings.store).absolute())
    if not (url := to or settings.mirror.to or address_of(folder.root)):
        raise ConfigError("There is no copy to bring up to date: name it with --to, or set mirror.to.")
    try:
        done = copy.fn(folder, url)
    except OSError as error:
        if error.errno is not None:  # the file system of the store
            raise
        raise NightrecError(
            f"The copy at {shown(url)} is not reached ({short(str(error), 150)}): see that its service runs and lets "
            "you write, and run it again: it goes on where it was."
        ) from error
    echo(f"Copied: {', '.join(done['copied']) or 'nothing'}. Removed: {', '.join(done['removed']) or 'nothing'}.")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@of_a_store
def sink(names: tuple[str, ...], config: Path | None, store: Path | None) -> None:
    """Load the current export into the sinks: the databases that `[sinks]` configures, or those of them that are named.

    A night does this by itself. Do it by hand when a sink failed, after a rollback, or when someone was forgotten.
    """
    from flows.settings.site import load
    from tasks.publish.sinks.load import load as load_sinks
    from tasks.publish.sinks.load import remember
    from tasks.publish.sinks.settings import failures
    from tasks.store.locking import held

    settings = load(config)
    configured = settings.sinks.configured()
    if not configured or set(names) - set(configured):
        there = ", ".join(configured) or "none"
        raise ConfigError(f"No such sink is configured (there is {there}): give it a table such as [sinks.redis].")
    sinks = settings.sinks.only(names or configured)
    folder = Store((store or settings.store).absolute())
    with held(folder):
        outcome = load_sinks(folder, sinks, fresh=True, task=False)
        remember(folder, outcome)
    for name, one in outcome.items():
        if "failed" not in one:
            rows = sum(table["rows"] for table in one["tables"].values())
            echo(f"{name}: {one['export_id']}, {counted(rows, 'row')} read back.")
    if wrong := failures({"sinks": outcome}):
        raise NightrecError(" ".join(wrong))
