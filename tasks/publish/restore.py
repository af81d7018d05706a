"""An export that is damaged in the store, made whole again from the copy that a mirror has of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.fs as pafs

from recmodels.errors import NightrecError
from recmodels.published.addresses import shown
from recmodels.published.reader import place, read
from tasks.store.exports import manifest_of, pointer_of
from tasks.store.files import Json, replaced, sha256
from tasks.store.paths import Store

CHUNK = 8 * 2**20  # bytes


def restore(store: Store, export_id: str, mirror: str) -> str:
    """Bring back the damaged and missing files of an export; what was done. The caller holds the store.

    Only bytes that have the hash that the store knows are taken: an older copy may name people who were forgotten.

    Raises:
        NightrecError: the mirror has not the same export.
    """
    files, exports = place(mirror)
    manifest = manifest_of(store, export_id) or _manifest(store, export_id, files, exports, mirror)
    restored = 0
    for file in manifest["files"]:
        path = store.export(export_id) / file["path"]
        if path.is_file() and path.stat().st_size == file["bytes"] and sha256(path) == file["sha256"]:
            continue
        _fetch(files, exports / export_id / file["path"], path, file["sha256"], shown(mirror))
        restored += 1
    return f"{restored} {'file is' if restored == 1 else 'files are'} restored from {shown(mirror)}"


def _manifest(store: Store, export_id: str, files: pafs.FileSystem, exports: Path, mirror: str) -> Json:
    """The manifest of the current export, by the hash that the pointer has of it."""
    pointer = pointer_of(store)
    content = read(files, exports / "manifests" / f"{export_id}.json")
    known = pointer["manifest_sha256"] if pointer and pointer["export_id"] == export_id else None
    if content is None or known is None or hashlib.sha256(content).hexdigest() != known:
        raise NightrecError(
            f"{shown(mirror)} has no manifest of {export_id} that is known to be the same: run the night "
            f"{export_id.partition('.')[0]} again, which publishes it anew."
        )
    with replaced(store.export_manifest(export_id)) as temporary:
        temporary.write_bytes(content)
    manifest = manifest_of(store, export_id)
    assert manifest is not None, export_id
    return manifest


def _fetch(files: pafs.FileSystem, source: Path, target: Path, wanted: str, mirror: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replaced(target) as temporary:
            with files.open_input_stream(str(source)) as stream, temporary.open("wb") as out:
                while chunk := stream.read(CHUNK):
                    out.write(chunk)
            if sha256(temporary) != wanted:
                raise NightrecError(f"{target.name} is not the same at {mirror}: run the night again instead.")
    except FileNotFoundError:
        raise NightrecError(f"{target.name} is not there at {mirror}: run the night again instead.") from None
