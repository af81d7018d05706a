"""`nightrec inspect`: what files hold, and how a night would read them."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.options import Day, Mapping
from flows.cli.reading import OF_FILES, meant
from flows.cli.shown import echo, echo_json
from recmodels.errors import ConfigError, DataRefused
from tasks.errors import CODES

if TYPE_CHECKING:
    from tasks.ingest.inspection.findings import Inspection


def _reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a table that say how its files are written, as `nightrec run` has them for the interactions."""
    for one in reversed(OF_FILES):
        option, kind = f"--{one.name.replace('_', '-')}", None if one.flag else one.metavar
        command = click.option(option, one.name, metavar=kind, is_flag=one.flag, default=None, help=one.help)(command)
    return command


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("--date", "run_date", type=Day(), help="The night to judge by [the day after the newest interaction].")
@click.option("--columns", type=Mapping(), help="Your names of the interactions' columns, where a guess is wrong.")
@_reading_options
@click.option("--config", type=click.Path(path_type=Path), help="Settings of the checks [nightrec.toml, if any].")
@click.option("--write", "target", type=click.Path(path_type=Path), help="Write the nightrec.toml that is advised.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def inspect(
    paths: tuple[str, ...], run_date: date | None, config: Path | None, target: Path | None, as_json: bool, **given: Any
) -> None:
    """Show what is in files, folders or tables, how a night would read them, and the command that runs one.

    PATHS are files, folders, globs, and addresses of databases ('postgresql://host/shop', which lists its tables, or
    with ?table=NAME), Iceberg tables and object stores, of which the first million rows or 512 MiB are looked at.
    Nothing is written or kept. Which column is which is guessed by names and values, here and nowhere else: the
    command that is printed says all of it. Exit code 0 if that command would find the data fit for a night, 3 if they
    would be refused.
    """
    from flows.cli.inspection_advice import command, settings
    from flows.cli.night import run

    if target is not None and target.exists():
        raise ConfigError(f"{target} exists: name another file to write.")
    found = _inspected(paths, _settings(given), run_date, config)
    words, toml = command(found, run), settings(found)
    if as_json:
        more = {"fit": found.fit, "command": words if found.date else None, "nightrec.toml": toml}
        inputs = {name: table.model_dump(exclude_unset=True) for name, table in found.inputs.items()}
        echo_json(asdict(found) | {"inputs": inputs} | more)
    else:
        from flows.cli.inspection_page import console, show

        show(console(), found, words, toml)
    if target is not None:
        target.write_text(toml, encoding="utf-8")
        echo(f"Wrote {target}.", err=True)
    if not found.fit:
        sys.exit(CODES[DataRefused])


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a table that are given."""
    from pydantic import ValidationError

    from tasks.ingest.reading.inputs import TableInput

    found = {one.name: meant(one, given[one.name]) for one in OF_FILES if given[one.name] is not None}
    if given["columns"] is not None:
        found["columns"] = given["columns"]
    try:
        TableInput(path="", **found)
    except ValidationError as error:
        mistake = error.errors()[0]
        option = "".join(f"--{name}: ".replace("_", "-") for name in mistake["loc"][:1])  # none where two do not agree
        raise ConfigError(f"{option}{mistake['msg'].removeprefix('Value error, ')}.") from None
    return found


def _inspected(
    paths: tuple[str, ...], given: dict[str, Any], run_date: date | None, config: Path | None
) -> "Inspection":
    from collections.abc import Mapping as Counts
    from datetime import UTC, datetime

    import duckdb

    from flows.settings.site import load
    from tasks.ingest.inspection.findings import Events
    from tasks.ingest.inspection.inspect import inspect as look
    from tasks.validate import preview

    site, now = load(config), datetime.now(UTC)

    def judge(
        db: duckdb.DuckDBPyConnection, raw: Path, cutoff: datetime, events: Events, rejects: Counts[str, int]
    ) -> tuple[list[str], list[str]]:
        profile: dict[str, Any] = {"users": events.users, "items": events.items}
        if events.times:
            newest = datetime.fromisoformat(events.times.newest)
            profile |= {"newest": newest, "newest_age_days": preview.age_in_days(cutoff, newest)}
        if events.known_items is not None:
            unknown = round((1 - events.known_items) * events.rows)
            profile |= {"known_items_share": events.known_items, "unknown_rows": unknown, "unknown_examples": "…"}
        return preview.judged(db, raw, site.validation, cutoff, now, profile, rejects)

    return look(paths, given, run_date, site.timezone, now, judge)
