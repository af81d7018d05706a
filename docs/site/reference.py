"""The reference pages, made from the code: settings, inputs, models, commands, presets, the columns of an export."""

import inspect
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from docs.site.inputs import inputs
from docs.site.tables import markdown

os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")

Json = dict[str, Any]

BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def settings() -> str:
    """Every table and key of `nightrec.toml`."""
    from flows.settings.site import NightConfig

    schema = NightConfig.model_json_schema()
    head = (
        "# Settings\n\nAll settings of `nightrec.toml`. `nightrec init` writes the same as a commented file. A missing "
        "key has its default; an unknown key or an invalid value is an error before the night begins.\n"
    )
    return "\n".join([head, *_sections("", schema, schema["$defs"], "At the top of the file", {})])


def _sections(prefix: str, schema: Json, known: Json, title: str, seen: dict[str, str]) -> Iterator[str]:
    """A table of settings, then those of its tables. `seen` are the titles of the tables that were there before."""
    tables = {name: found for name, about in schema["properties"].items() if (found := _table(about, known))}
    plain = {name: about for name, about in schema["properties"].items() if name not in tables}
    yield f"## {title}\n"
    if before := seen.get(schema.get("title", "")):
        yield f"The same keys as {before}.\n"
        return
    seen[schema.get("title", "")] = title
    if prefix and schema.get("description"):
        yield schema["description"].partition("\n\n")[0].replace("\n", " ") + "\n"
    if plain:
        rows = [
            [f"`{name}`", _kind(about, known), _default(about), about.get("description", "")]
            for name, about in plain.items()
        ]
        yield markdown(["key", "value", "default", "meaning"], rows)
    for name, found in tables.items():
        many = "additionalProperties" in schema["properties"][name]
        path = f"{prefix}{name}.NAME" if many else f"{prefix}{name}"
        yield from _sections(f"{path}.", found, known, f"`[{path}]`", seen)


def _table(about: Json, known: Json) -> Json | None:
    """The schema of a table of settings, where a value is one, or a table of such tables."""
    for choice in [about, *about.get("anyOf", []), about.get("additionalProperties")]:
        if isinstance(choice, dict) and "$ref" in choice:
            found: Json = known[choice["$ref"].rpartition("/")[2]]
            return found if "properties" in found else None
    return None


def _kind(about: Json, known: Json) -> str:
    """What values there may be, in words."""
    if "$ref" in about:
        return _kind(known[about["$ref"].rpartition("/")[2]], known)
    if "anyOf" in about:
        return " or ".join(_kind(choice, known) for choice in about["anyOf"])
    if "enum" in about or "const" in about:
        return ", ".join(f"`{value}`" for value in about.get("enum", [about.get("const")]))
    kind = about.get("type", "any value")
    if kind == "array":
        return f"list of {_kind(about.get('items', {}), known)}"
    if kind == "object":
        values = about.get("additionalProperties")
        return f"table of {_kind(values, known)}" if isinstance(values, dict) else "table"
    named = {"null": "none", "string": about.get("format", "text"), "boolean": "true or false"}
    limits = [f"{words} {about[name]:g}" for name, words in BOUNDS.items() if name in about]
    return " ".join([named.get(kind, kind), ", ".join(limits)]).strip()


def _default(about: Json) -> str:
    if "default" not in about:
        return "" if "$ref" not in about else "none"
    return _written(about["default"])


def _written(value: Any) -> str:
    """A value as `nightrec.toml` has it."""
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def models() -> str:
    """Every recommender, with its hyper-parameters."""
    from recmodels import registry
    from recmodels.parameters import parameters_of

    pages = [
        "# Models\n",
        "The recommenders for the tables `[models.NAME]` of `nightrec.toml`, with their hyper-parameters. `nightrec "
        "models NAME` prints the same. [Models](../models.md) says which one to choose, and where the defaults come "
        "from.\n",
    ]
    for name in registry.names():
        kind = registry.kind_of(name)
        rows = [
            [f"`{one.name}`", one.legal, _written(one.default), _searched(one), one.doc] for one in parameters_of(kind)
        ]
        pages += [f"## `{name}`\n", _needs(kind), _prose(inspect.cleandoc(kind.__doc__ or "")) + "\n"]
        pages.append(markdown(["parameter", "value", "default", "searched by `tune`", "meaning"], rows))
    return "\n".join(pages)


