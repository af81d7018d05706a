"""Files that DuckDB cannot read as they lie, as copies that it can: unpacked, in UTF-8, a JSON object a line."""

from __future__ import annotations

import codecs
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp

import duckdb

from recmodels.errors import DataRefused
from tasks.ingest.reading.binaries import write_parquet
from tasks.ingest.reading.contents import BINARY, Contents
from tasks.ingest.reading.textfiles import needs_copy, write_copy
from tasks.store.duckdb import file_literal, literal


def readable(db: duckdb.DuckDBPyConnection, path: Path, found: Contents, copies: Path, copied: bool) -> Path:
    """The path of a file that DuckDB can read: the file itself, or a copy in the folder `copies`.

    Raises:
        DataRefused: the file cannot be copied.
    """
    try:
        if found.stored in BINARY:
            if found.stored == "parquet" and not found.packed:
                return _plainly_named(path.absolute(), copies)
            write_parquet(path, found.stored, bool(found.packed), copy := _new(copies))
            return copy
        plain = path.absolute()
        if copied or found.packed not in ((), ("gzip",)) or needs_copy(found.start, found.encoding):
            write_copy(path, found.encoding, plain := _new(copies))
        else:
            plain = _plainly_named(plain, copies)
        if found.stored == "text":
            return plain
        if plain == path.absolute() and (found.packed or found.start.startswith(codecs.BOM_UTF8)):
            write_copy(path, found.encoding, plain := _new(copies))
        return _json_lines(db, path, plain, "array" if found.stored == "array" else "unstructured", _new(copies))
    except OSError as error:
        raise DataRefused(f"{path} cannot be unpacked ({error.strerror or error}); make room, or unpack it.") from None


def _json_lines(db: duckdb.DuckDBPyConnection, path: Path, plain: Path, form: str, copy: Path) -> Path:
    """JSON objects that run over several lines, or stand in an array, one a line; what is in them stays as written."""
    one_line = "replace(replace(json, chr(10), ' '), chr(13), ' ')"  # JSON has line ends between its values only
    objects = f"SELECT {one_line} FROM read_json_objects({file_literal(plain)}, format = '{form}')"
    as_lines = f"FORMAT csv, HEADER false, DELIMITER {literal(chr(1))}, QUOTE '', ESCAPE ''"
    try:
        db.execute(f"COPY ({objects}) TO {literal(copy)} ({as_lines})")
    except duckdb.Error as error:
        raise Unreadable(path, error) from None
    return copy


def _new(copies: Path) -> Path:
    with NamedTemporaryFile(dir=copies, delete=False) as copy:
        return Path(copy.name)


def _plainly_named(path: Path, copies: Path) -> Path:
    """The path, or a link to it: DuckDB takes a backslash for a mark of its own in a name that needs marks."""
    if "\\" not in str(path):
        return path
    link = Path(mkdtemp(dir=copies)) / "link"
    link.symlink_to(path)
    return link


class Unreadable(DataRefused):
    """A file that cannot be read to its end."""

    def __init__(self, path: Path, error: Exception | str) -> None:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        super().__init__(f"{path} cannot be read ({reason}); it may be damaged or cut short: write it again.")
        self.path, self.reason = path, reason
