"""Settings of a table that are given, and that its files have no use for: none is left aside without a word."""

from __future__ import annotations

from collections.abc import Sequence

from recmodels.errors import ConfigError
from tasks.ingest.reading.inputs import Format, TableInput
from tasks.ingest.reading.remedies import option, shortened
from tasks.ingest.reading.sources import Source
from tasks.ingest.reading.timestamps import INSTANTS

FORMATS: dict[str, tuple[Format, ...]] = {
    "delimiter": ("csv",),
    "header": ("csv",),
    "quote": ("csv",),
    "escape": ("csv",),
    "encoding": ("csv", "jsonl"),
    "explode": ("jsonl", "parquet"),
}
"""The settings that concern some formats only."""
_WORDS: dict[Format, str] = {"csv": "CSV", "jsonl": "JSON", "parquet": "Parquet"}


def concerns(setting: str, kind: Format) -> bool:
    """Whether a setting means something to files of a format."""
    return kind in FORMATS.get(setting, (kind,))


def notes(name: str, given: TableInput, sources: Sequence[Source], timestamps: Sequence[str]) -> list[str]:
    """The settings that some files have no use for; `timestamps`: the types of the columns of times.

    Raises:
        ConfigError: none of the files can use one of them.
    """
    found = []
    for setting, formats in FORMATS.items():
        others = [source for source in sources if source.format not in formats]
        if not others or getattr(given, setting) == TableInput.model_fields[setting].default:
            continue
        if len(others) == len(sources):
            raise ConfigError(f"{name}: {_shown(name, setting)} {_why(setting, others[0])}; leave it out.")
        found.append(
            f"{name}: {setting} is not used for {len(others)} of {len(sources)} files: it {_why(setting, others[0])}"
        )
    if given.timestamp_format and timestamps and all(kind in INSTANTS for kind in timestamps):
        found.append(f"{name}: {_shown(name, 'timestamp_format')} is not used: the files store times as such")
    return found


def _why(setting: str, source: Source) -> str:
    files = " and ".join(_WORDS[kind] for kind in FORMATS[setting])
    return f"is for {files} files, and {shortened(source.path.name)} is {_WORDS[source.format]}"


def _shown(name: str, setting: str) -> str:
    named = option(name, setting)
    return f"{setting} ({named})" if named else f"inputs.{name}.{setting}"
