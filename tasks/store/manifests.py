"""A stage's folder: written whole, described by its `manifest.json`, and skipped where it is up to date.

The manifest names what the folder was made from (a fingerprint of inputs, parameters and code), so a later run of the
same night skips what is already done, in whatever process it runs. It names the hash of each file as well, and is
sealed itself: what is damaged on its disk is made again, and never read as other data.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, NotRequired

from typing_extensions import TypedDict, TypeVar

from recmodels.compute.memory import peak_within
from recmodels.errors import NightrecError
from tasks.store.digests import Digests
from tasks.store.events import log_event
from tasks.store.files import Json, digest, now_text, replacing, sha256, write_json
from tasks.store.records import FileEntry, is_whole, read, sealed

Summary = TypeVar("Summary", bound=Mapping[str, object], default=Any)
"""What a stage says about its own output: a TypedDict, or any JSON object."""

HASHING = 4  # files at a time


class Manifest(TypedDict, Generic[Summary]):
    """What a stage's folder holds and was made from. `skipped` says whether it was there already; it is not stored.

    `peak_bytes` is the most memory that the process which made it held meanwhile.
    """

    stage: str
    inputs: dict[str, Any]
    parameters: dict[str, Any]
    code: str
    fingerprint: str
    output: str
    summary: Summary
    files: list[FileEntry]
    seconds: float
    peak_bytes: NotRequired[int]
    created_at: str
    seal: NotRequired[str]
    skipped: NotRequired[bool]


class Recipe(TypedDict):
    """What a stage's folder is made from: what is made from the same is the same."""

    code: str
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]


class _Stored(TypedDict):
    """What of a manifest other stages rely on."""

    inputs: dict[str, Any]
    parameters: dict[str, Any]
    code: str
    fingerprint: str
    output: str
    summary: dict[str, Any]
    files: list[FileEntry]


def run_stage(
    folder: Path,
    build: Callable[[Path], Summary],
    *,
    code: str,
    inputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    fresh: bool = False,
    beside: Sequence[Path] = (),
    digests: Digests | None = None,
) -> Manifest[Summary]:
    """Bring `folder` up to date and return its manifest.

    `build` writes files into the empty folder it is given and returns a small summary. It is not called when the
    folder already holds what the same inputs, parameters and code gave (`manifest["skipped"]` is then true), byte for
    byte.

    Args:
        folder: where the stage's files go.
        build: makes them.
        code: the version of the code that makes them, as `code_of` names it.
        inputs: what they are made from, such as the `output` of other stages.
        parameters: the settings that matter for them.
        fresh: build them even if they are there.
        beside: what the stage leaves elsewhere: where any of it is gone, it is not done.
        digests: those of files that `build` links to.
    """
    recipe: Recipe = {"code": code, "inputs": inputs, "parameters": parameters}
    if not fresh and (done := up_to_date(folder, recipe, beside)):
        return done
    started = time.perf_counter()
    with replacing(folder) as out:
        with peak_within() as held:
            summary = build(out)
        files = [describe(path, out, digests) for path in sorted(out.rglob("*")) if path.is_file()]
        manifest: Manifest[Summary] = {
            "stage": folder.name,
            "inputs": dict(inputs),
            "parameters": dict(parameters),
            "code": code,
            "fingerprint": fingerprint_of(folder, recipe),
            "output": digest([(file["path"], file["sha256"]) for file in files]),
            "summary": summary,
            "files": files,
            "seconds": round(time.perf_counter() - started, 3),
            "peak_bytes": held.n_bytes,
            "created_at": now_text(),
        }
        manifest["seal"] = write_manifest(out, manifest)["seal"]
    return {**manifest, "skipped": False}


def up_to_date(folder: Path, recipe: Recipe, beside: Sequence[Path] = ()) -> Manifest | None:
    """The manifest of a stage's folder (`skipped`), if it was made by this recipe and is what was written then, and
    what the stage leaves `beside` it is there.
    """
    done = manifest_of(folder)
    if done is None or done["fingerprint"] != fingerprint_of(folder, recipe):
        return None
    gone = next((f"{path} is missing" for path in beside if not path.exists()), None)
    if damaged := gone or damage(folder, done["files"]):
        log_event(folder.name, "note", f"{damaged}: it is made again")
        return None
    return {**done, "skipped": True}


