"""The commands about models: `models` lists and explains them, `tune` searches their hyper-parameters."""

import inspect
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli import completing
from flows.cli.options import Day, json_option, store_option
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError
from tasks.store.paths import Store

if TYPE_CHECKING:
    from flows.settings.engine import EngineSettings
    from recmodels.engine.choice import EngineChoice
    from recmodels.parameters import Parameter


@dataclass(frozen=True)
class Entry:
    """A recommender as `nightrec models` shows it."""

    name: str
    family: str
    about: str
    parameters: "list[Parameter]"

    @property
    def summary(self) -> str:
        """The first sentence of what it is."""
        return " ".join(self.about.partition("\n\n")[0].split())


@click.command()
@click.argument("name", required=False, shell_complete=completing.models)
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@json_option
def models(name: str | None, config: Path | None, as_json: bool) -> None:
    """List the recommenders with their hyper-parameters, defaults and ranges; or explain the one called NAME.

    Besides the built-in ones there are those of installed packages and those that nightrec.toml names as module:Class.
    """
    from recmodels.registry import names

    entries = [entry(one) for one in ([name] if name else [*names(), *configured(config)])]
    if as_json:
        found = [asdict(one) for one in entries]
        echo_json(found[0] if name else found)
    elif name:
        echo("\n".join(explained(entries[0])))
    else:
        echo("\n\n".join(listed(one) for one in entries))
        echo("\nEach of them explained: nightrec models NAME")


def entry(name: str) -> Entry:
    """What there is to say about a recommender.

    Raises:
        ConfigError: there is none of that name.
    """
    from recmodels.parameters import parameters_of
    from recmodels.registry import kind_of

    kind = kind_of(name)
    package, *rest = kind.__module__.split(".")
    family = rest[0] if package == "recmodels" else package
    return Entry(name, family, inspect.getdoc(kind) or "", parameters_of(kind))


def configured(config: Path | None) -> list[str]:
    """The recommenders that a site names by module and class."""
    from flows.settings.site import load

    candidates = load(config).models.values()
    return list(dict.fromkeys(one.recommender for one in candidates if ":" in one.recommender))


def listed(one: Entry) -> str:
    """A recommender in a few lines."""
    parameters = [
        f"{parameter.name} = {shown(parameter.default)}" + (f" ({limits})" if (limits := range_of(parameter)) else "")
        for parameter in one.parameters
    ]
    text = click.wrap_text(", ".join(parameters), 110, "    ", "    ")
    about = click.wrap_text(one.summary, 110, "    ", "    ")
    return f"{one.name} ({one.family})\n{about}\n{text}"


def explained(one: Entry) -> list[str]:
    """A recommender's documentation, and its parameters as a table."""
    rows = [("parameter", "default", "range", "searched", "")]
    rows += [
        (parameter.name, shown(parameter.default), range_of(parameter), search_of(parameter), parameter.doc)
        for parameter in one.parameters
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    table = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    ]
    example = next((f"{row[0]} = {row[1]}" for row in rows[1:]), "")
    return [
        f"{one.name} ({one.family})",
        "",
        one.about,
        "",
        *table,
        "",
        "In nightrec.toml:",
        f"[models.{one.name.rpartition(':')[2].lower()}]",
        *([f'recommender = "{one.name}"'] if ":" in one.name else []),
        *([f"parameters = {{ {example} }}"] if example else []),
    ]


def shown(value: Any) -> str:
    """A value as nightrec.toml has it."""
    return '"none"' if value is None else json.dumps(value, default=str)


def range_of(parameter: "Parameter") -> str:
    """The legal values in short: `≥ 1`, `> 0`, `0 … 1`, or the words to choose from."""
    if parameter.choices:
        return " | ".join(map(str, parameter.choices))
    low, high = parameter.low, parameter.high
    if low is not None and high is not None and not (parameter.above_low or parameter.below_high):
        return f"{low:g} … {high:g}"
    over, under = ("> " if parameter.above_low else "≥ "), ("< " if parameter.below_high else "≤ ")
    parts = ([f"{over}{low:g}"] if low is not None else []) + ([f"{under}{high:g}"] if high is not None else [])
    return ", ".join(parts)


