"""Files and folders that appear whole or not at all, and their digests.

What is written goes into a temporary sibling, which is synced and renamed when complete. It is as readable to others
as the folder that it is put into: who opens a folder of the store to a group opens what nights will write there.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TEMPORARY = ".tmp-"
FOR_OTHERS = 0o075  # of a folder's mode: what its group and all others may do; nobody else's files are for all to write


@contextmanager
def replacing(folder: Path, even_after: tuple[type[Exception], ...] = ()) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` when the block ends well (or with one of `even_after`),
    and vanishes when it does not.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    out = folder.with_name(f"{TEMPORARY}{folder.name}")
    _make_way(out)
    out.mkdir()
    try:
        yield out
        _put_in_place(out, folder)
    except even_after:
        _put_in_place(out, folder)
        raise
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _put_in_place(out: Path, folder: Path) -> None:
    """Sync the folder `out` and rename it to `folder`, whose old content goes."""
    readers = readers_of(folder.parent)
    for path in [*out.rglob("*"), out]:
        open_to(path, readers)
        sync(path)
    old = folder.with_name(f"{TEMPORARY}old-{folder.name}")
    _make_way(old)
    with suppress(FileNotFoundError):
        folder.rename(old)
    out.rename(folder)
    sync(folder.parent)
    _make_way(old)


def _make_way(path: Path) -> None:
    """Remove what an earlier run has left under a temporary name, file or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary file to be written, which takes the place of `path`, synced, when the block ends well."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        _make_way(temporary)
        yield temporary
        open_to(temporary, readers_of(path.parent))
        sync(temporary)
        set_folder_aside(path)
        temporary.replace(path)
        sync(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def set_folder_aside(path: Path) -> None:
    """Rename a folder that stands where a file belongs: it is somebody's, and stays."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.aside-{uuid.uuid4().hex[:8]}"))


def private_folder(folder: Path) -> None:
    """Make a folder that only its user may enter; one that is there already stays as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def readers_of(folder: Path) -> int:
    """What others than its owner may do in a folder, as bits of a mode."""
    return folder.stat().st_mode & FOR_OTHERS


def open_to(path: Path, readers: int) -> None:
    """Let those who may read a folder read a file or folder in it, and nobody else."""
    if path.is_symlink():
        return
    mode = 0o700 | readers if path.is_dir() else 0o600 | (readers & 0o064)
    with suppress(PermissionError, NotImplementedError):  # a file system without modes
        path.chmod(mode | (path.stat().st_mode & 0o7000))


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> Json | None:
    """The content of a JSON file; None where it is absent, may not be read, was cut short, or is no JSON object."""
    return parsed(_read(path))


def write_json(path: Path, content: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part.

    Without an `indent`, for what is large and not for people, it takes a tenth of the time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as temporary:
        text = json.dumps(content, indent=indent, default=str, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_lines(path: Path) -> list[Json | None]:
    """The objects of a file with one a line, oldest first; None for a line that is none, as one that was cut short."""
    return [parsed(line) for line in (_read(path) or b"").splitlines() if line.strip()]


def _read(path: Path) -> bytes | None:
    """A file's bytes; a disk that does not answer is an error, and no file that is absent."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return None


def parsed(text: bytes | None) -> Json | None:
    """The JSON object that some bytes are; None where they are none."""
    try:
        content = json.loads((text or b"").decode("utf-8"))
    except (ValueError, RecursionError):  # cut short, not UTF-8, brackets without end
        return None
    return content if isinstance(content, dict) else None


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    """Add an object to a file with one a line; a line that was cut short before does not spoil it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    set_folder_aside(path)
    line = json.dumps(content, default=str, ensure_ascii=False).encode() + b"\n"
    with path.open("a+b") as log:
        if log.seek(0, os.SEEK_END):
            log.seek(-1, os.SEEK_END)
            line = line if log.read(1) == b"\n" else b"\n" + line
        log.write(line)
        log.flush()
        os.fsync(log.fileno())


def place_copy(source: Path, target: Path) -> None:
    """Copy a file so that a reader of `target` sees the old one or the new one, never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with replaced(target) as temporary:
        shutil.copyfile(source, temporary)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: object) -> str:
    """A fingerprint of anything that JSON can say (dates and paths as text)."""
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
