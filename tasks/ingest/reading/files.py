"""Which files a table is read from: the file itself, a folder's, a glob's; any other is named with why not.

Names are literal: a path that exists is that path, whatever characters it has, before it is a glob.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading import delta, iceberg
from tasks.ingest.reading.addresses import is_remote, without_user
from tasks.ingest.reading.contents import ENDINGS
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.ingest.reading.left_out import HIDDEN, KINDS, by_contents, by_name, refuse_undecodable
from tasks.store.recognize import PARTS, is_store

if TYPE_CHECKING:
    from deltalake import DeltaTable

STORE = "a store of nightrec: its exports, nights and so on are no inputs"
OF_DOMAIN = "(domain)"
"""The column that the settings give to the files of a domain, as folders give theirs."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_VERSIONS = {delta.LOG: "Delta", ".hoodie": "Hudi"}  # folders that tell which files of a table are valid


@dataclass(frozen=True)
class File:
    """A file that is read. `partition`: columns that the names of its folders give, as in `dt=2026-01-01/part.csv`."""

    path: Path
    partition: Mapping[str, str | None] = field(default_factory=dict)


class Skipped(NamedTuple):
    """A file that is not read, and why not."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Files:
    """The files that the path of a table names, in the order of their names."""

    read: Sequence[File]
    skipped: Sequence[Skipped] = ()

    def notes(self, name: str) -> list[str]:
        """Which files are left out and why, apart from those that are hidden."""
        named = [skipped for skipped in self.skipped if skipped.reason != HIDDEN]
        if not named:
            return []
        shown = "; ".join(f"{skipped.path.name} ({skipped.reason})" for skipped in named[:5])
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        return [f"{name}: files that are not read: {shown}{more}"]


def find(name: str, table: TableInput) -> Files:
    """The files of a table: the file itself, a folder's data files at any depth, a glob's matches.

    In folders and among the matches of a glob, hidden files and documents are left out, and so is what is no table by
    its contents. A folder that is reached by several links is read once.

    Raises:
        ConfigError: there is none, or one cannot be opened.
        DataRefused: one cannot be unpacked.
    """
    if table.domains:
        return _of_domains(name, table)
    path = _local_path(name, table.path)
    try:
        mode = path.stat().st_mode if os.path.lexists(path) else None
    except OSError as error:
        why = f"is a link to '{path.readlink()}', which is not there" if path.is_symlink() else error.strerror
        raise ConfigError(f"{name}: '{table.path}' {why}; check the path.") from None
    if mode is None:
        return _matches(name, table, path)
    if stat.S_ISDIR(mode) and iceberg.is_table(table.path):
        raise ConfigError(f"{name}: '{table.path}' is an Iceberg table, which nights and `nightrec validate` read.")
    if stat.S_ISDIR(mode) and delta.is_table(path):
        return Files([File(*each) for each in delta.files(path, _plain(name, table))])
    if table.as_of is not None:
        raise ConfigError(f"{name}: as_of is for Delta and Iceberg tables, and '{table.path}' is none; leave it out.")
    if stat.S_ISDIR(mode):
        found = _sorted(name, table, path, _walk(name, path, set()))
        if not found.read:
            there = ", ".join(f"{file.path.relative_to(path)}: {file.reason}" for file in found.skipped[:5])
            raise ConfigError(
                f"{name}: the folder '{path}' has no data files (there is {there or 'nothing'}); "
                f"give a folder with {', '.join(ENDINGS)} files (also .gz), or name the file itself."
            )
        return found
    if kind := KINDS.get(stat.S_IFMT(mode)):
        raise ConfigError(
            f"{name}: '{table.path}' is {kind}, and a night reads its inputs more than once; write them to a file."
        )
    refuse_undecodable(name, path)
    return Files([File(path)])


def _of_domains(name: str, table: TableInput) -> Files:
    """The files of all domains of a table, one domain after the other.

    Raises:
        ConfigError: a file is in two domains.
    """
    read: dict[Path, File] = {}
    skipped: list[Skipped] = []
    for domain, one in table.by_domain().items():
        found = find(name, one)
        skipped += found.skipped
        for file in found.read:
            if (other := read.get(file.path)) is not None:
                raise ConfigError(
                    f"{name}: {file.path} is in two domains, {other.partition[OF_DOMAIN]} and {domain}; give each "
                    "paths of its own."
                )
            read[file.path] = File(file.path, {**file.partition, OF_DOMAIN: domain})
    return Files([*read.values()], skipped)


def _plain(name: str, table: TableInput) -> DeltaTable:
    """A Delta table whose rows are those of its files."""
    found = delta.opened(table.path, table.as_of, name)
    if not delta.is_plain(found):
        raise ConfigError(
            f"{name}: '{table.path}' is a Delta table with deleted rows or renamed columns that its files do not show; "
            "a night reads it, and `nightrec validate` says what is there."
        )
    return found


def is_elsewhere(name: str, table: TableInput) -> bool:
    """Whether a table, or a domain's part, is no files of this machine yet, and has to be read into some first."""
    if table.domains:
        return any(is_elsewhere(name, one) for one in table.by_domain().values())
    if is_remote(table.path) or iceberg.is_table(table.path):
        return True
    return delta.is_table(table.path) and not delta.is_plain(delta.opened(table.path, table.as_of, name))


