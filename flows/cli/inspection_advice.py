"""The command and the settings that an inspection advises, ready to copy."""

import json
import re
import shlex
from typing import Any

import click

from flows.cli.options import Mapping
from recmodels.errors import ConfigError
from tasks.ingest.inspection.findings import Inspection
from tasks.ingest.reading.delimiters import as_written
from tasks.ingest.reading.inputs import TableInput

_PREFIXES = {"interactions": "", "items": "item-", "users": "user-", "exposures": "exposure-"}
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def command(found: Inspection, run: click.Command) -> str:
    """`nightrec run` with what it needs: as options where these can say everything, else with the settings' file."""
    date = [] if found.sampled else ["--date", str(found.date)]
    if found.preset and found.preset_path:
        return shlex.join(["nightrec", "run", "--preset", found.preset, "--interactions", found.preset_path, *date])
    words = ["nightrec", "run"]
    known = {name: option for option in run.params for name in option.opts}
    for table, given in found.inputs.items():
        options = _options(table, given, known)
        if options is None:
            return shlex.join(["nightrec", "run", "--config", "nightrec.toml", *date])
        words += options
    return shlex.join([*words, *date])


def settings(found: Inspection) -> str:
    """The tables as `nightrec.toml` says them."""
    if found.preset and found.preset_path:
        return f"preset = {_toml(found.preset)}\n\n[inputs.interactions]\npath = {_toml(found.preset_path)}\n"
    sections = []
    for table, given in found.inputs.items():
        lines = [f"{key} = {_toml(value)}" for key, value in given.model_dump(exclude_unset=True).items()]
        sections.append("\n".join([f"[inputs.{table}]", *lines]))
    return "\n\n".join(sections) + "\n"


def _options(table: str, given: TableInput, known: dict[str, click.Parameter]) -> list[str] | None:
    """The options that give a table, None where there is not one for everything."""
    if (named := f"--{table.replace('_', '-')}") not in known:
        return None
    words = [named, given.path]
    for key, value in given.model_dump(exclude_unset=True, exclude={"path"}).items():
        option = f"--{_PREFIXES.get(table, f'{table}-')}{key.replace('_', '-')}"
        text = _text(value)
        if option not in known or text is None:
            return None
        if value is True:
            words.append(option)
        elif value is not False:
            words += [option, text]
    return words


def _text(value: Any) -> str | None:
    """A value as an option gives it, None where it cannot."""
    if value is None:
        return "none"
    if isinstance(value, dict):
        text = ",".join(f"{ours}={theirs}" for ours, theirs in value.items())
        try:
            return text if Mapping().convert(text, None, None) == value else None
        except ConfigError:
            return None
    if isinstance(value, list):
        plain = all(isinstance(each, str) and each and "," not in each and each == each.strip() for each in value)
        return ",".join(value) if plain else None
    return as_written(str(value))


def _toml(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, dict):
        pairs = [f"{key if _BARE.fullmatch(key) else _toml(key)} = {_toml(inner)}" for key, inner in value.items()]
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=not str(value).isprintable())
