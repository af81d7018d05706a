"""What the shell completes: models, nights, exports, users and presets, as far as they are there."""

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from flows.cli.place import the_store
from flows.cli.shown import echo
from recmodels.errors import ConfigError
from tasks.store.in_step import store_folder
from tasks.store.paths import Store

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
MOST = 50  # users that are offered
DIGITS = 12  # that may follow those of an id that is a number


def among(find: Callable[[click.Context, str], Iterable[str]]) -> Complete:
    """A completion from what `find` finds; where it cannot look, it offers nothing, and never an error."""

    @wraps(find)
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return [CompletionItem(text) for text in find(ctx, incomplete) if text.startswith(incomplete)]
        except Exception:
            return []

    return complete


def _store(ctx: click.Context) -> Store:
    store = ctx.params.get("store")
    return Store(the_store(store_folder(store) if store else None))


@among
def nights(ctx: click.Context, _: str) -> Iterable[str]:
    """The dates of the nights that the store has, newest first."""
    return [str(night.run_date) for night in reversed(_store(ctx).all_nights())]


@among
def exports(ctx: click.Context, _: str) -> Iterable[str]:
    """The exports that the store has, newest first."""
    return list(reversed(_store(ctx).export_ids()))


@among
def models(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """The recommenders, and the models that nightrec.toml names; after a comma the next one."""
    import tomllib

    from recmodels.registry import names

    path = Path(ctx.params.get("config") or "nightrec.toml")
    configured = tomllib.loads(path.read_text(encoding="utf-8")).get("models", {}) if path.exists() else {}
    before, comma, _ = incomplete.rpartition(",")
    taken = before.split(",")
    return [f"{before}{comma}{name}" for name in dict.fromkeys([*configured, *names()]) if name not in taken]


@among
def policies(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """What a simulation can compare: policies of nightrec.toml, models, and those that only a simulation has."""
    import tomllib

    from recmodels.registry import names

    path = Path(ctx.params.get("config") or "nightrec.toml")
    content = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    own, configured = content.get("simulate", {}).get("policies", {}), content.get("models", {})
    before, comma, _ = incomplete.rpartition(",")
    taken = before.split(",")
    found = dict.fromkeys([*own, *configured, *names(), "champion", "random", "oracle"])
    return [f"{before}{comma}{name}" for name in found if name not in taken]


@among
def simulations(ctx: click.Context, _: str) -> Iterable[str]:
    """The simulations that the store has, newest first."""
    from tasks.store.simulations import simulations as of

    return [one.name for one in reversed(of(_store(ctx)))]


@among
def presets(_: click.Context, __: str) -> Iterable[str]:
    """The public data sets that are read by name."""
    from tasks.ingest.reading.presets.catalog import PRESETS

    return list(PRESETS)


@among
def users(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Users of the current export who have not opted out since; only the row groups that may have them are read."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    from pyarrow import types

    from recmodels.published.reader import Export
    from tasks.lookup.published import without_opted_out

    store = _store(ctx)
    export = Export.latest(store.root)
    lists = ds.dataset(export.folder / "topk", format="parquet")
    user = pc.field("user_id")
    if types.is_integer(lists.schema.field("user_id").type):
        begin = int(incomplete or 1)
        wanted = pc.scalar(False)
        for more in range(DIGITS):
            wanted = wanted | ((user >= begin * 10**more) & (user < (begin + 1) * 10**more))
    else:
        wanted = (user >= incomplete) & (user < incomplete + "\U0010ffff")
    found = lists.scanner(columns=["user_id"], filter=wanted & (pc.field("rank") == 1)).head(MOST)
    return [str(one) for one in without_opted_out(store, export, found)["user_id"].to_pylist()]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that makes SHELL complete commands, options, models, nights, exports, users and presets."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ConfigError(f"{shell} cannot be completed: choose bash, zsh or fish.")
    echo(kind(click.get_current_context().find_root().command, {}, "nightrec", "_NIGHTREC_COMPLETE").source())