def resolve(name: str, table: TableInput) -> list[Path]:
    """The paths of the files that `find` finds; none of a table that is elsewhere."""
    if table.domains:
        return [path for one in table.by_domain().values() for path in resolve(name, one)]
    return [] if is_elsewhere(name, table) else [file.path for file in find(name, table).read]


def check_inputs(inputs: Inputs, *, exposures: bool = False) -> None:
    """Check that every table names files that are there, without reading them.

    Args:
        inputs: the site's tables.
        exposures: whether exposures must be there, too; a night does without them.

    Raises:
        ConfigError: a path is missing, a folder or a glob has no data files, or a path is no local one.
    """
    for name, table in (inputs if exposures else with_what_is_there(inputs)[0]).tables().items():
        for one in table.by_domain().values():
            if not is_elsewhere(name, one):
                find(name, one)


def with_what_is_there(inputs: Inputs) -> tuple[Inputs, list[str]]:
    """The inputs without exposures that are missing, and why they are: a log may be late, or not have begun."""
    if inputs.exposures is not None:
        try:
            if not is_elsewhere("exposures", inputs.exposures):
                find("exposures", inputs.exposures)
        except (ConfigError, DataRefused) as error:
            return inputs.model_copy(update={"exposures": None}), [str(error)]
    return inputs, []


def input_fingerprint(inputs: Inputs) -> list[dict[str, Any]]:
    """Path, size in bytes and modification time (`mtime_ns`) of each file that a night would read.

    Raises:
        ConfigError: a file is not there.
    """
    return [_print_of(file) for name, table in inputs.tables().items() for file in resolve(name, table)]


def refuse_changed(before: Sequence[Mapping[str, Any]]) -> None:
    """Raise DataRefused where a file is no longer what its fingerprint says: another one was read than is recorded."""
    for known in before:
        try:
            now = _print_of(Path(known["path"]))
        except ConfigError:
            raise DataRefused(f"{known['path']} disappeared while it was read; start the night again.") from None
        if now != known:
            same = known["size"] == now["size"]
            how = "written anew" if same else f"{known['size']:,} and then {now['size']:,} bytes"
            raise DataRefused(
                f"{known['path']} changed while it was read ({how}); start the night again once it is complete."
            )


def _print_of(path: Path) -> dict[str, Any]:
    try:
        now = path.stat()
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be opened ({error.strerror}); check the path.") from None
    return {"path": str(path.absolute()), "size": now.st_size, "mtime_ns": now.st_mtime_ns}


