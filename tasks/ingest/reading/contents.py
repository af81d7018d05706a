"""What a file holds, by its first bytes: which format, packed how, in which encoding, or what it is instead of data."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from recmodels.errors import DataRefused
from tasks.ingest.reading.inputs import Format, TableInput
from tasks.ingest.reading.packing import NoTable, extension, look

SAMPLE = 1 << 16
Stored = Literal["text", "array", "objects", "parquet", "arrow", "orc", "avro"]
"""How rows are stored: lines of text, a JSON array, JSON objects over several lines, or a binary table."""


class Kind(NamedTuple):
    """A kind of file by the bytes at a place: what it is, and how to give what it holds."""

    what: str
    magic: bytes
    advice: str
    at: int = 0

    def begins(self, start: bytes, binary: bool) -> bool:
        """Whether a file that starts so is one; a few letters alone may also begin a text."""
        return (binary or len(self.magic) > 4) and start[self.at :].startswith(self.magic)


_EXPORT = "export the table as CSV or Parquet and give that file"
_CONVERT = "write it as Parquet or CSV and give that file"
_UNPACK = "unpack it and give the folder or the file"
_NO_DATA = "give the file of data"
BINARY: dict[Stored, tuple[bytes, ...]] = {
    "parquet": (b"PAR1",),
    "arrow": (b"ARROW1", b"FEA1"),
    "orc": (b"ORC",),
    "avro": (b"Obj\x01",),
}
"""Binary tables that are read, and how their files begin."""
UNREAD = (
    Kind("a PDF document", b"%PDF-", "save its table as CSV and give that file"),
    Kind("an old Office document, such as an Excel workbook (.xls)", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _EXPORT),
    Kind("an empty zip archive", b"PK\x05\x06", _UNPACK),
    Kind("a SQLite database", b"SQLite format 3\0", "name its table: sqlite:///FILE?table=NAME"),
    Kind("a DuckDB database", b"DUCK", "name its table: duckdb:///FILE?table=NAME", 8),
    Kind("an encrypted Parquet file", b"PARE", "decrypt it and give that file"),
    Kind("an HDF5 file", b"\x89HDF\r\n\x1a\n", _CONVERT),
    Kind("a NumPy array", b"\x93NUMPY", _CONVERT),
    Kind("a Python pickle, which is never opened", b"\x80\x04\x95", _CONVERT),
    Kind("a Python pickle, which is never opened", b"\x80\x05\x95", _CONVERT),
    Kind("an R data file", b"RDX2\n", _CONVERT),
    Kind("an R data file", b"RDX3\n", _CONVERT),
    Kind("an R data file", b"X\n\0\0\0", _CONVERT),
    Kind("a Stata file", b"<stata_dta>", _CONVERT),
    Kind("an SPSS file", b"$FL2", _CONVERT),
    Kind("a tar archive", b"ustar", _UNPACK, 257),
    Kind("a 7z archive", b"7z\xbc\xaf\x27\x1c", _UNPACK),
    Kind("a RAR archive", b"Rar!\x1a\x07", _UNPACK),
    Kind("a file of Unix compress (.Z)", b"\x1f\x9d", _UNPACK),
    Kind("a Snappy file", b"\xff\x06\0\0sNaPpY", _UNPACK),
    Kind("an image (PNG)", b"\x89PNG\r\n\x1a\n", _NO_DATA),
    Kind("an image (JPEG)", b"\xff\xd8\xff", _NO_DATA),
    Kind("an image (GIF)", b"GIF8", _NO_DATA),
    Kind("a program", b"\x7fELF", _NO_DATA),
    Kind("a Git LFS pointer and not the data", b"version https://git-lfs", "fetch the file with 'git lfs pull'"),
)
"""Files that are known and not read."""
_MARKUP = {
    "<?xml": Kind("an XML file", b"", _EXPORT),
    "<!doctype html": Kind("a web page (HTML)", b"", "download the file of data itself"),
    "<html": Kind("a web page (HTML)", b"", "download the file of data itself"),
}
EMPTY = Kind("empty", b"", "give a file with rows")
_BINARY = Kind(
    "binary and of no known kind",
    b"",
    'give CSV, JSON lines or Parquet, or name the encoding if it is text (encoding = "utf-16-le", for example)',
)
_NAMED_PARQUET = Kind("named as a Parquet file and is none", b"", "copy or write it again, or set format to what it is")
_CALLED = {"parquet": "a Parquet file", "arrow": "an Arrow file", "orc": "an ORC file", "avro": "an Avro file"}
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks, and the encodings they tell, the longer ones first."""
BY_NAME: dict[str, Format] = {
    **{".csv": "csv", ".tsv": "csv", ".tab": "csv", ".psv": "csv"},
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"},
    **{".parquet": "parquet", ".pq": "parquet", ".parq": "parquet"},
}
"""Endings of names, and the formats that they tell."""
ENDINGS = tuple(BY_NAME)


