"""A copy of the exports at a URL, for readers that do not see the store: complete before anybody is pointed to it.

Under the URL it looks like a store: `exports/<id>/`, `exports/manifests/`, `exports/latest.json`. The files of an
export go first, then its manifest, then the pointer, and readers follow the pointer: a copy that is cut short leaves
nothing that they could pick up, and is taken up again.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.fs as pafs

from expectations.errors import ExportRefused
from recmodels.engine.current import engine
from recmodels.engine.work import Bucket, Work
from recmodels.errors import NightrecError
from recmodels.published.addresses import shown
from recmodels.published.reader import place, read
from tasks.publish.by_nodes import by_nodes
from tasks.store import records
from tasks.store.events import log_event, logged
from tasks.store.exports import intact, manifest_of, pointer_of, switches, switching, whole_exports
from tasks.store.files import Json, now_text, parsed, write_json
from tasks.store.ids import is_export_id
from tasks.store.paths import Store
from tasks.store.records import Pointer, fitting
from tasks.store.stage import stage_task

OBJECT_STORES = ("s3", "gcs", "abfs")
CHUNK = 8 * 2**20  # bytes
MIRRORS = "mirrors.json"
CLOCKS_DIFFER = timedelta(hours=2)  # at most, between machines that publish to the same place
UNHARMED = "The export itself is published, and what readers of the copy see is whole."
UNREADABLE = "The export itself is published, but nobody can read the copy until `nightrec mirror` has mended it."
AWS = re.compile(r"AWS Error [A-Z_]+|HTTP (?:status )?\d{3}")


class CopyFailed(NightrecError, OSError):
    """A copy could not be brought up to date; it is tried again, as other input and output is."""


@stage_task("mirror", reads_and_writes=True)
def mirror(store: Store, to: str) -> Json:
    """Bring the copy at a URL up to date with the store: current export, pointer, and what was removed or forgotten.

    A pointer that was moved later than this store's, by another process, stays; unless it is of a time to come, which
    a wrong clock has left.

    Raises:
        ConfigError: the URL cannot be opened.
        CopyFailed: the place does not answer, or what arrived is not what was sent.
    """
    with logged("mirror") as line, switching(store), _reaching(to, store):
        pointer = pointer_of(store)
        if pointer is None:
            return {"copied": [], "removed": []}
        files, exports = place(to)
        there = fitting(parsed(read(files, exports / "latest.json")), Pointer)
        if there and not _precedes(store, there, pointer) and pointer["published_at"] < there["published_at"] < _soon():
            line |= {"event": "note", "text": f"{shown(to)} is at {there['export_id']} already, which is newer"}
            return {"copied": [], "removed": []}
        complete = _manifests(files, exports)
        current = pointer["export_id"]
        behind = [name for name in whole_exports(store) if name in complete and _is_behind(store, name, complete[name])]
        copied = [name for name in behind if name == current or _is_sound(store, name)]
        copied += [] if current in complete else [current]
        for export_id in copied:
            shown_now = there is not None and there["export_id"] == export_id
            _copy_export(store, export_id, to, harm=UNREADABLE if shown_now else UNHARMED)
        if there != pointer:
            put(files, exports / "latest.json", store.pointer.read_bytes(), harm=UNREADABLE)
        removed = _remove_others(store, files, exports, set(complete) | set(copied))
        write_json(store.root / MIRRORS, mirrors(store) | {shown(to): now_text()})
        line["text"] = f"{pointer['export_id']} is at {shown(to)}; {len(copied)} copied, {len(removed)} removed"
    return {"copied": copied, "removed": removed}


@contextmanager
def _reaching(to: str, store: Store) -> Iterator[None]:
    """Tell what an object store or a network refuses in a sentence, without what may hold a secret.

    Raises:
        CopyFailed: the place failed; what this machine's own disk refuses stays as it is.
    """
    try:
        yield
    except NightrecError:
        raise
    except Exception as error:
        path = str(getattr(error, "filename", None) or "")
        if isinstance(error, MemoryError) or path.startswith(str(store.root)):
            raise
        raise CopyFailed(
            f"The copy at {shown(to)} cannot be brought up to date ({_reason(error)}): see that the place answers and "
            f"lets nightrec write, then run `nightrec mirror`. {UNHARMED}"
        ) from error


def _reason(error: Exception) -> str:
    """Why a place failed: what the object store or the operating system says, never a whole message."""
    if found := AWS.search(str(error)):
        return found.group()
    return getattr(error, "strerror", None) or type(error).__name__


def _precedes(store: Store, there: Pointer, pointer: Pointer) -> bool:
    """Whether this store has moved its pointer to where the copy is and then to `pointer`, whatever its clock said."""
    mine = [(line["export_id"], line["at"]) for line in switches(store)]
    theirs, ours = ((one["export_id"], one["published_at"]) for one in (there, pointer))
    return theirs in mine and ours in mine[mine.index(theirs) :]


def _soon() -> str:
    """The latest time that the clock of another machine may show."""
    return (datetime.now(UTC) + CLOCKS_DIFFER).isoformat(timespec="seconds")


def mirrors(store: Store) -> dict[str, str]:
    """The copies that this store has made, by their URL without credentials, and when last."""
    return records.read(store.root / MIRRORS, dict[str, str]) or {}


def _manifests(files: pafs.FileSystem, exports: Path) -> dict[str, bytes]:
    """The exports that are complete at the copy, and their manifests as they are there."""
    found = files.get_file_info(pafs.FileSelector(str(exports / "manifests"), allow_not_found=True))
    paths = [Path(info.path) for info in found if info.is_file and info.path.endswith(".json")]
    return {path.stem: read(files, path) or b"" for path in paths if is_export_id(path.stem)}


def _is_behind(store: Store, export_id: str, there: bytes) -> bool:
    """Whether the copy of an export has another manifest, as after forgetting; one damaged here says nothing."""
    return manifest_of(store, export_id) is not None and store.export_manifest(export_id).read_bytes() != there


def _is_sound(store: Store, export_id: str) -> bool:
    """Whether an export's files are what was published; its copy stays where they are not."""
    try:
        intact(store, manifest_of(store, export_id) or {})
    except ExportRefused as error:
        log_event("mirror", "note", f"{export_id} is not copied: {error}")
        return False
    return True


