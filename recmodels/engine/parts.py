"""The parts that buckets leave: folders that appear whole, and say what they were made from."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from recmodels.engine.work import Bucket, Function, Work

ABOUT = "part.json"  # in each part: its fingerprint, and the digests of its files
TEMPORARY = ".tmp-"  # before the name of a part that is not whole yet


def fingerprint(function: Function, bucket: Bucket, code: str, digest_of: Callable[[Path], str]) -> str:
    """What a bucket's part is made from: the same gives the same bytes.

    Args:
        function: that makes it.
        bucket: of which it is made.
        code: the version of the function's code.
        digest_of: of a file, or a part.
    """
    made_from = {
        "function": name_of(function),
        "code": code,
        "inputs": {name: (path.name, digest_of(path)) for name, path in sorted(bucket.inputs.items())},
        "arguments": bucket.arguments,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def name_of(function: Callable[..., object]) -> str:
    """`module:function`, by which other processes find it."""
    return f"{function.__module__}:{function.__qualname__}"


def digest(path: Path) -> str:
    """Of a file's bytes; of a part, what it says of its own; of another folder, that of the digests of its files.

    A file that many buckets read is read once for it, as long as it stays what it is; one of a part is what this says.
    """
    if (path / ABOUT).is_file():
        return digest_of_about((path / ABOUT).read_bytes())
    if within_part(path):
        return _files_of((path.parent / ABOUT).read_bytes())[path.name]
    if path.is_dir():
        return hashlib.sha256(json.dumps(digests(path), sort_keys=True).encode()).hexdigest()
    return _digest_now(path)


def within_part(path: Path) -> bool:
    """Whether a path is that of a file of a part, which need not be here if the part was not fetched."""
    return path.name != ABOUT and (path.parent / ABOUT).is_file()


def _digest_now(path: Path) -> str:
    now = path.stat()
    return _digest(path, now.st_ino, now.st_size, now.st_mtime_ns)


@lru_cache(16)
def _files_of(about: bytes) -> dict[str, str]:
    files: dict[str, str] = json.loads(about)["files"]
    return files


def digest_of_about(about: bytes) -> str:
    """That of a part which says this of itself."""
    return hashlib.sha256(about).hexdigest()


@lru_cache(2**16)
def _digest(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def done(part: Path, made_from: str) -> bool:
    """Whether a part is there, of that fingerprint, and each of its files is what was written."""
    try:
        about = json.loads((part / ABOUT).read_bytes())
        return bool(about["fingerprint"] == made_from and about["files"] == digests(part))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def make(function: Function, work: Work, made_from: str) -> None:
    """Have a function write the part `work.out`, which appears whole, whoever else may write it at the same time."""
    temporary = work.out.with_name(f"{TEMPORARY}{work.out.name}-{uuid.uuid4().hex}")
    temporary.mkdir(parents=True)
    try:
        function(Work(work.inputs, work.arguments, temporary, work.memory))
        about = {"fingerprint": made_from, "files": digests(temporary)}
        (temporary / ABOUT).write_text(json.dumps(about, sort_keys=True))
        place(temporary, work.out, made_from)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def place(whole: Path, part: Path, made_from: str) -> None:
    """Rename a folder that is whole to the part; another one may come first, and has written the same."""
    for _ in range(2):
        with suppress(OSError):
            whole.rename(part)
            return
        if done(part, made_from):
            return
        shutil.rmtree(part, ignore_errors=True)
    whole.rename(part)


def digests(folder: Path) -> dict[str, str]:
    """Those of the files in a folder, by their paths in it; of a part without what it says of them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ABOUT)
    return {path.relative_to(folder).as_posix(): _digest_now(path) for path in files}