@dataclass(frozen=True)
class Contents:
    """What a file holds. `unread` is set instead of the format where it is no data, or none that can be read."""

    format: Format | None
    stored: Stored = "text"
    packed: tuple[str, ...] = ()
    encoding: str = "utf-8"
    start: bytes = b""
    unread: Kind | None = None

    @property
    def text(self) -> str:
        """The first characters."""
        return self.start.decode(self.encoding, "replace").removeprefix("\ufeff")


def contents(path: Path, table: TableInput) -> Contents:
    """What a file holds, by the settings of its table and its first bytes; its name decides where these leave it open.

    Raises:
        DataRefused: it cannot be opened or unpacked.
    """
    try:
        start, packed = look(path, SAMPLE)
    except NoTable as error:
        return Contents(None, unread=Kind(error.what, b"", error.advice))
    binary = not _is_text(start[:256])
    for stored, magics in BINARY.items():
        if binary and start.startswith(magics):
            return Contents("parquet", stored, packed, start=start)
    unread = next((kind for kind in UNREAD if kind.begins(start, binary)), None) if start else EMPTY
    encoding = encoding_of(start, table.encoding)
    text = start.decode(encoding, "replace").removeprefix("\ufeff")
    if unread := unread or _unread_text(path, text, table):
        return Contents(None, "text", packed, encoding, start, unread)
    return Contents(*_text_format(path, text, table), packed, encoding, start)


def refuse_unread(path: Path, found: Contents, table: TableInput) -> None:
    """Raise DataRefused where a file is no data, or not what its table's `format` says."""
    if found.unread:
        raise DataRefused(f"{path} is {found.unread.what}; {found.unread.advice}.")
    if "parquet" in (table.format, found.format) and table.format not in ("auto", found.format):
        really = _CALLED.get(found.stored, "a text file")
        raise DataRefused(f"{path} is {really}, and its format is set to '{table.format}'; leave the format out.")


def encoding_of(start: bytes, given: str) -> str:
    """The encoding of a text: told by a mark at its beginning, plain from its zero bytes, or else as given."""
    for mark, name in MARKS.items():
        if start.startswith(mark):
            return name
    places = [start[place:4096:4] for place in range(4)]
    zeros = "".join("0" if len(place) > 2 and place.count(0) > 0.6 * len(place) else "x" for place in places)
    if plain := _WIDE.get(zeros):
        return plain
    return _IN_ORDER.get(codecs.lookup(given).name, given)


_WIDE = {"x000": "utf-32-le", "000x": "utf-32-be", "x0x0": "utf-16-le", "0x0x": "utf-16-be"}
"""Encodings by which of four bytes are mostly zero, as they are in the names of a header."""
_IN_ORDER = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}  # what these mean where no mark tells the order of bytes


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in start)


def _unread_text(path: Path, text: str, table: TableInput) -> Kind | None:
    begin = text[:4096]
    if (
        sum(character < " " and character not in _IN_TEXT + (table.delimiter or "") for character in begin)
        > len(begin) // 20
    ):
        return _BINARY
    if table.format != "auto":
        return None
    if BY_NAME.get(extension(path)) == "parquet":
        return _NAMED_PARQUET
    lower = begin.lstrip().lower()
    return next((kind for start, kind in _MARKUP.items() if lower.startswith(start)), None)


_IN_TEXT = "\t\n\r\v\f\x01\x02\x1b\x1c\x1d\x1e\x1f"  # control characters that texts have


def _text_format(path: Path, text: str, table: TableInput) -> tuple[Format, Stored]:
    by_name = BY_NAME.get(extension(path)) if table.format == "auto" else table.format
    text = text.lstrip()
    first = text.split("\n", 1)[0]
    if table.format != "csv":
        if text.startswith("[") and text[1:].lstrip()[:1] in ("{", "]"):
            return "jsonl", "array"
        if text.startswith("{") and not _is_object(first) and _runs_on(text):
            return "jsonl", "objects"
    if by_name == "jsonl" or (by_name is None and text.startswith("{")):
        return "jsonl", "text"
    return ("jsonl" if table.format == "auto" and _is_object(first) else "csv"), "text"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _runs_on(text: str) -> bool:
    """Whether a text begins with a JSON object that runs over several lines."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return "\n" in text[:end]
