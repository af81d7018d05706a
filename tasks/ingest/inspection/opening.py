"""Files as they are given, opened: the settings with which they can be read are found by trying."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.inspection import headless, names
from tasks.ingest.inspection.findings import FileFound
from tasks.ingest.inspection.sampling import Sample, sample
from tasks.ingest.reading.contents import BINARY, Contents, contents
from tasks.ingest.reading.dialects import Wanted
from tasks.ingest.reading.files import File, find
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.opening import open_source
from tasks.ingest.reading.packing import chunks
from tasks.ingest.reading.sources import Source

Settings = dict[str, Any]
_DECODED = 1 << 28  # bytes of a file that tell whether it is UTF-8
_SHOWING = 1 << 20  # bytes that tell what else it is


@dataclass(frozen=True)
class Opened:
    """A file that can be read: the settings it needs, its columns, its first rows. `headless`: it names no columns."""

    file: File
    given: str
    settings: Settings
    source: Source
    contents: Contents
    samples: Sequence[Sample]
    headless: bool = False

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.file.path


@dataclass
class Opening:
    """All that was found under some paths."""

    opened: list[Opened] = field(default_factory=list)
    others: list[FileFound] = field(default_factory=list)
    refused: list[tuple[Path, str]] = field(default_factory=list)


def open_all(db: duckdb.DuckDBPyConnection, paths: Sequence[str], settings: Settings, copies: Path) -> Opening:
    """Every file under the paths, opened with the settings and what else is needed.

    Raises:
        ConfigError: a path is not there, or a folder holds no data.
    """
    found = Opening()
    seen: set[Path] = set()
    for given in paths:
        files = find(given, _table(given, settings))
        for skipped in files.skipped:
            if not skipped.path.name.startswith((".", "_")):
                found.others.append(FileFound(str(skipped.path), _size(skipped.path), not_read=skipped.reason))
        for file in files.read:
            if file.path in seen:
                continue
            seen.add(file.path)
            try:
                opened = _open(db, file, given, settings, copies)
            except DataRefused as error:
                found.refused.append((file.path, str(error)))
                found.others.append(FileFound(str(file.path), _size(file.path), not_read="unreadable, see below"))
                continue
            if opened is None:
                found.others.append(FileFound(str(file.path), 0, not_read="empty"))
            else:
                found.opened.append(opened)
    return found


def _table(path: str, settings: Settings) -> TableInput:
    return TableInput(path=path, **{key: value for key, value in settings.items() if key != "columns"})


def _open(db: duckdb.DuckDBPyConnection, file: File, given: str, settings: Settings, copies: Path) -> Opened | None:
    looked = contents(file.path, _table(str(file.path), settings))
    own: Settings = {}
    plain = looked.stored == "text" and not looked.unread and looked.encoding == "utf-8"
    if plain and "encoding" not in settings and (encoding := encoding_of(file.path)):
        own["encoding"] = encoding
        looked = contents(file.path, _table(str(file.path), settings | own))
    made_up = False
    if looked.format == "csv" and "header" not in settings and (header := headless.missing_header(looked, settings)):
        own |= header
        made_up = True
    table = _table(str(file.path), settings | own)
    wanted = Wanted("interactions", set(settings.get("columns", {}).values()) | set(names.HEADS))
    source = open_source(db, file, table, wanted, copies)
    if source is None:
        return None
    return Opened(file, given, own, source, looked, sample(db, source), made_up)


def encoding_of(path: Path) -> str | None:
    """The encoding of a text that is not UTF-8, as far as it can be told; None for UTF-8 with some damaged lines."""
    faults = good = size = high = runs = odd = 0
    start, carried = bytearray(), b""
    for chunk in chunks(path):
        size += len(chunk)
        if not chunk.isascii() or carried:
            *lines, carried = (carried + chunk).split(b"\n")
            wrong = [line for line in lines if not line.isascii() and not _decodes(line, "utf-8")]
            faults, good = faults + len(wrong), good + sum(not line.isascii() for line in lines) - len(wrong)
            if len(start) < _SHOWING:
                start += b"\n".join(wrong)
        if size > _DECODED:
            break
    if carried and not carried.isascii() and not _decodes(carried, "utf-8"):
        faults, start = faults + 1, start or bytearray(carried)
    if faults <= good:
        return None
    for run in re.findall(rb"[\x80-\xff]+", bytes(start)):
        high, runs, odd = high + len(run), runs + 1, odd + len(run) % 2
    if high > 2.5 * runs:  # words of letters that are not Latin, where Latin ones with accents stand alone
        upper = sum(byte >= 0xC0 for byte in start) / high
        if odd > 0.2 * runs and upper > 0.9:
            return "cp1251"
        for encoding in ("gb18030", "shift_jis", "euc_kr", "big5"):
            if _decodes(bytes(start), encoding):
                return encoding
    return "cp1252" if _decodes(bytes(start), "cp1252") else "latin-1"


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def found_file(one: Opened, table: str | None) -> FileFound:
    """What is to be said of an opened file."""
    how = one.source.dialect if one.source.format == "csv" else None
    text = one.contents.stored not in BINARY
    formats = {"csv": "CSV", "jsonl": "JSON lines", "parquet": "Parquet"}
    stored = {"array": "JSON array", "objects": "JSON objects", "arrow": "Arrow", "orc": "ORC", "avro": "Avro"}
    return FileFound(
        str(one.path),
        _size(one.path),
        table,
        stored.get(one.contents.stored, formats[one.source.format]),
        ", ".join(one.contents.packed),
        one.contents.encoding if text else None,
        how.delimiter if how else None,
        how.quote if how else None,
        (not one.headless and how.skip > 0) if how else None,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