def search_of(parameter: "Parameter") -> str:
    """Where `nightrec tune` searches it."""
    search = parameter.search
    if search is None:
        return ""
    if search.low is not None and search.high is not None:
        return f"{search.low:g} … {search.high:g}" + (" (log)" if search.log else "")
    return " | ".join(map(str, search.values or parameter.choices or (True, False)))


@click.command()
@click.argument("model", shell_complete=completing.models)
@store_option
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@click.option("--date", "run_date", type=Day(), help="The night whose training data are searched on [the newest].")
@click.option(
    "--minutes", type=click.FloatRange(min=0.001), default=30, show_default=True, help="No trial starts later."
)
@click.option("--trials", type=click.IntRange(1), help="Most trials of this process [as many as there is time for].")
@click.option(
    "--backtests",
    "--windows",
    "backtests",
    type=click.IntRange(1, 8),
    default=2,
    show_default=True,
    help="On how many earlier holdouts a trial is measured.",
)
@click.option("--days", type=click.FloatRange(min=0.1), default=7, show_default=True, help="Length of each.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray", "dask", "none"]),
    help="What works on the trials [engine.kind]: a cluster of Ray, say; without an address one of this machine.",
)
@click.option("--write", type=click.Path(path_type=Path), help="Put the winning block into this new file, too.")
def tune(
    model: str,
    store: Path | None,
    config: Path | None,
    run_date: date | None,
    minutes: float,
    trials: int | None,
    backtests: int,
    days: float,
    engine: str | None,
    write: Path | None,
) -> None:
    """Search MODEL's hyper-parameters on days before the holdout, and print the best block for nightrec.toml.

    It can be stopped and goes on when it is started again; started several times, the processes search together.
    """
    from flows.settings.site import load
    from tasks.store.in_step import offer
    from tasks.train.settings import Candidate
    from tasks.train.tuning import block
    from tasks.train.tuning import tune as search

    if write is not None and write.exists():
        raise ConfigError(f"{write} exists already; name another file, or remove it first.")
    settings = load(config)
    folder = Store(store.absolute() if store else settings.store.absolute())
    ready = [night for night in folder.nights() if (night.prepared / "manifest.json").exists()]
    nights = [night for night in ready if run_date in (None, night.run_date)]
    if not nights:
        raise ConfigError(f"No such night has left features in the store {folder.root}: run one first.")
    candidate = settings.models.get(model, Candidate())
    recommender = candidate.recommender or model
    with _working_on(settings.engine if engine is None else settings.engine.of_kind(engine)) as choice:
        found = search(
            nights[-1],
            recommender,
            candidate.parameters,
            minutes=minutes,
            trials=trials,
            backtests=backtests,
            days=days,
            k=settings.evaluation.k,
            seed=settings.training.seed,
            say=lambda line: echo(line, err=True),
            engine=choice,
        )
    offer(folder)
    lines = block(model, recommender, found.params)
    configured = "what is configured could not be measured"
    if found.default is not None:
        configured = f"{found.default:.4f} as configured"
    echo(
        f"# NDCG@{settings.evaluation.k} {found.value:.4f} before the holdout, {configured}; "
        f"{found.tried} trials, kept in {found.file}"
    )
    click.echo(lines, nl=False)
    if write is not None:
        write.write_text(lines, encoding="utf-8")


def _working_on(settings: "EngineSettings") -> "AbstractContextManager[EngineChoice | None]":
    """The engine of the settings for a block; where they name none, nothing is imported for it."""
    if settings.choice is None:
        return nullcontext()
    from flows.execution.engines import engine_for

    if settings.fallback is None:
        settings.choice.knock()
    return engine_for(settings)