def behavior() -> str:
    """Every parameter of the behavior model of simulations, with its unit and where its default comes from."""
    from recmodels.parameters import parameters_of
    from recmodels.simulation.market_settings import MarketSettings, units

    rows = []
    for one in parameters_of(MarketSettings):
        about = units().get(one.name)
        unit, source = (about.unit, about.source) if about else ("", "")
        rows.append([f"`{one.name}`", one.legal, _written(one.default), unit, source, one.doc])
    return "\n".join(
        [
            "# Behavior model\n",
            "What [the behavior model of simulations](../simulation-behavior.md) assumes. A *point* is one of log-odds "
            "of being satisfied: one more than even odds is 73 %. The demo is the shop of `nightrec demo`, whose users "
            "react to lists, too.\n",
            markdown(["parameter", "value", "default", "unit", "default comes from", "meaning"], rows),
        ]
    )


def simulation() -> str:
    """Every figure of a simulated night, with what it means and which way is better."""
    from recmodels.simulation.figures import FIGURES

    rows = [
        [f"`{one.name}`", one.title, one.unit, one.better, "yes" if one.by_user else "", one.means] for one in FIGURES
    ]
    return "\n".join(
        [
            "# Figures of a simulation\n",
            "What is measured of every simulated night. Policies are compared user by user "
            "where users have a figure of their own. Of policies that explore, the sums of the log are kept from which "
            "each proposer's clicks are estimated (`offpolicy:PROPOSER:weight` and `:clicks`), and on every seventh "
            "night what is true of it (`:true`).\n",
            markdown(["figure", "title", "unit", "better", "of users", "meaning"], rows),
        ]
    )


def _needs(kind: Any) -> str:
    """What a model needs beyond a plain installation."""
    torch = "Needs PyTorch: `pip install 'nightrec[torch]'`. " if kind.needs_torch else ""
    return torch + ("Uses a GPU if there is one.\n" if kind.uses_gpu else "\n")


def _prose(docstring: str) -> str:
    """A docstring in Google's style as Markdown: its sections become lists, its example a block of code."""
    text, *sections = re.split(r"^(Attributes|References|Example):\n", docstring, flags=re.MULTILINE)
    parts = [_escaped(text.strip())]
    for title, indented in zip(sections[::2], sections[1::2], strict=True):
        body = inspect.cleandoc(indented).strip()
        if title == "Example":
            parts.append(f"**Example**\n\n```python\n{body}\n```")
        else:
            parts.append(f"**{title}**\n\n" + "\n".join(f"- {item}" for item in _items(title, body.splitlines())))
    return "\n\n".join(parts)


def _items(title: str, lines: list[str]) -> list[str]:
    """The entries of a section, each of which may go on in further lines."""
    items: list[str] = []
    for line in lines:
        named = re.match(r"([\w, ]+): (.*)", line)
        if title == "Attributes" and named and not line.startswith(" "):
            items.append(f"`{named[1]}`: {_escaped(named[2])}")
        elif title == "References" and (not items or items[-1].endswith(".")):
            items.append(_escaped(line.strip()))
        else:
            items[-1] += f" {_escaped(line.strip())}"
    return items


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("<", "&lt;")


def _searched(parameter: Any) -> str:
    search = parameter.search
    if search is None:
        return ""
    if search.low is not None:
        return f"{search.low:g} to {search.high:g}" + (" (log scale)" if search.log else "")
    return ", ".join(_written(value) for value in search.values or parameter.choices or (True, False))


