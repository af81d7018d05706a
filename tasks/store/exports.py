"""Publishing: which exports a store has, and the switch that shows readers another one.

Readers find an export through `latest.json`, which is replaced last and in one step: they see the old export or the
new one, whole. A line in `published.jsonl` records every switch, and from it a pointer that is lost is made again.
"""

import fcntl
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import TypedDict

from expectations.errors import ExportRefused
from recmodels.errors import ConfigError, NightrecError
from tasks.store.events import log_event
from tasks.store.files import (
    TEMPORARY,
    Json,
    append_line,
    now_text,
    open_to,
    read_json,
    read_lines,
    readers_of,
    sha256,
    sync,
    write_json,
)
from tasks.store.ids import age_order, export_number, is_export_id
from tasks.store.in_step import in_step
from tasks.store.manifests import damage
from tasks.store.paths import Store
from tasks.store.records import Day, ExportId, FileEntry, Pointer, Switch, fitting, is_whole, read, sealed

REWRITTEN = ".forget-"
"""Prefix of the folders with the new files of an export that somebody is forgotten in, and its new manifest."""

threads = threading.Lock()  # nights of a backfill may publish at the same time


class _Published(TypedDict):
    """What of an export's manifest nights and commands rely on."""

    export_id: ExportId
    run_date: Day
    champion: str
    files: list[FileEntry]


@contextmanager
def switching(store: Store) -> Iterator[None]:
    """Keep others from changing which exports there are and which is the latest: threads, and other processes."""
    with in_step(store), threads, _opened(store) as lock:
        with suppress(OSError):  # a file system without locks: the lease of the store has to be enough
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _opened(store: Store) -> IO[str]:
    try:
        return (store.root / ".switch").open("a")
    except OSError as error:
        raise ConfigError(
            f"The store {store.root} cannot be written ({error.strerror}): name another folder with --store, or see "
            "that this one belongs to the user that runs nightrec."
        ) from None


def pointer_of(store: Store) -> Pointer | None:
    """What readers are pointed to, as `latest.json` says it; None where nothing is, or it is damaged."""
    found = read(store.pointer, Pointer)
    if found is None or found["path"] != found["export_id"]:
        return None
    same = found["run_date"] == age_order(found["export_id"])[0]
    return found if same and found["manifest"] == f"manifests/{found['export_id']}.json" else None


def current(store: Store) -> Pointer | None:
    """What readers are pointed to or, where `latest.json` is lost or damaged, were at last; None before all exports."""
    return pointer_of(store) or _remembered(store)


def _remembered(store: Store) -> Pointer | None:
    """The pointer as the record of switches has it: to the last export in it that is still there."""
    there = _readable_exports(store)
    for line in reversed(switches(store)):
        if (export_id := line["export_id"]) in there:
            later = [name for name in there if age_order(name) > age_order(export_id)]
            return _pointer_to(store, export_id, line["at"], later if line["by"] == "rollback" else [])
    return None


def _newest(store: Store) -> Pointer | None:
    there = _readable_exports(store)
    return _pointer_to(store, there[-1], now_text(), []) if there else None


def _readable_exports(store: Store) -> list[str]:
    return [name for name in whole_exports(store) if manifest_of(store, name)]


def mend_pointer(store: Store) -> str | None:
    """Make `latest.json` again where it is lost or damaged, or does not know the manifest it names; what was done.

    The caller holds the store.
    """
    with switching(store):
        found = pointer_of(store)
        if found is not None and manifest_of(store, found["export_id"]) is not None:
            now = sha256(store.export_manifest(found["export_id"]))
            if now == found["manifest_sha256"]:
                if not _is_linked(store, found["export_id"]):
                    relink(store, found["export_id"])
                return None
            write_json(store.pointer, {**found, "manifest_sha256": now})
            return f"{store.pointer} knows the manifest of {found['export_id']} again"
        if found is None and (past := _remembered(store) or _newest(store)) is not None:
            _show(store, past)
            return f"{store.pointer} was lost or damaged, and points to {past['export_id']} again"
    return None


def put_in_place(store: Store, aside: Path) -> None:
    """Put the files of a rewritten export in place, then its manifest, then the pointer; may be done again.

    Neither Ctrl-C nor SIGTERM, which Python raises in the main thread, comes in between: who compares hashes would find
    new files beside the old manifest until somebody completed it.
    """
    with ThreadPoolExecutor(1) as undisturbed:
        undisturbed.submit(_put_in_place, store, aside).result()