def _local_path(name: str, text: str) -> Path:
    if not text.strip():
        raise ConfigError(f"{name}: the path is empty; give a file, a folder or a glob.")
    if "\0" in text:
        raise ConfigError(f"{name}: {text!r} is no path; check it.")
    try:
        if os.path.lexists(text):
            return Path(text)
        if text.startswith("file://"):
            rest = text.removeprefix("file://").removeprefix("localhost")
            if rest.startswith("/"):
                return Path(unquote(rest))
        if "://" in text:
            raise ConfigError(
                f"{name}: '{without_user(text)}' is not on this machine; copy it here and give the local path."
            )
        return Path(text).expanduser()
    except RuntimeError:  # the home of a user that is unknown
        raise ConfigError(f"{name}: there is no file or folder '{text}'; check the path.") from None


def _matches(name: str, table: TableInput, path: Path) -> Files:
    if not glob.has_magic(str(path)):
        raise ConfigError(f"{name}: there is no file or folder '{table.path}'; check the path.")
    parts = path.parts
    root = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])
    found: list[Path] = []
    seen: set[str] = set()
    for text in sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207  Path.glob takes no absolute pattern
        match = Path(text)
        if store := _store_around(match, root):
            found.append(store)
        elif not match.is_dir():
            found.append(match)
        elif parts[-1] != "**":
            found += _walk(name, match, seen)
    result = _sorted(name, table, root, found, path)
    if not result.read:
        there = "".join(f" ({file.path} is left out: {file.reason})" for file in result.skipped[:3])
        raise ConfigError(f"{name}: no file matches '{table.path}'{there}; check the pattern.")
    return result


def _store_around(match: Path, root: Path) -> Path | None:
    """The store whose part something below a folder is, or is in."""
    inside = match.relative_to(root).parts
    for depth, part in enumerate(inside):
        if part in PARTS and is_store(folder := root.joinpath(*inside[:depth])):
            return folder
    return None


def _walk(name: str, folder: Path, seen: set[str]) -> Iterator[Path]:
    """The files below a folder, links followed; a folder that was seen is not entered again, so loops end.

    A store is among them as the folder that it is: what nights write is no input.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_symlink(), entry.name))
    except OSError as error:
        raise ConfigError(f"{name}: the folder '{folder}' cannot be listed ({error.strerror}).") from None
    of_store = PARTS if is_store(folder) else frozenset()
    if of_store:
        yield folder
    for entry in entries:
        if entry.name in of_store:
            continue
        if entry.name in _VERSIONS and _is_folder(entry):
            _refuse_stale(name, folder, entry.name)
        if _is_folder(entry):
            yield from _walk(name, Path(entry.path), seen)
        else:
            yield Path(entry.path)


def _refuse_stale(name: str, folder: Path, log: str) -> None:
    """Raise ConfigError where a folder keeps files of earlier versions of its table, whose rows are no longer valid."""
    how = "give the path of that folder itself" if log == delta.LOG else "write its rows as Parquet and give these"
    raise ConfigError(
        f"{name}: '{folder}' is a {_VERSIONS[log]} table, and its folder may also hold rows that were deleted "
        f"or replaced; {how}."
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _sorted(name: str, table: TableInput, root: Path, found: Iterable[Path], pattern: Path | None = None) -> Files:
    """The files that are read, in the order of their names, and those that are not."""
    read: list[File] = []
    skipped: list[Skipped] = []
    paths = sorted(set(found))
    real = {os.path.realpath(path): path for path in paths if not path.is_symlink()}
    for path in paths:
        inside = path.relative_to(root).parts
        if path.is_dir():
            skipped.append(Skipped(path, STORE))
        elif path.is_symlink() and (same := real.setdefault(os.path.realpath(path), path)) != path:
            skipped.append(Skipped(path, f"a link to {same.name}, which is read itself"))
        elif reason := by_name(inside, pattern) or by_contents(name, path, table):
            skipped.append(Skipped(path, reason))
        else:
            read.append(File(path, _partition(inside)))
    return Files(read, skipped)


def _partition(inside: Sequence[str]) -> dict[str, str | None]:
    """The columns that folders give by their names, as Hive and Spark write them: `dt=2026-01-01`."""
    pairs = [part.split("=", 1) for part in inside[:-1] if "=" in part.strip("=")]
    return {unquote(key): None if value == _NO_VALUE else unquote(value) for key, value in pairs if key}