def commands() -> str:
    """Every command of `nightrec`, with its arguments and options."""
    import click

    from flows.cli.app import nightrec
    from flows.cli.help import about_of, examples

    pages = ["# Commands\n", inspect.cleandoc(nightrec.help or "") + "\n"]
    for name, command in sorted(nightrec.commands.items()):
        context = click.Context(command, info_name=f"nightrec {name}")
        usage = command.get_usage(context).removeprefix("Usage: ")
        pages += [f"## `nightrec {name}`\n", inspect.cleandoc(command.help or "") + "\n", f"```\n{usage}\n```\n"]
        rows = [_option(option, context) for option in command.params if not getattr(option, "hidden", False)]
        if options := [row for row in rows if row]:
            pages.append(markdown(["option", "meaning"], options))
        if about := about_of(name):
            lines = "\n".join(examples(about))
            pages.append(f"\n```\n{lines}\n```\n")
    return "\n".join(pages)


def _option(option: Any, context: Any) -> list[str] | None:
    record = option.get_help_record(context)
    return [f"`{record[0]}`", record[1]] if record else None


def presets() -> str:
    """Every public data set that is read by name."""
    from flows.cli.presets import commands, rows, weights
    from tasks.ingest.reading.presets.catalog import PRESETS

    pages = [
        "# Presets\n",
        "Public data sets whose files are read as they are downloaded: `--preset NAME --interactions FOLDER`, the "
        "folder with the files or the one around it. What the configuration says itself wins. Files may be packed "
        "(`.gz` and others). `nightrec presets` prints the same.\n",
    ]
    for name, preset in PRESETS.items():
        pages += [f"## `{name}`\n", f"{_escaped(preset.title)}. From {preset.home}; terms: {preset.terms}.\n"]
        pages.append(
            markdown(
                ["release", "table", "file", "columns"],
                [[layout, table, f"`{files}`", text] for layout, table, files, text in rows(preset)],
            )
        )
        if preset.notes:
            pages.append("\n".join(f"- {_escaped(note)}" for note in preset.notes) + "\n")
        if lines := commands(preset):
            pages.append("```\n" + "\n".join(lines) + "\n```\n")
        if preset.min_rating is not None:
            pages.append(f"Ratings below {preset.min_rating:g} are no likes, unless `prepare.min_rating` differs.\n")
        if preset.weights:
            pages.append(f"Suggested weights: `event_weights = {weights(preset)}` under `[prepare]`.\n")
    return "\n".join(pages)


def export() -> str:
    """Every column of the published tables."""
    from recmodels.published.schema import contract

    found = contract()
    pages = [
        "# Columns of an export\n",
        f"The contract with downstream jobs, version {found['schema_version']}. Within a version, columns are only "
        "added, never changed or removed. [The export](../export.md) describes the layout of the files and how long "
        "they are kept.\n\nThe types `user_id` and `item_id` stand for int64 or string, depending on the site's ids; "
        "`code` is a dictionary of strings.\n",
    ]
    for name, table in found["tables"].items():
        rows = [
            [f"`{column['name']}`", column["type"], "yes" if column["nullable"] else "no", column["meaning"]]
            for column in table["columns"]
        ]
        order = ", ".join(f"`{column}`" for column in table["sorted_by"])
        meaning = f"{table['meaning']} Sorted by {order}." if order else table["meaning"]
        pages += [f"## `{name}`\n", f"{meaning}\n"]
        pages.append(markdown(["column", "type", "may be null", "meaning"], rows))
    return "\n".join(pages)


PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings,
    "reference/inputs.md": inputs,
    "reference/models.md": models,
    "reference/behavior.md": behavior,
    "reference/simulation.md": simulation,
    "reference/commands.md": commands,
    "reference/presets.md": presets,
    "reference/export.md": export,
}
