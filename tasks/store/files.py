"""Files and folders that appear whole or not at all, and their digests.

What is written goes into a temporary sibling, which is synced and renamed when complete.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TEMPORARY = ".tmp-"


@contextmanager
def replacing(folder: Path, even_after: tuple[type[Exception], ...] = ()) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` when the block ends well (or with one of `even_after`),
    and vanishes when it does not.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    out = folder.with_name(f"{TEMPORARY}{folder.name}")
    shutil.rmtree(out, ignore_errors=True)
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
    for path in [*out.rglob("*"), out]:
        sync(path)
    old = folder.with_name(f"{TEMPORARY}old-{folder.name}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    out.rename(folder)
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path) -> Json | None:
    """The content of a JSON file; None where it is absent or was cut short."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.write_text(json.dumps(content, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def place_copy(source: Path, target: Path) -> None:
    """Copy a file so that a reader of `target` sees the old one or the new one, never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{TEMPORARY}{target.name}")
    shutil.copyfile(source, temporary)
    sync(temporary)
    temporary.replace(target)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: object) -> str:
    """A fingerprint of anything that JSON can say (dates and paths as text)."""
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