def _copy_export(store: Store, export_id: str, to: str, harm: str) -> None:
    """Send the files of an export, look that they are all there, and then send its manifest.

    Raises:
        ExportRefused: the export is damaged; the copy stays as it is.
    """
    manifest = manifest_of(store, export_id)
    if manifest is None:
        raise ExportRefused(f"{store.export_manifest(export_id)} is damaged, and not copied: run the night again.")
    intact(store, manifest)
    files, exports = place(to)
    paths = [file["path"] for file in manifest["files"]]
    if files.type_name in OBJECT_STORES and engine().machines().common_disk:
        told = [
            Bucket(f"{n:06}", {"file": store.export(export_id) / path}, {"to": to, "below": f"{export_id}/{path}"})
            for n, path in enumerate(paths)
        ]
        by_nodes(send_file, told, store.exports)
    else:  # a disk of this machine, or files that would have to leave it twice
        for path in paths:
            send(files, store.export(export_id) / path, exports / export_id / path)
    targets = [str(exports / export_id / file["path"]) for file in manifest["files"]]
    for info, file in zip(files.get_file_info(targets), manifest["files"], strict=True):
        if not info.is_file or info.size != file["bytes"]:
            raise CopyFailed(
                f"{info.path} has {info.size} bytes of {file['bytes']}: `nightrec mirror` sends it again. {UNHARMED}"
            )
    path = exports / "manifests" / f"{export_id}.json"
    put(files, path, store.export_manifest(export_id).read_bytes(), harm)


def send_file(work: Work) -> None:
    """Send a file of an export, from wherever this process runs and by its environment."""
    files, exports = place(work.arguments["to"])
    send(files, work.inputs["file"], exports / work.arguments["below"])


def send(files: pafs.FileSystem, source: Path, target: Path) -> None:
    """Write a file there; a reader sees the old one, if there was one, or the new one."""
    place = _written_first(files, target)
    _folder_for(files, target)
    with source.open("rb") as file, files.open_output_stream(str(place)) as sink:
        while chunk := file.read(CHUNK):
            sink.write(chunk)
    if place != target:
        files.move(str(place), str(target))


def _written_first(files: pafs.FileSystem, path: Path) -> Path:
    """Where a file is written: aside where there are folders; an object appears as a whole anyway."""
    return path.with_name(f".tmp-{path.name}") if isinstance(files, pafs.LocalFileSystem) else path


def put(files: pafs.FileSystem, path: Path, content: bytes, harm: str = UNHARMED) -> None:
    """Write a small object, and read it back. A reader sees the old one or the new one.

    Raises:
        CopyFailed: the place holds something else, which does this `harm`.
    """
    target = _written_first(files, path)
    _folder_for(files, path)
    with files.open_output_stream(str(target)) as sink:
        sink.write(content)
    if target != path:
        files.move(str(target), str(path))
    if read(files, path) != content:
        raise CopyFailed(
            f"{path} does not hold what was written: see that no other process writes to the same place. {harm}"
        )


def _remove_others(store: Store, files: pafs.FileSystem, exports: Path, complete: set[str]) -> list[str]:
    """Remove what this store has removed, and what is left of its copies that were cut short; the manifest first.

    Exports that this store has never published stay, whoever put them there.
    """
    folders = files.get_file_info(pafs.FileSelector(str(exports), allow_not_found=True))
    ids = {Path(info.path).name for info in folders if info.type == pafs.FileType.Directory}
    removed = {path.stem for path in store.export_manifest("x").parent.glob("removed/*.json")}
    partial = set(whole_exports(store)) - complete
    gone = sorted(name for name in ids | complete if name in removed | partial)
    for name in gone:
        if name in complete:
            files.delete_file(str(exports / "manifests" / f"{name}.json"))
        if name in ids:
            files.delete_dir(str(exports / name))
    return gone


def _folder_for(files: pafs.FileSystem, path: Path) -> None:
    """Make the folder of a file, where there are folders."""
    if files.type_name not in OBJECT_STORES:
        files.create_dir(str(path.parent), recursive=True)
