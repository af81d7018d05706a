"""What a preset says: the files of a data set as they are downloaded, and how to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.ingest.reading.our_columns import COLUMNS

NO_TIME = (
    "has no times, and a night needs them: it learns from the past and is measured on the last days. Without times, "
    "fit and compare models on it from Python: recmodels.Dataset.from_pandas"
)
LITERAL = r"\s*\{\s*u?'"  # how a line begins that is a Python literal and no JSON
PREPARED = "nightrec-{table}.parquet"


@dataclass(frozen=True)
class DataFile:
    """A file of a data set, packed or not.

    `names`: patterns of its name, `unlike`: those of others; `begins`: what its first line must match. `columns` and
    `settings` are those of the table; of `encodings` the first in which it can be read is taken. `refused`: why it
    cannot be read as it is, and what to do.
    """

    table: str
    names: tuple[str, ...]
    columns: Mapping[str, str | list[str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    unlike: tuple[str, ...] = ()
    begins: str = ""
    encodings: tuple[str, ...] = ()
    refused: str = ""

    @property
    def used(self) -> dict[str, str]:
        """Our columns that the file has, and its names for them."""
        named = {name: name for name in self.settings.get("header", ()) if name in COLUMNS}
        return named | {name: theirs if isinstance(theirs, str) else theirs[0] for name, theirs in self.columns.items()}


@dataclass(frozen=True)
class Preparation:
    """How files that no setting can describe become a table: by `sql`.

    `$0`, `$1` … in it are lists of the files that match the patterns of `needs`, as UTF-8, which of `encodings` they
    have being tried. `literals`: their lines are Python literals, which are made JSON lines first.
    """

    table: str
    needs: tuple[str, ...]
    sql: str
    about: str
    literals: bool = False
    encodings: tuple[str, ...] = ("utf-8",)


@dataclass(frozen=True)
class Layout:
    """A release of a data set: its files, the day after its last event, for `--date`, and where it is in an example."""

    name: str
    files: tuple[DataFile, ...]
    until: str = ""
    folder: str = ""

    @property
    def refused(self) -> str:
        """Why its interactions cannot be read as they are, if so."""
        return next(file.refused for file in self.files if file.table == "interactions")


@dataclass(frozen=True)
class Preset:
    """A public data set. `folder`: where it is in an example; `weights`: of its events, as a suggestion.

    `min_rating`: the least rating that says that somebody likes an item, where the settings name none.
    """

    name: str
    title: str
    home: str
    terms: str
    folder: str
    layouts: tuple[Layout, ...]
    notes: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    preparations: tuple[Preparation, ...] = ()
    min_rating: float | None = None

    def files(self, table: str) -> list[DataFile]:
        """The files that may hold a table, of all layouts."""
        return [file for layout in self.layouts for file in layout.files if file.table == table]


def headless(
    table: str, name: str, header: Sequence[str], delimiter: str, encodings: tuple[str, ...] = (), **more: Any
) -> DataFile:
    """A text file without a header line in which quotes are ordinary text."""
    settings = {"format": "csv", "header": list(header), "delimiter": delimiter, "quote": None} | more
    return DataFile(table, (name,), settings=settings, encodings=encodings)
