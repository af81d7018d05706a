"""Options that several commands share, and the types of their values."""

import errno
from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from flows.cli import completing
from flows.cli.place import the_store
from flows.cli.reading import reading_options, taken_from
from recmodels.compute.memory import size_of
from recmodels.errors import ConfigError, NightrecError
from recmodels.messages import short
from tasks.store.damage import is_damage
from tasks.store.in_step import store_folder

if TYPE_CHECKING:
    from flows.settings.site import NightConfig


class Day(click.ParamType[date]):
    """A date as YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{value!r} is no date: write it as YYYY-MM-DD, for instance 2026-02-28.") from None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return completing.nights(ctx, param, incomplete)


class Mapping(click.ParamType[dict[str, str]]):
    """Column names as ours=theirs[,ours=theirs ...]."""

    name = "OURS=THEIRS,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        pairs = [pair.split("=", 1) for pair in value.split(",")]
        if any(len(pair) != 2 or not all(pair) for pair in pairs):
            raise ConfigError(
                f"{value!r} is no column mapping: write ours=theirs, for instance user_id=customer,item_id=sku."
            )
        return {ours.strip(): theirs.strip() for ours, theirs in pairs}


class Memory(click.ParamType[int]):
    """An amount of memory, in bytes."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return size_of(value)
        except ValueError as error:
            raise ConfigError(f"--memory {short(str(value))}: {error}.") from None


class StorePath(click.Path):
    """The folder of a store, or the address of one in a bucket: its working copy then."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and "://" in value:
            return store_folder(value)
        return super().convert(value, param, ctx)


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--store DIR`; without it the store of ./nightrec.toml, or ./store."""
    return click.option(
        "--store",
        type=StorePath(),
        help="The site's folder, or s3://bucket/path [default: store, or as in nightrec.toml].",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`: the command gets `as_json`. docs/commands.md has what each prints."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def of_a_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--store DIR` of a command that reads what nights have left there, damaged as it may be."""

    @wraps(command)
    def reading(store: Path | None, **rest: Any) -> Any:
        try:
            if store is not None and store.is_file():
                raise ConfigError(f"{store} is a file: name the folder of a store.")
            return command(store=store, **rest)
        except Exception as error:
            if not is_damage(error):
                raise
            if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG and store is not None:
                raise ConfigError(f"{short(str(store))} is too long for the name of a folder.") from None
            if isinstance(error, OSError) and error.errno is not None:  # the file system itself; see `in_words`
                raise
            where, reason = short(str(the_store(store)), 100), short(f"{type(error).__name__}: {error}", 160)
            raise NightrecError(
                f"The store {where} has a damaged file ({reason}): `nightrec verify` checks an export; run a night "
                "again to make its files again."
            ) from error

    return store_option(reading)


def site_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a site's nights read and where they leave their work; the command gets `settings`."""

    @click.option(
        "--interactions",
        metavar="PATH",
        help="Who did what, when: a file, a folder, a glob, a database.",
    )
    @click.option("--items", metavar="PATH", help="The catalogue.")
    @click.option("--users", metavar="PATH", help="The users.")
    @click.option("--exposures", metavar="PATH", help="What was shown to whom, and where in the list.")
    @click.option("--item-vectors", metavar="PATH", help="Vectors of the items, from an encoder of yours, as Parquet.")
    @click.option("--user-vectors", metavar="PATH", help="Vectors of the users, as Parquet.")
    @click.option("--columns", type=Mapping(), help="Your names of the columns of --interactions.")
    @click.option("--item-columns", type=Mapping(), help="The same for --items, as are --item-header and so on.")
    @click.option("--user-columns", type=Mapping(), help="The same for --users, as are --user-header and so on.")
    @click.option("--exposure-columns", type=Mapping(), help="The same for --exposures, as are --exposure-header …")
    @reading_options
    @click.option(
        "--preset",
        metavar="NAME",
        help="Public data set that the inputs are: `nightrec presets` lists them.",
        shell_complete=completing.presets,
    )
    @click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
    @click.option(
        "--memory",
        type=Memory(),
        help="The most memory to plan with, such as 8GiB [all that the machine or its container has].",
    )
    @click.option(
        "--engine",
        type=click.Choice(["local", "ray", "dask", "none"]),
        help="What works on the data [engine.kind]: a cluster of Ray, say; without an address one of this machine.",
    )
    @click.option("--fresh", is_flag=True, help="Do everything again, even what is done.")
    @store_option
    @wraps(command)
    def with_config(
        interactions: str | None,
        items: str | None,
        users: str | None,
        exposures: str | None,
        item_vectors: str | None,
        user_vectors: str | None,
        columns: dict[str, str] | None,
        item_columns: dict[str, str] | None,
        user_columns: dict[str, str] | None,
        exposure_columns: dict[str, str] | None,
        preset: str | None,
        config: Path | None,
        store: Path | None,
        memory: int | None,
        engine: str | None,
        **rest: Any,
    ) -> Any:
        from flows.settings.site import load
        from tasks.ingest.reading.files import check_inputs

        settings = load(config)
        tables = {
            "interactions": (interactions, columns),
            "items": (items, item_columns),
            "users": (users, user_columns),
            "exposures": (exposures, exposure_columns),
            "item_vectors": (item_vectors, None),
            "user_vectors": (user_vectors, None),
        }
        settings = settings.with_inputs(tables, preset, taken_from(rest))
        if (found := settings.tables()) is not None:
            check_inputs(found, exposures=exposures is not None)
        given = {"store": store, "memory": memory}
        settings = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
        if engine is not None:
            settings = settings.model_copy(update={"engine": settings.engine.of_kind(engine)})
        return command(settings=settings, **rest)

    return with_config


def date_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--date D`, today in the site's time zone without it; below `site_options`."""

    @click.option("--date", "run_date", type=Day(), help="The night's date; data before its 00:00 count [today].")
    @wraps(command)
    def with_date(settings: "NightConfig", run_date: date | None, **rest: Any) -> Any:
        return command(settings=settings, run_date=run_date or settings.today(), **rest)

    return with_date


def models_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--models A,B`: the settings with these alone; below `site_options`."""

    @click.option(
        "--models",
        metavar="A,B,…",
        help="Only these models compete [all that are configured].",
        shell_complete=completing.models,
    )
    @wraps(command)
    def with_models(settings: "NightConfig", models: str | None, **rest: Any) -> Any:
        if models:
            settings = settings.only([name.strip() for name in models.split(",") if name.strip()])
        return command(settings=settings, **rest)

    return with_models
