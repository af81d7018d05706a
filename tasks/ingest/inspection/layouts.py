"""Whether files are a public data set that a preset knows."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.inspection.opening import Opened
from tasks.ingest.reading import our_columns, schema
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.packing import inner_name
from tasks.ingest.reading.presets.apply import apply
from tasks.ingest.reading.presets.catalog import PRESETS


class Fitting(NamedTuple):
    """A preset that fits: its name, the path to give, and its tables; or why it cannot be read."""

    name: str
    path: str
    tables: dict[str, TableInput]
    refused: str = ""


def fitting(paths: Sequence[str], opened: Sequence[Opened]) -> Fitting | None:
    """The preset whose files of interactions these are, by their names and their columns."""
    if len(paths) != 1:
        return None
    files = {one.path: one for one in opened}
    names = [inner_name(path) for path in files]
    for name, preset in PRESETS.items():
        patterns = [pattern for file in preset.files("interactions") for pattern in file.names]
        if not any(fnmatchcase(name, pattern) for name in names for pattern in patterns):
            continue
        try:
            tables = apply(name, Inputs(interactions=TableInput(path=paths[0]))).tables()
        except ConfigError:
            continue
        except DataRefused as error:
            return Fitting(name, paths[0], {}, str(error))
        one = files.get(Path(tables["interactions"].path))
        if one is not None and _has_columns(one, tables["interactions"]):
            return Fitting(name, paths[0], tables)
    return None


def _has_columns(one: Opened, table: TableInput) -> bool:
    if table.header:
        return one.headless and len(one.source.columns) == len(table.header)
    required = our_columns.REQUIRED["interactions"]
    return all(any(name in one.source.columns for name in schema.names(table, ours)) for ours in required)