def _put_in_place(store: Store, aside: Path) -> None:
    manifest = read_json(aside / "manifest.json")
    if manifest is None:  # it was cut short while it was written: nothing has changed yet
        shutil.rmtree(aside)
        return
    export_id = manifest["export_id"]
    for path in sorted(aside.rglob("*.parquet")):
        published = store.export(export_id) / path.relative_to(aside)
        open_to(path, readers_of(published.parent))
        path.replace(published)
    write_json(store.export_manifest(export_id), manifest)
    pointer = read_json(store.pointer)
    if pointer and pointer["export_id"] == export_id:
        write_json(store.pointer, pointer | {"manifest_sha256": sha256(store.export_manifest(export_id))})
    shutil.rmtree(aside)


def complete_rewrites(store: Store) -> None:
    """Complete what a killed run was about to put in place; the caller keeps others from switching."""
    for aside in sorted(store.exports.glob(f"{REWRITTEN}*")):
        put_in_place(store, aside)


def point_to(store: Store, manifest: Json, by: str = "night") -> None:
    """Switch readers to an export, unless a later night's is the current one, or people have gone back behind it."""
    with switching(store):
        now = current(store)
        if now and now["run_date"] > manifest["run_date"]:
            log_event("export", "note", f"{now['export_id']}, of a later night, stays the latest")
        elif now and manifest["export_id"] in now.get("withdrawn", []):
            text = f"{manifest['export_id']} was rolled back: {now['export_id']} stays the latest"
            log_event("export", "note", f"{text}; run the night with --fresh to publish it anew")
        elif pointer_of(store) is None or now is None or now["export_id"] != manifest["export_id"]:
            gone = [name for name in (now.get("withdrawn", []) if now else []) if store.export(name).is_dir()]
            _switch(store, manifest["export_id"], by, gone)


def rollback(store: Store, to: str | None = None) -> tuple[str, str]:
    """Switch readers to an earlier export (or, naming it, to a later one); returns the ids of the old and the new one.

    Later exports are withdrawn: they stay, but a night that is run again does not bring them back by itself.

    Raises:
        ConfigError: there is no such export.
        ExportRefused: its files are not what was published.
    """
    with switching(store):
        complete_rewrites(store)
        now = current(store)
        if now is None:
            raise ConfigError(f"Nothing is published in the store {store.root}: there is nothing to go back from.")
        ids = whole_exports(store)
        if to is None:
            earlier = [name for name in ids if age_order(name) < age_order(now["export_id"])]
            if not earlier:
                raise ConfigError(f"There is no export before {now['export_id']} in the store {store.root}.")
            to = f"{earlier[-1].partition('.')[0]}.{export_number(earlier[-1])}"
        target = named_export(store, to)
        intact(store, target)
        chosen = str(target["export_id"])
        withdrawn = [name for name in ids if age_order(name) > age_order(chosen)]
        if chosen != now["export_id"] or withdrawn != now.get("withdrawn", []) or pointer_of(store) is None:
            _switch(store, chosen, "rollback", withdrawn)
        elif not _is_linked(store, chosen):  # it was cut short between the pointer and the link
            relink(store, chosen)
    return now["export_id"], chosen


def _switch(store: Store, export_id: str, by: str, withdrawn: list[str]) -> None:
    before = current(store)
    at = now_text()
    line = {"at": at, "export_id": export_id, "instead_of": before and before["export_id"], "by": by}
    append_line(store.root / "published.jsonl", line)
    _show(store, _pointer_to(store, export_id, at, withdrawn))


def _pointer_to(store: Store, export_id: str, at: str, withdrawn: list[str]) -> Pointer:
    pointer: Pointer = {
        "export_id": export_id,
        "run_date": age_order(export_id)[0],
        "path": export_id,
        "manifest": f"manifests/{export_id}.json",
        "manifest_sha256": sha256(store.export_manifest(export_id)),
        "published_at": at,
    }
    return {**pointer, "withdrawn": withdrawn} if withdrawn else pointer


def _show(store: Store, pointer: Pointer) -> None:
    """Write the pointer, and the link beside it."""
    write_json(store.pointer, pointer)
    relink(store, pointer["export_id"])


def _is_linked(store: Store, export_id: str) -> bool:
    """Whether the link leads to an export; what is no link is somebody's, and left alone."""
    if store.link.is_symlink():
        return str(store.link.readlink()) == export_id
    return store.link.exists()


def relink(store: Store, export_id: str) -> None:
    """Set the link beside the pointer; what stands in its place and is no link stays.

    Raises:
        NightrecError: a link is there, and cannot be replaced.
    """
    link = store.exports / f"{TEMPORARY}latest"
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(export_id)
        link.replace(store.link)
    except OSError as error:  # a file system without symbolic links: the pointer is enough
        link.unlink(missing_ok=True)
        if store.link.is_symlink():
            raise NightrecError(f"The link {store.link} cannot be replaced: {error.strerror}.") from error
        if store.link.exists():
            log_event("export", "note", f"{store.link} is not nightrec's link, and is left alone")
    sync(store.exports)


