"""Where a site's tables are and how they are written: the models of the configuration, and the files they name."""

from __future__ import annotations

import glob
import gzip
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from recmodels.errors import ConfigError, DataRefused

Format = Literal["csv", "jsonl", "parquet"]
TimestampUnit = Literal["auto", "s", "ms", "us", "ns"]
GZIP = b"\x1f\x8b"
_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


class TableInput(BaseModel):
    """One table of the site: its files, and how to read them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="A file, a folder of data files, or a glob such as 'log/2024-*.csv.gz'.")
    format: Literal["auto", "csv", "jsonl", "parquet"] = Field(
        default="auto", description="How the files are written; 'auto' goes by extension, then by the first bytes."
    )
    columns: dict[str, str | list[str]] = Field(
        default_factory=dict,
        description="Our column names and the site's; of several names the first that is there is taken.",
    )
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=4, description="Text between two CSV columns; found if not given."
    )
    header: list[str] | None = Field(
        default=None, min_length=1, description="Column names of CSV files that have no header line."
    )
    quote: str | None = Field(
        default='"', min_length=1, max_length=1, description="The CSV quote; none where quotes are ordinary text."
    )
    encoding: str = Field(default="utf-8", description="Text encoding of CSV and JSON files, such as 'latin-1'.")
    timestamp_unit: TimestampUnit = Field(
        default="auto", description="Unit of numeric timestamps since 1970; 'auto' goes by their magnitude."
    )
    timezone: str = Field(default="UTC", description="Time zone of timestamps that name none, such as 'Europe/Paris'.")

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"unknown encoding '{name}'; for example 'utf-8' or 'latin-1'") from None
        return name

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"unknown time zone '{name}'; for example 'UTC' or 'Europe/Paris'") from None
        return name


class Inputs(BaseModel):
    """The tables of a site; only the interactions are needed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interactions: TableInput = Field(description="Who did what, when: user_id, item_id, timestamp [, rating, event].")
    items: TableInput | None = Field(
        default=None, description="The catalogue: item_id [, title, available, any others]."
    )
    users: TableInput | None = Field(default=None, description="The users: user_id [, opted_out, any others].")
    tags: TableInput | None = Field(default=None, description="Tags given to items: item_id, tag [, timestamp].")

    def tables(self) -> dict[str, TableInput]:
        """The tables that are given, by name; the interactions first."""
        return {name: table for name in type(self).model_fields if (table := getattr(self, name)) is not None}


def resolve(name: str, table: TableInput) -> list[Path]:
    """The files of a table, sorted by name: the file itself, a folder's data files at any depth, a glob's matches.

    Raises:
        ConfigError: there is none.
    """
    path = Path(table.path).expanduser()
    if "://" in table.path:
        raise ConfigError(f"{name}: '{table.path}' is not on this machine; copy it here and give the local path.")
    if path.is_file():
        return [path]
    if path.is_dir():
        inside = sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file())
        files = [p for p in inside if extension(p) in _FORMATS and not any(q[0] in "._" for q in p.parts)]
        if not files:
            there = ", ".join(map(str, inside[:5])) or "nothing"
            raise ConfigError(
                f"{name}: the folder '{path}' has no data files (there is {there}); "
                f"give a folder with {', '.join(_FORMATS)} files (also .gz), or name the file itself."
            )
        return [path / p for p in files]
    if glob.has_magic(table.path):
        matches = glob.glob(str(path), recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
        if files := sorted(match for text in matches if (match := Path(text)).is_file()):
            return files
        raise ConfigError(f"{name}: no file matches '{table.path}'; check the pattern.")
    raise ConfigError(f"{name}: there is no file or folder '{table.path}'; check the path.")


def check_inputs(inputs: Inputs) -> None:
    """Check that every table names files that are there, without reading any.

    Raises:
        ConfigError: a path is missing, a folder or a glob has no data files, or a path is no local one.
    """
    for name, table in inputs.tables().items():
        resolve(name, table)


def input_fingerprint(inputs: Inputs) -> list[dict[str, Any]]:
    """Path, size in bytes and modification time (`mtime_ns`) of each file that a night would read.

    Raises:
        ConfigError: a file is not there.
    """
    found = [file for name, table in inputs.tables().items() for file in resolve(name, table)]
    return [
        {"path": str(file.absolute()), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        for file in found
        for stat in [file.stat()]
    ]


def extension(path: Path) -> str:
    """The extension in lower case, that under `.gz` for compressed files."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def head(path: Path, size: int, *, unzip: bool = True) -> bytes:
    """The first `size` bytes of a file; of its contents, if it is gzipped and they are not wanted as they are."""
    try:
        with path.open("rb") as file:
            start = file.read(size)
        if unzip and start.startswith(GZIP):
            with gzip.open(path) as unzipped:
                return unzipped.read(size)
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise DataRefused(f"{path} cannot be read ({error}); copy or write it again.") from None
    return start


def format_of(path: Path, table: TableInput) -> Format:
    """The format of a file: as configured, by its extension, or by its first bytes."""
    if table.format != "auto":
        return table.format
    if known := _FORMATS.get(extension(path)):
        return known
    start = head(path, 4096)
    if start.startswith(b"PAR1"):
        return "parquet"
    return "jsonl" if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "csv"
