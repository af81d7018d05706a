"""The store: the one place that knows where everything of a site lies, and how a folder is written whole.

A stage writes into a temporary sibling of its folder; the sibling is synced and renamed when complete. Its
``manifest.json`` names what it was made from (a fingerprint of inputs, parameters and code), so a later run of the
same night skips what is already done, in whatever process it runs.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Json = dict[str, Any]
Manifest = dict[str, Any]

NIGHTREC_VERSION = "0.1.0"
TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Store:
    """One site's folder."""

    root: Path

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    def export(self, export_id: str) -> Path:
        return self.exports / export_id

    def export_manifest(self, export_id: str) -> Path:
        return self.exports / "manifests" / f"{export_id}.json"

    @property
    def pointer(self) -> Path:
        """``latest.json``: what downstream jobs read first."""
        return self.exports / "latest.json"

    @property
    def link(self) -> Path:
        """``latest``: the same for people and globs, on local disks only."""
        return self.exports / "latest"

    @property
    def pins(self) -> Path:
        """The exports that are kept, with when that was asked for."""
        return self.root / "pins.json"

    @property
    def demo(self) -> Path:
        return self.root / "demo"

    def history(self, run_date: date) -> Path:
        return self.root / "history" / f"{run_date}.parquet"

    def report(self, run_date: date) -> Path:
        """The page about a night; its figures are beside it as JSON."""
        return self.root / "reports" / f"{run_date}.html"

    def tuning(self, recommender: str) -> Path:
        """What searches of a model's hyper-parameters have tried, as lines of JSON."""
        return self.root / "tuning" / f"{recommender}.jsonl"

    def quality(self, run_date: date) -> Path:
        return self.root / "quality" / str(run_date)

    def night(self, run_date: date) -> "Night":
        return Night(self, run_date)

    def nights(self) -> list["Night"]:
        """The nights that have left a summary, oldest first."""
        found = sorted((self.root / "nights").glob("*/night.json"))
        return [Night(self, date.fromisoformat(path.parent.name)) for path in found]

    def all_nights(self) -> list["Night"]:
        """The nights that have left anything, oldest first."""
        found = sorted((self.root / "nights").glob("????-??-??"))
        return [Night(self, date.fromisoformat(path.name)) for path in found]

    def sweep(self) -> None:
        """Remove exports that a killed night left half-written, or whole but without a manifest."""
        for leftover in self.exports.glob(f"{TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for folder in self.exports.glob("[0-9]*"):
            if folder.is_dir() and not self.export_manifest(folder.name).exists():
                shutil.rmtree(folder)

    @property
    def lease(self) -> Path:
        """Who holds the store, and that they are still at work."""
        return self.root / ".lease.json"


@dataclass(frozen=True)
class Night:
    """One night's folder in the store."""

    store: Store
    run_date: date

    @property
    def folder(self) -> Path:
        return self.store.root / "nights" / str(self.run_date)

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def valid(self) -> Path:
        return self.folder / "valid"

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine"

    @property
    def features(self) -> Path:
        return self.folder / "features"

    @property
    def prepared(self) -> Path:
        return self.features / "prepared"

    @property
    def list_rules(self) -> Path:
        return self.features / "rules"

    def model(self, name: str) -> Path:
        return self.folder / "models" / name

    def toplists(self, name: str) -> Path:
        return self.folder / "toplists" / name

    def metrics(self, name: str) -> Path:
        return self.folder / "metrics" / name

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation"

    @property
    def champion(self) -> Path:
        return self.folder / "champion"

    @property
    def summary(self) -> Path:
        return self.folder / "night.json"

    def sweep(self) -> None:
        """Remove what a killed run left half-written."""
        for leftover in self.folder.rglob(f"{TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def run_stage(
    folder: Path,
    build: Callable[[Path], Json],
    *,
    inputs: Mapping[str, Any],
    parameters: Mapping[str, Any],
    fresh: bool = False,
) -> Manifest:
    """Bring ``folder`` up to date and return its manifest.

    ``build`` writes files into the empty folder it is given and returns a small summary. It is not called when the
    folder already holds what the same inputs, parameters and code gave (``manifest["skipped"]`` is then true).
    """
    recipe = {"stage": folder.name, "inputs": inputs, "parameters": parameters, "code": code_version()}
    fingerprint = digest(recipe)
    if not fresh and (done := finished(folder)) and done["fingerprint"] == fingerprint:
        return {**done, "skipped": True}
    started = time.perf_counter()
    with replacing(folder) as out:
        summary = build(out)
        files = [describe(path, out) for path in sorted(out.rglob("*")) if path.is_file()]
        manifest = {
            **recipe,
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
    manifest = read_json(folder / "manifest.json")
    if manifest is None:
        return None
    complete = all(
        (folder / file["path"]).is_file() and (folder / file["path"]).stat().st_size == file["bytes"]
        for file in manifest["files"]
    )
    return manifest if complete else None


@contextmanager
def replacing(folder: Path, even_after: tuple[type[Exception], ...] = ()) -> Iterator[Path]:
    """An empty folder that takes the place of ``folder`` when the block ends well (or with one of ``even_after``),
    and vanishes when it does not.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    out = folder.with_name(f"{TEMPORARY}{folder.name}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    try:
        yield out
        put_in_place(out, folder)
    except even_after:
        put_in_place(out, folder)
        raise
    finally:
        shutil.rmtree(out, ignore_errors=True)


def put_in_place(out: Path, folder: Path) -> None:
    """Sync the folder ``out`` and rename it to ``folder``, whose old content goes."""
    for path in [*out.rglob("*"), out]:
        sync(path)
    old = folder.with_name(f"{TEMPORARY}old-{folder.name}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    out.rename(folder)
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def outputs(**manifests: Manifest) -> dict[str, str]:
    """What the named stages wrote, as the inputs of the next one: a digest of their files' content each."""
    return {name: manifest["output"] for name, manifest in manifests.items()}


def describe(path: Path, root: Path) -> Json:
    """A file as a manifest names it; rows and schema for Parquet."""
    file: Json = {"path": str(path.relative_to(root)), "bytes": path.stat().st_size, "sha256": sha256(path)}
    if path.suffix == ".parquet":
        parquet = pq.ParquetFile(path)
        file["rows"] = parquet.metadata.num_rows
        file["schema"] = {field.name: str(field.type) for field in parquet.schema_arrow}
    return file


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: object) -> str:
    """A fingerprint of anything that JSON can say (dates and paths as text)."""
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_version() -> str:
    """nightrec's version and a digest of the source of every floor below the flows."""
    root = Path(__file__).parents[2]
    sources = sorted(path for floor in ("recmodels", "expectations", "tasks") for path in (root / floor).rglob("*.py"))
    return f"{NIGHTREC_VERSION}+{digest([(path.name, sha256(path)) for path in sources])[:12]}"


def read_json(path: Path) -> Json | None:
    """The content of a JSON file; None where it is absent or was cut short."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    temporary.write_text(json.dumps(content, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def place_copy(source: Path, target: Path) -> None:
    """Copy a file so that a reader of ``target`` sees the old one or the new one, never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{TEMPORARY}{target.name}")
    shutil.copyfile(source, temporary)
    sync(temporary)
    temporary.replace(target)


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
