"""A stage's folder: written whole, described by its `manifest.json`, and skipped where it is up to date.

The manifest names what the folder was made from (a fingerprint of inputs, parameters and code), so a later run of the
same night skips what is already done, in whatever process it runs.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NotRequired

from typing_extensions import TypedDict, TypeVar

from tasks.store.files import digest, now_text, read_json, replacing, sha256, write_json

Summary = TypeVar("Summary", bound=Mapping[str, object], default=Any)
"""What a stage says about its own output: a TypedDict, or any JSON object."""


class FileEntry(TypedDict):
    """A file as a manifest names it; rows and column types for Parquet."""

    path: str
    bytes: int
    sha256: str
    rows: NotRequired[int]
    schema: NotRequired[dict[str, str]]


class Manifest(TypedDict, Generic[Summary]):
    """What a stage's folder holds and was made from. `skipped` says whether it was there already; it is not stored."""

    stage: str
    inputs: dict[str, Any]
    parameters: dict[str, Any]
    code: str
    fingerprint: str
    output: str
    summary: Summary
    files: list[FileEntry]
    seconds: float
    created_at: str
    skipped: NotRequired[bool]


def run_stage(
    folder: Path,
    build: Callable[[Path], Summary],
    *,
    code: str,
    inputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    fresh: bool = False,
) -> Manifest[Summary]:
    """Bring `folder` up to date and return its manifest.

    `build` writes files into the empty folder it is given and returns a small summary. It is not called when the
    folder already holds what the same inputs, parameters and code gave (`manifest["skipped"]` is then true).

    Args:
        folder: where the stage's files go.
        build: makes them.
        code: the version of the code that makes them, as `code_of` names it.
        inputs: what they are made from, such as the `output` of other stages.
        parameters: the settings that matter for them.
        fresh: build them even if they are there.
    """
    recipe = {"stage": folder.name, "inputs": inputs, "parameters": parameters, "code": code}
    fingerprint = digest(recipe)
    if not fresh and (done := finished(folder)) and done["fingerprint"] == fingerprint:
        return {**done, "skipped": True}
    started = time.perf_counter()
    with replacing(folder) as out:
        summary = build(out)
        files = [describe(path, out) for path in sorted(out.rglob("*")) if path.is_file()]
        manifest: Manifest[Summary] = {
            "stage": folder.name,
            "inputs": dict(inputs),
            "parameters": dict(parameters),
            "code": code,
            "fingerprint": fingerprint,
            "output": digest([(file["path"], file["sha256"]) for file in files]),
            "summary": summary,
            "files": files,
            "seconds": round(time.perf_counter() - started, 3),
            "created_at": now_text(),
        }
        write_json(out / "manifest.json", manifest)
    return {**manifest, "skipped": False}


def finished(folder: Path) -> Manifest | None:
    """The manifest of a stage's folder, if all the files it names are there."""
    manifest: Any = read_json(folder / "manifest.json")
    if manifest is None:
        return None
    found: Manifest = manifest
    complete = all(
        (folder / file["path"]).is_file() and (folder / file["path"]).stat().st_size == file["bytes"]
        for file in found["files"]
    )
    return found if complete else None


def outputs(**manifests: Manifest) -> dict[str, str]:
    """What the named stages wrote, as the inputs of the next one: a digest of their files' content each."""
    return {name: manifest["output"] for name, manifest in manifests.items()}


def describe(path: Path, root: Path) -> FileEntry:
    """A file as a manifest names it."""
    import pyarrow.parquet as pq

    file: FileEntry = {"path": str(path.relative_to(root)), "bytes": path.stat().st_size, "sha256": sha256(path)}
    if path.suffix == ".parquet":
        parquet = pq.ParquetFile(path)
        file["rows"] = parquet.metadata.num_rows
        file["schema"] = {field.name: str(field.type) for field in parquet.schema_arrow}
    return file
