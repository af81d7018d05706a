"""Compressed files as streams: what they hold, whatever they are packed with, and one sentence if they are damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, NamedTuple, cast

from recmodels.errors import DataRefused

CHUNK = 1 << 20
_LAYERS = 3  # a file may be packed into a packed one


class NoTable(DataRefused):
    """A packed file that is no file of data: what it is, and what to give instead."""

    def __init__(self, path: Path, what: str, advice: str) -> None:
        super().__init__(f"{path} is {what}; {advice}.")
        self.what, self.advice = what, advice


class Packing(NamedTuple):
    """A way to pack a file: the bytes that one begins with, the endings of its name, and how it is opened."""

    name: str
    magic: bytes
    endings: tuple[str, ...]
    open: Callable[[IO[bytes], Path], IO[bytes]]


def _arrow(codec: str) -> Callable[[IO[bytes], Path], IO[bytes]]:
    def opened(file: IO[bytes], _: Path) -> IO[bytes]:
        import pyarrow as pa

        return cast(IO[bytes], pa.CompressedInputStream(file, codec))

    return opened


def _member(file: IO[bytes], path: Path) -> IO[bytes]:
    """The one data file of a zip archive, as a stream: nothing is ever written under a name from an archive."""
    archive = zipfile.ZipFile(file)
    members = [member for member in archive.infolist() if not member.is_dir()]
    names = {member.filename for member in members}
    for marker, what in _OFFICE.items():
        if marker in names:
            raise NoTable(path, what, "save the sheet as CSV (UTF-8) and give that file")
    data = [member for member in members if member.file_size and not beside_the_data(member.filename.split("/"))]
    if len(data) != 1:
        there = ", ".join(member.filename for member in data[:4]) or "nothing"
        many = f"{len(data)} files ({there})" if data else "no data file"
        raise DataRefused(f"{path} is a zip archive with {many}; unpack it and give the folder or the file.")
    if data[0].flag_bits & 1:
        raise DataRefused(f"{path} is a zip archive with a password; unpack it and give the file.")
    return archive.open(data[0])


_OFFICE = {
    "[Content_Types].xml": "an Office document, such as an Excel workbook (.xlsx)",
    "mimetype": "an OpenDocument file, such as a spreadsheet (.ods)",
}
DOCUMENTS = {
    "names": ("readme", "license", "licence", "changelog", "notice", "manifest", "sha256sums", "md5sums", "makefile"),
    "endings": (
        *(".md", ".rst", ".adoc", ".html", ".htm", ".pdf", ".doc", ".docx"),
        *(".py", ".ipynb", ".r", ".sql", ".sh", ".toml", ".yaml", ".yml", ".ini", ".cfg"),
        *(".md5", ".sha1", ".sha256", ".crc", ".asc", ".sig"),
    ),
}
"""Files that lie beside data and are none, by the stem or the ending of their names in lower case."""


def beside_the_data(parts: Sequence[str]) -> bool:
    """Whether the name of a file in a folder says that it is no data: hidden, begun with `_`, or a document."""
    name = parts[-1].lower()
    stem, _, _ = name.partition(".")
    return (
        any(part.startswith((".", "_")) and part not in (".", "..") for part in parts)
        or stem in DOCUMENTS["names"]
        or name.endswith(DOCUMENTS["endings"])
    )


PACKINGS = (
    Packing(  # with a mode: that of a packed file that is packed again is a number
        "gzip", b"\x1f\x8b", (".gz", ".gzip"), lambda file, _: cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb"))
    ),
    Packing("bzip2", b"BZh", (".bz2",), lambda file, _: bz2.BZ2File(file)),
    Packing("xz", b"\xfd7zXZ\x00", (".xz",), lambda file, _: lzma.LZMAFile(file)),  # noqa: SIM115  whoever opens it closes it
    Packing("zstd", b"\x28\xb5\x2f\xfd", (".zst", ".zstd"), _arrow("zstd")),
    Packing("lz4", b"\x04\x22\x4d\x18", (".lz4",), _arrow("lz4")),
    Packing("zip", b"PK\x03\x04", (".zip",), _member),
)
ENDINGS = tuple(ending for packing in PACKINGS for ending in packing.endings)


def inner_name(path: Path) -> str:
    """The name in lower case without the endings of packed files: `log.csv` of `LOG.csv.gz`."""
    name = path.name.lower()
    while ending := next((ending for ending in ENDINGS if name.endswith(ending)), None):
        name = name.removesuffix(ending)
    return name


def extension(path: Path) -> str:
    """The extension in lower case, that under `.gz` (and the like) for compressed files."""
    return Path(inner_name(path)).suffix


def head(path: Path, size: int, *, unzip: bool = True) -> bytes:
    """The first `size` bytes of a file; of its contents, if it is packed and they are not wanted as they are."""
    return look(path, size, unzip=unzip)[0]


def look(path: Path, size: int, *, unzip: bool = True) -> tuple[bytes, tuple[str, ...]]:
    """The first `size` bytes of a file's contents, and what it is packed with, from outside in.

    Raises:
        DataRefused: it cannot be opened or unpacked.
    """
    with ExitStack() as stack, _Reasons(path) as reasons:
        file = _opened(path, stack, reasons, unzip)
        return file.read(size), tuple(reasons.packed)


def chunks(path: Path) -> Iterator[bytes]:
    """The contents of a file, unpacked.

    Raises:
        DataRefused: it cannot be opened or unpacked.
    """
    with ExitStack() as stack:
        with _Reasons(path) as reasons:
            file = _opened(path, stack, reasons)
        while True:
            with reasons:
                chunk = file.read(CHUNK)
            if not chunk:
                return
            yield chunk


class _Reasons:
    """Turns what goes wrong while a file is read into one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.packed: list[str] = []

    def __enter__(self) -> _Reasons:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, DataRefused) or not isinstance(error, Exception):
            return
        if isinstance(error, FileNotFoundError):
            raise DataRefused(f"{self.path} is gone; it disappeared while the files were read.") from None
        if isinstance(error, PermissionError):
            raise DataRefused(f"{self.path} may not be read by this user; change its permissions.") from None
        if self.packed and isinstance(error, _DAMAGED):
            packed = " in ".join(reversed(self.packed))
            raise DataRefused(
                f"{self.path} is not a whole {packed} file ({_one_line(error)}); copy or write it again."
            ) from None
        if isinstance(error, OSError):
            raise DataRefused(f"{self.path} cannot be read ({_one_line(error)}); copy or write it again.") from None


# NotImplementedError and RuntimeError are what zipfile says of methods of packing that it does not know.
_DAMAGED = (
    *(EOFError, OSError, ValueError, OverflowError, zlib.error, lzma.LZMAError),
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError),
)


def _one_line(error: Exception) -> str:
    return (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")


def _opened(path: Path, stack: ExitStack, reasons: _Reasons, unzip: bool = True) -> io.BufferedReader:
    file = stack.enter_context(path.open("rb"))
    for _ in range(_LAYERS if unzip else 0):
        start = file.peek(8)
        packing = next((packing for packing in PACKINGS if start.startswith(packing.magic)), None)
        if packing is None or (packing.name == "bzip2" and start[4:8] not in (b"1AY&", b"\x17rE8")):
            break
        reasons.packed.append(packing.name)
        inner = stack.enter_context(packing.open(file, path))
        file = stack.enter_context(io.BufferedReader(cast(io.RawIOBase, inner), CHUNK))
    return file
