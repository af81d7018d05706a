"""What is wrong with a store, found without changing anything in it."""

from collections.abc import Iterator
from pathlib import Path

from typing_extensions import TypedDict

from expectations.errors import ExportRefused
from tasks.publish.findings import Finding, Kind, Remedy
from tasks.publish.mirror import MIRRORS
from tasks.publish.retention import Pins
from tasks.store import history
from tasks.store.exports import intact, manifest_of, pointer_of, whole_exports
from tasks.store.lease import STALE, age
from tasks.store.leftovers import foreign, leftovers
from tasks.store.manifests import damage
from tasks.store.manifests import manifest_of as stage_manifest
from tasks.store.paths import Night, Store
from tasks.store.records import Lease, read

PRIVATE = ("nights", "inputs", "history", "reports", "quality", "tuning", "demo")
NEWEST = 3  # nights whose stages are read
OTHERS = 0o007  # of a mode: what everybody may do


class _Record(TypedDict):
    """What of `night.json` others rely on."""

    status: str


def examine(store: Store, newest: int = NEWEST, mirror: str | None = None) -> list[Finding]:
    """Look at everything of a store, and change nothing but the time of its `.clock`.

    Args:
        store: its folder.
        newest: of how many nights the files of stages are read as well; those of older ones serve warm starts only.
        mirror: the URL of the copy of its exports, if there is one.

    Returns:
        What is wrong, the worst first: pointer, exports, records, figures, nights; then leftovers, modes, strangers.
    """
    by_copy = Remedy.FETCH if mirror else Remedy.NIGHT
    nights, left = store.all_nights(), leftovers(store)
    parts: list[Iterator[Finding]] = [
        _pointer(store),
        _exports(store, left, by_copy),
        _records(store),
        _history(store),
        *(_night(night) for night in nights),
        *(_stages(night) for night in nights[len(nights) - newest :]),
        (Finding(path, Kind.LEFTOVER, "was left by a run that was cut short", Remedy.REMOVE) for path in left),
        _open(store),
        (Finding(path, Kind.FOREIGN, "is not nightrec's", Remedy.NONE) for path in foreign(store)),
    ]
    found = {finding.path: finding for part in reversed(parts) for finding in part}  # of a path, what is worst
    order = list(Kind)
    return sorted(found.values(), key=lambda finding: (order.index(finding.kind), finding.path))


def _pointer(store: Store) -> Iterator[Finding]:
    there, exports = pointer_of(store), whole_exports(store)
    if there is None and (exports or store.pointer.exists()):
        state = "is damaged" if store.pointer.exists() else "is missing"
        yield Finding(store.pointer, Kind.DAMAGED, state, Remedy.POINT if exports else Remedy.NIGHT)
    elif there is not None and there["export_id"] not in exports:
        says = f"points to {there['export_id']}, which is not there whole"
        yield Finding(store.pointer, Kind.DAMAGED, says, Remedy.NIGHT)


def _exports(store: Store, left: list[Path], by_copy: Remedy) -> Iterator[Finding]:
    for name in store.export_ids():
        about, folder = store.export_manifest(name), store.export(name)
        manifest = manifest_of(store, name)
        if manifest is None:
            yield Finding(about, Kind.DAMAGED, "is damaged", by_copy)
        elif not folder.is_dir():
            yield Finding(folder, Kind.MISSING, "is missing, and its manifest is there", by_copy)
        else:
            try:
                intact(store, manifest)
            except ExportRefused as error:
                says = f"has a file that is not what was published ({str(error).partition(':')[0]})"
                yield Finding(folder, Kind.DAMAGED, says, by_copy)
    for folder in store.export_folders():
        if not store.export_manifest(folder.name).exists() and folder not in left:
            yield Finding(folder, Kind.MISSING, "has lost its manifest", by_copy)


def _records(store: Store) -> Iterator[Finding]:
    kinds = {
        store.pins: (Pins, Remedy.PIN_ALL),
        store.root / "sinks.json": (dict[str, dict[str, object]], Remedy.REMOVE),
    }
    for path, (kind, remedy) in kinds.items():
        if path.exists() and read(path, kind) is None:
            yield Finding(path, Kind.DAMAGED, "is damaged", remedy)
    copies = store.root / MIRRORS
    if copies.exists() and read(copies, dict[str, str]) is None:
        yield Finding(copies, Kind.DAMAGED, "is damaged, so copies at other URLs are not known", Remedy.NONE)
    if store.lease.exists() and read(store.lease, Lease) is None and (age(store.lease) or 0.0) > STALE:
        yield Finding(store.lease, Kind.DAMAGED, "is damaged, and nobody's", Remedy.REMOVE)


def _history(store: Store) -> Iterator[Finding]:
    for run_date, path in store.histories().items():
        if history.is_damaged(path):
            there = stage_manifest(store.night(run_date).evaluation)
            yield Finding(path, Kind.DAMAGED, "is damaged", Remedy.COPY if there else Remedy.NIGHT)


def _night(night: Night) -> Iterator[Finding]:
    if night.summary.exists() and read(night.summary, _Record) is None:
        yield Finding(night.summary, Kind.DAMAGED, "is damaged", Remedy.NIGHT)


def _stages(night: Night) -> Iterator[Finding]:
    """Stages that are not what was written: the night, if it is run again, makes them anew by itself."""
    for path in sorted(night.folder.rglob("manifest.json")):
        manifest = stage_manifest(path.parent)
        if manifest is None:
            yield Finding(path, Kind.DAMAGED, "is damaged", Remedy.NIGHT)
        elif damaged := damage(path.parent, manifest["files"]):
            says = f"has a file that is not what was written ({Path(damaged.partition(' ')[0]).name})"
            yield Finding(path.parent, Kind.DAMAGED, says, Remedy.NIGHT)


def _open(store: Store) -> Iterator[Finding]:
    """Folders with people's data that everybody on the machine may enter, through a store that they may enter."""
    if not store.root.stat().st_mode & OTHERS:
        return
    for folder in (store.root / name for name in PRIVATE):
        if folder.is_dir() and folder.stat().st_mode & OTHERS:
            yield Finding(folder, Kind.OPEN, "may be read by every user of the machine", Remedy.CLOSE)
