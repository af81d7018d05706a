"""The options that say how a table is written, one for each setting: for interactions, items, users and exposures."""

import csv
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from recmodels.errors import ConfigError


class Setting(NamedTuple):
    """A setting of a table as an option. `many`: several texts between commas; `flag`: it is on or not given."""

    name: str
    metavar: str
    help: str
    many: bool = False
    flag: bool = False


OF_DATABASES = (
    Setting("table", "NAME", "Of a database: the table, such as shop.events."),
    Setting("query", "SQL", "Of a database, in place of a table: the SELECT whose rows are read."),
    Setting("watermark", "COLUMN", "Of a database: when a row was written; only rows since the last night are read."),
    Setting("overlap_hours", "HOURS", "How far before the last night's newest watermark rows are read again [1]."),
)
"""The settings of `TableInput` that only databases have."""
OF_FILES = (
    Setting("as_of", "VERSION", "Of a Delta or an Iceberg table: the version or snapshot that is read [newest]."),
    Setting("format", "NAME", "How the files are written: csv, jsonl or parquet [told by their contents]."),
    Setting("header", "A,B,…", "Column names of CSV files that have no header line.", many=True),
    Setting("delimiter", "TEXT", r"Text between two CSV columns: ';', tab, '\x01', … [found]."),
    Setting("quote", "CHAR", "The CSV quote; none where quotes are ordinary text."),
    Setting("escape", "CHAR", r"What stands before a quote inside quoted values, such as '\' [found]."),
    Setting("encoding", "NAME", "Text encoding of CSV and JSON files, such as latin-1 [utf-8]."),
    Setting("timezone", "ZONE", "Time zone of timestamps that name none, such as Europe/Paris [UTC]."),
    Setting("timestamp_unit", "UNIT", "Unit of numeric timestamps: s, ms, us or ns [by their size]."),
    Setting("timestamp_format", "FORM", "How timestamps are written, such as '%d.%m.%Y %H:%M' [ISO 8601]."),
    Setting("missing", "A,B,…", "Texts that stand for a missing value, such as NULL.", many=True),
    Setting("explode", "", "A list of items is one event for each.", flag=True),
)
"""Those of files and folders, apart from the path and the columns."""
SETTINGS = (*OF_DATABASES, *OF_FILES)
PREFIXES = {"interactions": "", "items": "item_", "users": "user_", "exposures": "exposure_"}


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--header`, `--delimiter` and so on; those of the other tables are not shown by `--help`."""
    for table, prefix in reversed(PREFIXES.items()):
        for setting in reversed(SETTINGS):
            command = click.option(
                f"--{prefix}{setting.name}".replace("_", "-"),
                prefix + setting.name,
                metavar=None if setting.flag else setting.metavar,
                is_flag=setting.flag,
                default=None,
                help=setting.help,
                hidden=table != "interactions",
            )(command)
    return command


def taken_from(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of each table that are given; their options leave `options`."""
    tables: dict[str, dict[str, Any]] = {}
    for table, prefix in PREFIXES.items():
        given = {setting: options.pop(prefix + setting.name) for setting in SETTINGS}
        tables[table] = {s.name: meant(s, value) for s, value in given.items() if value is not None}
    return tables


def meant(setting: Setting, value: str | bool) -> Any:
    """The value that an option means: `none` is no value, and commas part the texts of a list."""
    if isinstance(value, bool):
        return value
    if setting.many:
        try:
            texts = [text.strip() for text in next(csv.reader([value], skipinitialspace=True), [])]
        except csv.Error:  # a line break within a name
            raise ConfigError(f"--{setting.name} {value!r} is no list: write names with commas between them.") from None
        if not any(texts):
            raise ConfigError(f"--{setting.name} {value!r} names nothing: write names with commas between them.")
        return texts
    return None if value.lower() == "none" else value
