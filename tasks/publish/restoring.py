"""Damaged exports are made whole from the copy at a URL: each file that is not what was published is fetched again."""

import shutil
from pathlib import Path

import pyarrow.fs as pafs

from recmodels.errors import NightrecError
from recmodels.published.addresses import shown
from recmodels.published.reader import place, read
from tasks.store.events import log_event
from tasks.store.exports import manifest_of, switching
from tasks.store.files import Json, parsed, replaced, sha256, write_json
from tasks.store.manifests import damage
from tasks.store.paths import Store
from tasks.store.records import is_whole


def restore(store: Store, export_id: str, url: str) -> list[str]:
    """Fetch what is damaged or missing of an export from the copy at a URL; the caller holds the store.

    Readers see each file before or after, whole.

    Returns:
        The paths that were fetched, within the export; its manifest as `manifest`.

    Raises:
        NightrecError: the copy does not have the export whole either.
    """
    files, exports = place(url)
    with switching(store):
        manifest, fetched = manifest_of(store, export_id), []
        if manifest is None:
            manifest = _manifest_at(files, exports, export_id, url)
            fetched = ["manifest"]
        for file in manifest["files"]:
            if damage(store.export(export_id), [file]) is not None:
                _fetch(files, exports / export_id / file["path"], store.export(export_id) / file["path"], file, url)
                fetched.append(file["path"])
        if "manifest" in fetched:
            write_json(store.export_manifest(export_id), manifest)
    if fetched:
        log_event("mirror", "note", f"{export_id} is whole again: {len(fetched)} files came from {shown(url)}")
    return fetched


def _manifest_at(files: pafs.FileSystem, exports: Path, export_id: str, url: str) -> Json:
    found = parsed(read(files, exports / "manifests" / f"{export_id}.json"))
    if found is None or found.get("export_id") != export_id or not is_whole(found):
        raise NightrecError(f"{shown(url)} does not have the manifest of {export_id}: run its night again.")
    return found


def _fetch(files: pafs.FileSystem, there: Path, here: Path, file: Json, url: str) -> None:
    here.parent.mkdir(parents=True, exist_ok=True)
    with replaced(here) as temporary:
        try:
            with files.open_input_stream(str(there)) as source, temporary.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        except FileNotFoundError:
            raise NightrecError(f"{shown(url)} does not have {file['path']} of it: run the night again.") from None
        if sha256(temporary) != file["sha256"]:
            raise NightrecError(f"{file['path']} is damaged at {shown(url)}, too: run the night again.")