def fingerprint_of(folder: Path, recipe: Recipe) -> str:
    return digest({"stage": folder.name, **recipe})


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> Json:
    """Write a stage's manifest, sealed, and return it as it was written."""
    content = sealed({name: value for name, value in manifest.items() if name != "skipped"})
    write_json(folder / "manifest.json", content)
    return content


def manifest_of(folder: Path) -> Manifest | None:
    """The manifest of a stage's folder; None where there is none, or it is damaged."""
    content: Any = read(folder / "manifest.json", _Stored)
    if content is None or not is_whole(content):
        return None
    found: Manifest = content
    return found


def finished(folder: Path) -> Manifest | None:
    """The manifest of a stage's folder, if all the files it names are there; their contents are not looked at."""
    found = manifest_of(folder)
    return found if found and not any(_missing(folder, file) for file in found["files"]) else None


def whole(folder: Path) -> Manifest | None:
    """The manifest of a stage's folder, if all its files are what it says, byte for byte."""
    found = manifest_of(folder)
    return found if found and damage(folder, found["files"]) is None else None


def refuse_damaged(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check a folder against its manifest before something that is published is made of it.

    Raises:
        NightrecError: a file is missing or changed since the stage wrote it.
    """
    if damaged := damage(folder, manifest.get("files", [])):
        raise NightrecError(f"{damaged}: nothing is made of it. Run the night again, which makes it anew.")


def damage(folder: Path, files: Sequence[FileEntry]) -> str | None:
    """What is wrong with the first of a folder's files that is not as its manifest says; None where all are well."""
    for file in files:
        if missing := _missing(folder, file):
            return missing

    def changed(file: FileEntry) -> bool:
        return sha256(folder / file["path"]) != file["sha256"]

    with ThreadPoolExecutor(HASHING) as threads:
        for file, other in zip(files, threads.map(changed, files), strict=True):
            if other:
                return f"{folder / file['path']} is not what was written (its hash differs)"
    return None


def lacking(folder: Path, files: Sequence[FileEntry]) -> str | None:
    """What is wrong with the first of a folder's files that is not there, or not as long as its manifest says."""
    return next((missing for file in files if (missing := _missing(folder, file))), None)


def _missing(folder: Path, file: FileEntry) -> str | None:
    """What is wrong with a file, going by its name and size."""
    path = folder / file["path"]
    if not path.is_file():
        return f"{path} is missing"
    if path.stat().st_size != file["bytes"]:
        return f"{path} is not what was written (it has {path.stat().st_size:,} of {file['bytes']:,} bytes)"
    return None


def outputs(**manifests: Manifest) -> dict[str, str]:
    """What the named stages wrote, as the inputs of the next one: a digest of their files' content each."""
    return {name: manifest["output"] for name, manifest in manifests.items()}


def told(**manifests: Manifest) -> dict[str, str]:
    """As `outputs`, where the next stage reads what the named ones say of it, too: a digest of what each was made from,
    wrote and says.
    """
    return {
        name: digest([manifest.get("fingerprint"), manifest["output"], manifest["summary"]])
        for name, manifest in manifests.items()
    }


def describe(path: Path, root: Path, digests: Digests | None = None) -> FileEntry:
    """A file as a manifest names it. `digests`: those that are known."""
    import pyarrow.parquet as pq

    digest_of = digests.of(path) if digests else sha256(path)
    file: FileEntry = {"path": str(path.relative_to(root)), "bytes": path.stat().st_size, "sha256": digest_of}
    if path.suffix == ".parquet":
        parquet = pq.ParquetFile(path)
        file["rows"] = parquet.metadata.num_rows
        file["schema"] = {field.name: str(field.type) for field in parquet.schema_arrow}
    return file
