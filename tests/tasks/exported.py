"""Exports made by hand: what a test has written, with the manifest that belongs to it."""

from typing import Any

from tasks.store.exports import write_export_manifest
from tasks.store.files import Json
from tasks.store.manifests import describe
from tasks.store.paths import Store


def with_manifest(store: Store, export_id: str, **more: Any) -> Json:
    """Describe the files that are in an export's folder, and return its manifest."""
    folder = store.export(export_id)
    files = [describe(path, folder) for path in sorted(folder.rglob("*.parquet"))]
    about: Json = {"export_id": export_id, "run_date": export_id.partition(".")[0], "champion": "als", "files": files}
    return write_export_manifest(store, about | more)