def switches(store: Store) -> list[Switch]:
    """The lines of `published.jsonl`, oldest first; one that was cut short or is damaged is left out."""
    lines = [fitting(line, Switch) for line in read_lines(store.root / "published.jsonl") if line]
    return [line for line in lines if line is not None]


def write_export_manifest(store: Store, manifest: Json) -> Json:
    """Write an export's manifest, sealed, and return it as it was written."""
    content = sealed(manifest)
    write_json(store.export_manifest(content["export_id"]), content)
    return content


def manifest_of(store: Store, export_id: str) -> Json | None:
    """The manifest of an export; None where there is none, or it is damaged, or that of another export."""
    found: Json | None = read(store.export_manifest(export_id), _Published)  # type: ignore[assignment]
    return found if found and found["export_id"] == export_id and is_whole(found) else None


def last_manifest_of(store: Store, export_id: str) -> Json | None:
    """The manifest of an export, also of one that was removed."""
    path = store.export_manifest(export_id)
    return manifest_of(store, export_id) or read_json(path.parent / "removed" / path.name)


def of_the_same_lists(store: Store, export_id: str) -> list[str]:
    """An export, and those that `refilter` has made of its lists; also of exports that were removed."""
    manifests, night = store.export_manifest(export_id).parent, age_order(export_id)[0]
    found = {path.stem for folder in (manifests, manifests / "removed") for path in folder.glob(f"{night}*.json")}
    others = sorted(filter(is_export_id, found - {export_id}), key=age_order)
    about = {name: last_manifest_of(store, name) or {} for name in others}
    return [export_id, *(name for name in others if about[name].get("refilter", {}).get("of") == export_id)]


def intact(store: Store, manifest: Json) -> None:
    """Raise ExportRefused where a file of an export is missing, or is not what its manifest says."""
    again = f"run the night {manifest['run_date']} again, which publishes it anew"
    if damaged := damage(store.export(manifest["export_id"]), manifest["files"]):
        raise ExportRefused(f"{damaged}, so it is not what was published: {again}.")
    for file in manifest["files"]:
        if "rows" not in file:  # no table
            continue
        path = store.export(manifest["export_id"]) / file["path"]
        try:
            rows = pq.read_metadata(path).num_rows
        except (pa.ArrowException, OSError):
            raise ExportRefused(f"{path} is no Parquet file: {again}.") from None
        if rows != file["rows"]:
            raise ExportRefused(f"{path} does not have the {file['rows']:,} rows of its manifest: {again}.")


def whole_exports(store: Store) -> list[str]:
    """The ids of the exports that are there, with their manifest, oldest night first."""
    return [name for name in store.export_ids() if store.export(name).is_dir()]


def named_export(store: Store, name: str) -> Json:
    """The manifest of a night's newest export, by its date, or of its n-th, as `<date>.n`.

    Raises:
        ConfigError: there is no such export.
        NightrecError: its manifest is damaged.
    """
    ids = whole_exports(store)
    run_date, _, number = name.partition(".")
    of_night = [found for found in ids if age_order(found)[0] == run_date]
    chosen = [found for found in of_night if number in ("", str(export_number(found)))]
    if not chosen:
        there = f"there are {ids[0]} to {ids[-1]}" if ids else "there is none"
        raise ConfigError(f"There is no export {name[:40]} in the store {store.root}: {there}.")
    manifest = manifest_of(store, chosen[-1])
    if manifest is None:
        raise NightrecError(
            f"{store.export_manifest(chosen[-1])} is damaged: run the night {run_date} again, which publishes it anew."
        )
    return manifest


def newest_export(store: Store, run_date: date) -> Json | None:
    """The manifest of the last export of a night that is still there with its folder."""
    ids = sorted(_export_ids(store, run_date), key=export_number)
    manifest = manifest_of(store, ids[-1]) if ids else None
    return manifest if manifest and store.export(manifest["export_id"]).is_dir() else None


def _export_ids(store: Store, run_date: date) -> set[str]:
    """Every export id that a night has used, whether or not its files are still there."""
    manifests = {path.stem for path in (store.exports / "manifests").rglob(f"{run_date}*.json")}
    names = manifests | {path.name for path in store.exports.glob(f"{run_date}*")}
    return {name for name in names if is_export_id(name)}


def next_export_id(store: Store, run_date: date) -> str:
    used = max((export_number(used) for used in _export_ids(store, run_date)), default=0)
    return f"{run_date}.{used + 1}" if used else str(run_date)
