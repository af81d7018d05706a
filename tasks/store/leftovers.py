"""What killed runs leave behind in a store, and what is not nightrec's in it: the first goes, the second stays.

Whoever holds the store sweeps it. A leftover is known by the name that nightrec gives to what it has not finished.
Commands that do not hold the store (`rollback`, `report`, `pin`) may be writing at the same moment, so their temporary
files go only when they are old. An export that has lost its manifest is no leftover: only one whose publishing, or
whose removal, was cut short is.
"""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.store.events import log_event
from tasks.store.feedback import LEARNED
from tasks.store.files import TEMPORARY, read_json
from tasks.store.ids import is_export_id, night_of
from tasks.store.paths import SIMULATION, Night, Store, entries

OLD = 86400.0  # seconds after which nobody is still writing a small file, whatever the clocks of machines say
PUBLISHING = ".publishing-"
"""Before the id of an export: it is being published, and has no manifest yet."""
ENDED = ("published", "compared")
SHOWN = 5


@contextmanager
def publishing(store: Store, export_id: str) -> Iterator[None]:
    """Mark an export as being on its way, until its manifest is there or its folder is not."""
    marker = store.exports / f"{PUBLISHING}{export_id}"
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    try:
        yield
    finally:
        if store.export_manifest(export_id).exists() or not store.export(export_id).exists():
            remove(marker)


def leftovers(store: Store, now: float | None = None) -> list[Path]:
    """What runs that were cut short have left, and nobody is working on; for who holds the store."""
    now = time.time() if now is None else now
    found = [*store.exports.glob(f"{TEMPORARY}*"), *(store.root / "history").glob(f"{TEMPORARY}*")]
    found = [path for path in found if path.is_dir() or path.parent.name == "history"]
    found += store.root.glob(f"feedback/*/{TEMPORARY}*")
    found += store.root.glob(f"panel/{TEMPORARY}*")
    found += store.landed.glob(f"**/{TEMPORARY}*")
    found += _cut_short(store)
    for night in store.all_nights():
        half, parts = of_night(night), night.all_parts
        if (half or parts.exists()) and not _has_ended(night):
            found += half  # its parts are what it goes on from
        elif parts.exists():
            found.append(parts)
    small = [
        *(store.root.glob(f"{name}*") for name in (TEMPORARY, ".clock-", ".lease-")),
        *((store.root / folder).glob(f"{TEMPORARY}*") for folder in ("exports", "inputs", "reports", "quality")),
        *(store.root.glob(f"{folder}/{TEMPORARY}*") for folder in ("exports/manifests", "exports/manifests/removed")),
        store.root.glob(f"encoded/*/{TEMPORARY}*"),
    ]
    found += [path for glob in small for path in glob if path not in found and _is_old(path, now)]
    return found


def _has_ended(night: Night) -> bool:
    """Whether the last run of a night was not killed, as far as its record tells."""
    record = read_json(night.summary) or {}
    attempts = record.get("attempts")
    killed = isinstance(attempts, list) and {"running"} & {
        one.get("status") for one in attempts if isinstance(one, dict)
    }
    return record.get("status") in ENDED and not killed


def of_night(night: Night) -> list[Path]:
    """What a night's killed runs have left half-written."""
    return list(_half_written(night.folder))


def foreign(store: Store) -> list[Path]:
    """What stands among the nights, exports, figures, feedback, panel and simulations, and is none of them."""
    return sorted(_foreign(store))


def without_manifest(store: Store) -> list[Path]:
    """Exports that have lost their manifest, and are no leftovers: nobody reads or removes them."""
    cut_short = set(_cut_short(store))
    folders = (folder for folder in store.export_folders() if not store.export_manifest(folder.name).exists())
    return [folder for folder in folders if folder not in cut_short]


def sweep(store: Store) -> None:
    """Remove leftovers, and name what is left alone; for who holds the store."""
    for path in leftovers(store):
        remove(path)
    for marker in store.exports.glob(f"{PUBLISHING}*"):
        remove(marker)
    for folder in without_manifest(store):
        again = f"run the night {folder.name.partition('.')[0]} again, which publishes it anew"
        log_event("store", "note", f"{folder} has lost its manifest, and is left alone: {again}")
    unknown = [str(path.relative_to(store.root)) for path in foreign(store)]
    if unknown:
        more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
        log_event("store", "note", f"Not nightrec's, and left alone: {', '.join(unknown[:SHOWN])}{more}")


def sweep_night(night: Night) -> None:
    """Remove what a night's killed runs have left half-written."""
    for path in of_night(night):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it can be: what stays is tried again by the next night."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _cut_short(store: Store) -> Iterator[Path]:
    """Exports without a manifest whose publishing or removal was cut short, and the marks of either."""
    current = (read_json(store.pointer) or {}).get("export_id")
    for folder in store.export_folders():
        marked = (store.exports / f"{PUBLISHING}{folder.name}").exists()
        removed = (store.exports / "manifests" / "removed" / f"{folder.name}.json").exists()
        if (marked or removed) and folder.name != current and not store.export_manifest(folder.name).exists():
            yield folder


def _foreign(store: Store) -> Iterator[Path]:
    ours = {"latest", "latest.json", "manifests"}
    for path in store.exports.glob("*"):
        export = is_export_id(path.name) and path.is_dir()
        if not export and path.name not in ours and not path.name.startswith("."):
            yield path
    for path in (store.root / "nights").glob("*"):
        if night_of(path.name) is None or not path.is_dir():
            yield path
    for path in (store.exports / "manifests").glob("*"):
        known = path.suffix == ".json" and is_export_id(path.stem)
        if not known and path.name != "removed" and not path.name.startswith("."):
            yield path
    for path in (store.root / "history").glob("*"):
        known = path.suffix in (".parquet", ".sha256") and night_of(path.stem) is not None
        if not known and not path.name.startswith(TEMPORARY):
            yield path
    yield from _foreign_to_days(store)


def _foreign_to_days(store: Store) -> Iterator[Path]:
    """What stands among the folders of days of the feedback and the panel, and in those of the feedback."""
    for path in (*(store.root / "feedback").glob("*"), *(store.root / "panel").glob("[!.]*")):
        if night_of(path.name) is None or not path.is_dir():
            yield path
    for path in store.simulations.glob("*"):
        if not re.match(SIMULATION, path.name) or not path.is_dir():
            yield path
    for path in (store.root / "feedback").glob("*/*"):
        if path.name not in LEARNED and not path.name.startswith(TEMPORARY) and night_of(path.parent.name) is not None:
            yield path


def _half_written(folder: Path) -> Iterator[Path]:
    for entry in entries(folder):
        if entry.name.startswith(TEMPORARY):
            yield Path(entry.path)
        elif entry.is_dir(follow_symlinks=False):
            yield from _half_written(Path(entry.path))


def _is_old(path: Path, now: float) -> bool:
    """Whether a small file, or a folder that was to become one of Data Docs, was written long ago."""
    try:
        old = now - path.lstat().st_mtime > OLD
    except OSError:
        return False
    return old and (path.name.startswith(TEMPORARY) or not path.is_dir())
