"""`nightrec rules`: what rules of the lists cost and bring, before they are switched on."""

import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import Day, json_option, of_a_store
from flows.cli.shown import echo_json
from recmodels.errors import ConfigError
from recmodels.messages import short
from tasks.lists.settings import ListSettings
from tasks.store.paths import Store

if TYPE_CHECKING:
    from rich.table import Table

    from tasks.lookup.pricing import Prices

NOT_TRIED = {"k", "repeats", "segments", "active_days"}  # as they are, or of no effect on the lists that are measured
GRID = ("calibration=0.1,0.3,0.5,0.7,0.9", "popularity_damping=0.1,0.3,0.6,1", "relevance_weight=0.9,0.7,0.5")
"""What is tried where nothing is named."""

WIDEST = 44  # characters of the name of rules in the table

Try = tuple[str, ListSettings]


@click.command()
@of_a_store
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@click.option(
    "--try",
    "tried",
    metavar="RULE=VALUES",
    multiple=True,
    help="A setting of [export] and the values to try, e.g. calibration=0.3,0.6; may be given several times.",
)
@click.option("--date", "run_date", type=Day(), help="The night whose model and holdout are used [the newest].")
@click.option(
    "--users", type=click.IntRange(1), default=10_000, show_default=True, help="Most users that are measured."
)
@json_option
def rules(
    store: Path | None, config: Path | None, tried: tuple[str, ...], run_date: date | None, users: int, as_json: bool
) -> None:
    """Show what rules of the lists would cost in NDCG, and what they would bring.

    The last night's champion makes the lists of the holdout's users by your rules without those that are tried, and
    then with each value of each of them. Nothing is changed: put what you choose under [export] in nightrec.toml.
    """
    from flows.settings.site import load
    from tasks.lookup.pricing import prices_of

    settings = load(config)
    tries = tries_of(settings.export.measured(settings.evaluation.k), tried)
    folder = Store((store or settings.store).absolute())
    seed = settings.training.seed
    found = prices_of(folder, run_date, tries, settings.features, settings.evaluation, users, seed)
    if as_json:
        echo_json(json_ready(found))
        return
    from flows.cli.console import console

    console.print(table(console, found))
    missed = {value for one in found.each for value in one.missed}
    if missed:
        console.print(f"* not within its bounds: {', '.join(sorted(missed))}", markup=False, highlight=False)


def tries_of(configured: ListSettings, tried: tuple[str, ...]) -> list[Try]:
    """The rules to measure: those of a site without what is tried, and with each value.

    Raises:
        ConfigError: a rule or a value cannot be.
    """
    given = [_parsed(one) for one in tried or GRID]
    without = configured.model_dump(exclude_defaults=True, exclude={path[0] for path, _ in given}) | {"k": configured.k}
    base = ListSettings.model_validate(without)
    name = "the other rules" if base.rerank else "the model's order"
    whole = configured.model_dump(exclude_defaults=True)
    tries = [(name, base)]
    for path, values in given:
        kept = {path[0]: whole[path[0]]} if len(path) > 1 and path[0] in whole else {}
        tries += [_try(without | kept, path, value) for value in values]
    return tries


def _parsed(text: str) -> tuple[list[str], list[Any]]:
    """The path of a setting, and the values to try."""
    name, equals, values = text.partition("=")
    path = name.strip().removeprefix("export.").split(".")
    known = sorted(set(ListSettings.model_fields) - NOT_TRIED)
    if not equals or path[0] not in known:
        raise ConfigError(f"--try {short(text)}: write RULE=VALUES, a rule being one of {', '.join(known)}.")
    try:
        return path, tomllib.loads(f"values = [{values}]")["values"]
    except tomllib.TOMLDecodeError:
        raise ConfigError(
            f"--try {short(text)}: write values as in nightrec.toml, with commas between them: 0.3,0.6."
        ) from None


def _try(without: dict[str, Any], path: list[str], value: Any) -> Try:
    """The rules with one value of one setting."""
    from pydantic import ValidationError

    nested: Any = value
    for at in range(len(path) - 1, 0, -1):
        within = without
        for part in path[:at]:
            within = within.get(part) or {}
        nested = within | {path[at]: nested}
    name = f"{'.'.join(path)} = {_written(value)}"
    try:
        return name, ListSettings.model_validate(without | {path[0]: nested})
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or path[0]
        raise ConfigError(
            f"--try {short(name)}: export.{where}: {mistake['msg'].removeprefix('Value error, ')}."
        ) from None


def _written(value: Any) -> str:
    """A value as in nightrec.toml, on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_written(one)}" for name, one in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def json_ready(found: "Prices") -> dict[str, Any]:
    """What `--json` prints."""
    each = []
    for one in found.each:
        change = None if one.change is None else dict(zip(("value", "low", "high"), one.change, strict=True))
        figures = {name: getattr(one.figures, name) for name in type(one.figures).model_fields}
        each.append({"rules": one.name, **figures, "ndcg_change": change, "missed": list(one.missed)})
    about = {"run_date": str(found.run_date), "model": found.model, "k": found.k, "users": found.users}
    return about | {"tried": each}


def table(console: Any, found: "Prices") -> "Table":
    """A row for each of the rules: its price, and what it brings."""
    from rich.markup import escape

    from flows.cli.tables import Column, fitted
    from recmodels.messages import counted
    from tasks.evaluate.summary import FIGURES

    names = [one.figures.named() for one in found.each]
    shares = [label for label in names[-1] if label not in FIGURES.values()]
    worth = {"diversity": 3, "coverage": 2, "Gini": 4, "popularity lift": 6, "miscalibration": 7, "mean value": 8}
    brief = {"popularity lift": "pop. lift", "miscalibration": "miscal."}
    labels = [label for label in (*worth, *shares) if any(label in one for one in names)]
    columns = [Column("rules"), Column(f"NDCG@{found.k}", right=True), Column("change", right=True)]
    columns += [Column("interval", keep=5)]
    columns += [Column(brief.get(label, label), worth.get(label, 8), right=True) for label in labels]
    rows = []
    for one, figures in zip(found.each, names, strict=True):
        mean, low, high = one.change or (None, None, None)
        ends = "" if low is None else escape(f"[{low:+.4f}, {high:+.4f}]")
        cells = [
            escape(short(one.name, WIDEST)),
            f"{one.figures.ndcg:.4f}",
            "" if mean is None else f"{mean:+.4f}",
            ends,
        ]
        for label in labels:
            star = "*" if label.removeprefix("share of ") in one.missed else ""
            cells.append(f"{figures[label]:.4f}{star}" if label in figures else "")
        rows.append(cells)
    title = f"Rules of the lists, by {escape(found.model)} of {found.run_date} on {counted(found.users, 'user')}"
    return fitted(console, title, columns, rows, [None] * len(rows))
