"""The parts that buckets leave: folders that appear whole, and say what they were made from."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
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
        "inputs": {name: digest_of(path) for name, path in sorted(bucket.inputs.items())},
        "arguments": bucket.arguments,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def name_of(function: Function) -> str:
    """`module:function`, by which other processes find it."""
    return f"{function.__module__}:{function.__qualname__}"


def digest(path: Path) -> str:
    """Of a file's bytes; of a part, what it says of its own."""
    if (path / ABOUT).is_file():
        return hashlib.sha256((path / ABOUT).read_bytes()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def done(part: Path, made_from: str) -> bool:
    """Whether a part is there, of that fingerprint, and each of its files is what was written."""
    try:
        about = json.loads((part / ABOUT).read_bytes())
        return bool(about["fingerprint"] == made_from and about["files"] == _digests(part))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def make(function: Function, work: Work, made_from: str) -> None:
    """Have a function write the part `work.out`, which appears whole, whoever else may write it at the same time."""
    temporary = work.out.with_name(f"{TEMPORARY}{work.out.name}-{uuid.uuid4().hex}")
    temporary.mkdir(parents=True)
    try:
        function(Work(work.inputs, work.arguments, temporary, work.memory))
        about = {"fingerprint": made_from, "files": _digests(temporary)}
        (temporary / ABOUT).write_text(json.dumps(about, sort_keys=True))
        for _ in range(2):  # another one may come first, and has written the same
            with suppress(OSError):
                temporary.rename(work.out)
                return
            if done(work.out, made_from):
                return
            shutil.rmtree(work.out, ignore_errors=True)
        temporary.rename(work.out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _digests(part: Path) -> dict[str, str]:
    files = sorted(path for path in part.rglob("*") if path.is_file() and path.name != ABOUT)
    return {path.relative_to(part).as_posix(): digest(path) for path in files}
