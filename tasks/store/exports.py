"""Publishing: which exports a store has, and the switch that shows readers another one.

Readers find an export through `latest.json`, which is replaced last and in one step: they see the old export or the
new one, whole. A line in `published.jsonl` records every switch.
"""

import fcntl
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date

import pyarrow.parquet as pq

from expectations.errors import ExportRefused
from recmodels.errors import ConfigError, NightrecError
from tasks.store.events import log_event
from tasks.store.files import TEMPORARY, Json, now_text, read_json, sha256, sync, write_json
from tasks.store.paths import Store

threads = threading.Lock()  # nights of a backfill may publish at the same time


@contextmanager
def switching(store: Store) -> Iterator[None]:
    """Keep others from changing which exports there are and which is the latest: threads, and other processes."""
    with threads, (store.root / ".switch").open("a") as lock:
        with suppress(OSError):  # a file system without locks: the lease of the store has to be enough
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def point_to(store: Store, manifest: Json) -> None:
    """Switch readers to an export, unless a later night's is the current one, or people have gone back behind it."""
    with switching(store):
        current = read_json(store.pointer)
        if current and current["run_date"] > manifest["run_date"]:
            log_event("export", "note", f"{current['export_id']}, of a later night, stays the latest")
        elif current and manifest["export_id"] in current.get("withdrawn", []):
            text = f"{manifest['export_id']} was rolled back: {current['export_id']} stays the latest"
            log_event("export", "note", f"{text}; run the night with --fresh to publish it anew")
        elif not current or current["export_id"] != manifest["export_id"]:
            gone = [name for name in (current or {}).get("withdrawn", []) if store.export(name).is_dir()]
            _switch(store, manifest, "night", gone)


def rollback(store: Store, to: str | None = None) -> tuple[str, str]:
    """Switch readers to an earlier export (or, naming it, to a later one); returns the ids of the old and the new one.

    Later exports are withdrawn: they stay, but a night that is run again does not bring them back by itself.

    Raises:
        ConfigError: there is no such export.
        ExportRefused: its files are not what was published.
    """
    with switching(store):
        current = read_json(store.pointer)
        if current is None:
            raise ConfigError(f"Nothing is published in the store {store.root}: there is nothing to go back from.")
        ids = whole_exports(store)
        if to is None:
            earlier = [name for name in ids if age_order(name) < age_order(current["export_id"])]
            if not earlier:
                raise ConfigError(f"There is no export before {current['export_id']} in the store {store.root}.")
            to = f"{earlier[-1].partition('.')[0]}.{export_number(earlier[-1])}"
        target = named_export(store, to)
        intact(store, target)
        chosen = target["export_id"]
        withdrawn = [name for name in ids if age_order(name) > age_order(chosen)]
        if chosen != current["export_id"] or withdrawn != current.get("withdrawn", []):
            _switch(store, target, "rollback", withdrawn)
    return current["export_id"], chosen


def _switch(store: Store, manifest: Json, by: str, withdrawn: list[str]) -> None:
    current = read_json(store.pointer)
    export_id = manifest["export_id"]
    pointer = {
        "export_id": export_id,
        "run_date": manifest["run_date"],
        "path": export_id,
        "manifest": f"manifests/{export_id}.json",
        "manifest_sha256": sha256(store.export_manifest(export_id)),
        "published_at": now_text(),
    }
    line = {"at": now_text(), "export_id": export_id, "instead_of": current and current["export_id"], "by": by}
    with (store.root / "published.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    write_json(store.pointer, pointer | ({"withdrawn": withdrawn} if withdrawn else {}))
    link = store.exports / f"{TEMPORARY}latest"
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(export_id)
        link.replace(store.link)
    except OSError as error:  # a file system without symbolic links: the pointer is enough
        if store.link.exists():
            raise NightrecError(f"The link {store.link} cannot be replaced: {error.strerror}.") from error
    sync(store.exports)


def switches(store: Store) -> list[Json]:
    """The lines of `published.jsonl`, oldest first; one that was cut short is left out."""
    found = []
    with suppress(FileNotFoundError):
        for line in (store.root / "published.jsonl").read_text(encoding="utf-8").splitlines():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
    return found


def intact(store: Store, manifest: Json) -> None:
    """Raise ExportRefused where a file of an export is missing, or is not what its manifest says."""
    again = f"publish the night {manifest['run_date']} again"
    for file in manifest["files"]:
        path = store.export(manifest["export_id"]) / file["path"]
        if not path.is_file():
            raise ExportRefused(f"{path} is missing: {again}.")
        if path.stat().st_size != file["bytes"] or sha256(path) != file["sha256"]:
            raise ExportRefused(f"{path} is not what was published: {again}.")
        if pq.read_metadata(path).num_rows != file["rows"]:
            raise ExportRefused(f"{path} does not have the {file['rows']:,} rows of its manifest: {again}.")


def whole_exports(store: Store) -> list[str]:
    """The ids of the exports that are there, with their manifest, oldest night first."""
    found = [path.stem for path in store.export_manifest("x").parent.glob("[0-9]*.json")]
    return sorted((name for name in found if store.export(name).is_dir()), key=age_order)


def named_export(store: Store, name: str) -> Json:
    """The manifest of a night's newest export, by its date, or of its n-th, as `<date>.n`.

    Raises:
        ConfigError: there is no such export.
    """
    ids = whole_exports(store)
    run_date, _, number = name.partition(".")
    of_night = [found for found in ids if age_order(found)[0] == run_date]
    chosen = [found for found in of_night if number in ("", str(export_number(found)))]
    if not chosen:
        there = f"there are {ids[0]} to {ids[-1]}" if ids else "there is none"
        raise ConfigError(f"There is no export {name} in the store {store.root}: {there}.")
    manifest = read_json(store.export_manifest(chosen[-1]))
    if manifest is None:
        raise ConfigError(f"{store.export_manifest(chosen[-1])} cannot be read: publish the night again.")
    return manifest


def age_order(export_id: str) -> tuple[str, int]:
    """Sorts exports by night, then by when they were published."""
    return export_id.partition(".")[0], export_number(export_id)


def newest_export(store: Store, run_date: date) -> Json | None:
    """The manifest of the last export of a night that is still there whole."""
    ids = sorted(_export_ids(store, run_date), key=export_number)
    manifest = read_json(store.export_manifest(ids[-1])) if ids else None
    return manifest if manifest and store.export(manifest["export_id"]).is_dir() else None


def _export_ids(store: Store, run_date: date) -> set[str]:
    """Every export id that a night has used, whether or not its files are still there."""
    manifests = {path.stem for path in store.export_manifest("x").parent.rglob(f"{run_date}*.json")}
    return manifests | {path.name for path in store.exports.glob(f"{run_date}*") if path.is_dir()}


def export_number(export_id: str) -> int:
    """1 for a night's first export, 2 for `<run_date>.2`, and so on."""
    return int(export_id.partition(".")[2] or 1)


def next_export_id(store: Store, run_date: date) -> str:
    used = max((export_number(used) for used in _export_ids(store, run_date)), default=0)
    return f"{run_date}.{used + 1}" if used else str(run_date)
