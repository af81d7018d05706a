"""Files on an object store: each is copied once, and again when it is another one there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.fs as pafs

from recmodels.errors import ConfigError
from recmodels.messages import short
from recmodels.published.addresses import WHERE
from recmodels.published.reader import through_fsspec
from tasks.ingest.landing.parquet_files import Wanted
from tasks.ingest.reading.addresses import filled, scheme, without_user
from tasks.ingest.reading.inputs import TableInput
from tasks.ingest.reading.packing import beside_the_data
from tasks.store.files import replaced

_AT_A_TIME = 8
_BLOCK = 1 << 22  # bytes
_MAGIC = frozenset("*[")


@dataclass(frozen=True)
class Place:
    """A path on an object store: its file system, the folder (or the file), and what names below it must match."""

    files: pafs.FileSystem
    root: str
    pattern: PurePosixPath | None = None

    def is_delta(self) -> bool:
        """Whether there is a Delta table."""
        log = f"{self.root}/_delta_log"
        return self.pattern is None and self.files.get_file_info(log).type == pafs.FileType.Directory

    def found(self) -> dict[str, pafs.FileInfo]:
        """The files of data, by their names below the folder; the file itself by its own name.

        Raises:
            ConfigError: the name of one leads out of the folder: whoever may write there could write anywhere here.
        """
        there = self.files.get_file_info(self.root)
        if there.is_file:
            return {PurePosixPath(self.root).name: there}
        selector = pafs.FileSelector(self.root, recursive=True, allow_not_found=True)
        below = (info for info in self.files.get_file_info(selector) if info.is_file)
        every = {info.path.removeprefix(f"{self.root}/"): info for info in below}
        if odd := next((name for name in every if name.startswith("/") or ".." in name.split("/")), None):
            raise ConfigError(f"'{self.root}' has a file {short(odd)!r}, which no folder here could hold; rename it.")
        return {
            name: info
            for name, info in sorted(every.items())
            if not beside_the_data(name.split("/")) and self._matches(PurePosixPath(name))
        }

    def _matches(self, name: PurePosixPath) -> bool:
        """Whether a file, or a folder that it is in, has a name that was asked for."""
        return self.pattern is None or any(
            _fits(one.parts, self.pattern.parts) for one in (name, *name.parents) if one.parts
        )


def _fits(name: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether the parts of a name are those of a pattern, of which `**` is any number of folders."""
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_fits(name[n:], pattern[1:]) for n in range(len(name) + 1))
    return bool(name) and fnmatchcase(name[0], pattern[0]) and _fits(name[1:], pattern[1:])


def place(address: str) -> Place:
    """What an address names.

    Raises:
        ConfigError: the address is of no known kind.
    """
    url, mark, query = filled(address).partition("?")
    folder, pattern = _split(url)
    base = f"{folder}{mark}{query}"
    try:
        files, root = pafs.FileSystem.from_uri(base)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        files, root = through_fsspec(base)
    return Place(files, root.rstrip("/"), PurePosixPath(*pattern) if pattern else None)


def within(address: str, name: str) -> str:
    """The address of what has a name below the folder of another address, or is the file that that names."""
    url, mark, query = address.partition("?")
    folder, _ = _split(url)
    return f"{folder if folder.endswith(f'/{name}') else f'{folder}/{name}'}{mark}{query}"


def _split(url: str) -> tuple[str, list[str]]:
    """The folder of an address, and the parts of the pattern below it."""
    head, _, path = url.partition("://")
    parts = path.rstrip("/").split("/")
    wild = next((n for n, part in enumerate(parts) if _MAGIC & set(part)), len(parts))
    return f"{head}://{'/'.join(parts[:wild])}", parts[wild:]


def mirror(
    name: str,
    table: TableInput,
    where: Place,
    folder: Path,
    cutoff: datetime | None = None,
    stays: Callable[[str, pafs.FileInfo], bool] = lambda *_: False,
) -> list[str]:
    """Bring a folder to what is at the address of a table: the names of its files. What has not changed is not copied.

    Of Parquet files only what a night needs is fetched.

    Args:
        name: of the table.
        table: its settings.
        where: what its address names.
        folder: where the files go.
        cutoff: the night's.
        stays: whether a file, by its name, is not to be fetched: something has come in its place.

    Raises:
        ConfigError: there is nothing, or it may not be read.
        OSError: the store does not answer.
    """
    found = where.found()
    if not found:
        raise nothing(name, table.path)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        staying = list(pool.map(stays, found, found.values()))
    coming = {file: info for (file, info), one in zip(found.items(), staying, strict=True) if not one}
    fetch(where, coming, folder, Wanted(name, table, cutoff))
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if str(path.relative_to(folder)) not in found:
            path.unlink()
    return list(found)


def nothing(name: str, address: str) -> ConfigError:
    """What is said where there are no files."""
    shown = without_user(address)
    return ConfigError(f"{name}: '{shown}' has no files of data; check the path and the variables of the store.")


def fetch(where: Place, found: Mapping[str, pafs.FileInfo], folder: Path, wanted: Wanted | None = None) -> None:
    """Fetch files, or what is wanted of them."""
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(lambda file: _fetch(where.files, found[file], file, folder, wanted), found))


@contextmanager
def in_words(name: str, address: str) -> Iterator[None]:
    """What an object store refuses within it, as a sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, PermissionError | FileNotFoundError) or "ACCESS_DENIED" in str(error):
            raise refused(name, address, error) from None
        shown, kind = without_user(address), type(error).__name__
        raise ConnectionError(f"{name}: '{shown}' cannot be read ({kind}); is it there?") from None


def refused(name: str, address: str, error: Exception) -> ConfigError:
    """Why nothing can be read at an address."""
    variables = WHERE.get(scheme(address), "the variables of the store")
    why = "is not there" if isinstance(error, FileNotFoundError) else "may not be read"
    return ConfigError(f"{name}: '{without_user(address)}' {why}; check the path, and that {variables} are set.")


def partition(name: str) -> list[str]:
    """The columns that the folders in a file's name give."""
    return [part.partition("=")[0] for part in PurePosixPath(name).parts[:-1] if "=" in part]


def _fetch(files: pafs.FileSystem, info: pafs.FileInfo, name: str, folder: Path, wanted: Wanted | None) -> None:
    """Fetch a file, or what is needed of it, unless that is here: a copy is as long and as old as what it is one of."""
    path = folder / name
    wanted = wanted if path.suffix in (".parquet", ".pq") else None
    if path.is_file():
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) == (info.size, info.mtime_ns) or (wanted and wanted.is_here(info, path)):
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    if wanted is not None:
        try:
            if wanted.part(files, info, partition(name), path):
                return
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # what is none, or is damaged, the reader says
            pass
    with replaced(path) as out, files.open_input_stream(info.path, compression=None) as there, out.open("wb") as copy:
        shutil.copyfileobj(there, copy, _BLOCK)
        if info.mtime_ns is not None:
            copy.flush()
            os.utime(out, ns=(info.mtime_ns, info.mtime_ns))
