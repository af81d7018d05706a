"""Publishing: which exports a store has, and the switch that shows readers the next one.

Readers find an export through ``latest.json``, which is replaced last and in one step: they see the old export or the
new one, whole.
"""

import threading
from datetime import date

from recmodels.errors import NightrecError
from tasks.stage import tell
from tasks.store import TEMPORARY, Json, Store, now_text, read_json, sha256, sync, write_json

switching = threading.Lock()  # nights of a backfill may publish at the same time


def point_to(store: Store, manifest: Json) -> None:
    """Switch readers to an export, unless a later night's is the current one."""
    with switching:
        switch(store, manifest)


def switch(store: Store, manifest: Json) -> None:
    current = read_json(store.pointer)
    if current and current["run_date"] > manifest["run_date"]:
        tell("export", "note", f"{current['export_id']}, of a later night, stays the latest")
        return
    if current and current["export_id"] == manifest["export_id"]:
        return
    export_id = manifest["export_id"]
    pointer = {
        "export_id": export_id,
        "run_date": manifest["run_date"],
        "path": export_id,
        "manifest": f"manifests/{export_id}.json",
        "manifest_sha256": sha256(store.export_manifest(export_id)),
        "published_at": now_text(),
    }
    write_json(store.pointer, pointer)
    link = store.exports / f"{TEMPORARY}latest"
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(export_id)
        link.replace(store.link)
    except OSError as error:  # a file system without symbolic links: the pointer is enough
        if store.link.exists():
            raise NightrecError(f"The link {store.link} cannot be replaced: {error.strerror}.") from error
    sync(store.exports)


def newest_export(store: Store, run_date: date) -> Json | None:
    """The manifest of the last export of a night that is still there whole."""
    ids = sorted(export_ids(store, run_date), key=export_number)
    manifest = read_json(store.export_manifest(ids[-1])) if ids else None
    return manifest if manifest and store.export(manifest["export_id"]).is_dir() else None


def export_ids(store: Store, run_date: date) -> set[str]:
    """Every export id that a night has used, whether or not its files are still there."""
    manifests = {path.stem for path in store.export_manifest("x").parent.glob(f"{run_date}*.json")}
    return manifests | {path.name for path in store.exports.glob(f"{run_date}*") if path.is_dir()}


def export_number(export_id: str) -> int:
    """1 for a night's first export, 2 for ``<run_date>.2``, and so on."""
    return int(export_id.partition(".")[2] or 1)


def next_export_id(store: Store, run_date: date) -> str:
    used = max((export_number(used) for used in export_ids(store, run_date)), default=0)
    return f"{run_date}.{used + 1}" if used else str(run_date)
