"""Reading what was published: the current export, a night's export, and one user's list.

For downstream jobs in Python; anything that reads Parquet can do the same from `exports/latest.json`. A store is a
folder, or the URL of a copy: `s3://bucket/prefix`, `gs://...`, `abfs://...`, or another that fsspec knows.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from recmodels.errors import ConfigError, NightrecError
from recmodels.published.addresses import shown, without_secret
from recmodels.published.file_systems import file_system
from recmodels.published.schema import Json, completed

POINTER = {"export_id": str, "manifest": str, "manifest_sha256": str}
MANIFEST = {"export_id": str, "run_date": str, "files": list}


@dataclass(frozen=True)
class Export:
    """One published export of a store."""

    exports: Path
    """The store's `exports` folder, or its path within `files`."""
    manifest: Json
    files: pafs.FileSystem = field(default_factory=pafs.LocalFileSystem)

    @classmethod
    def latest(cls, store: str | Path) -> Self:
        """The export that readers are pointed to. Raises ConfigError where nothing is published yet."""
        files, exports = place(store)
        export_id = ""
        for _ in range(3):  # a manifest is rewritten when a user is forgotten, and the pointer right after it
            named = _record(files, exports / "latest.json", POINTER)
            if named is None:
                raise ConfigError(
                    f"Nothing is published in the store {shown(store)}: run a night first, or name another --store."
                )
            export_id, path = named["export_id"], exports / named["manifest"]
            about = b"" if _is_folder(files, path) else read(files, path)
            if about is not None and hashlib.sha256(about).hexdigest() == named["manifest_sha256"]:
                break
        try:
            return cls.named(store, export_id)
        except NightrecError:
            raise NightrecError(
                f"The manifest {path} of the current export is gone or damaged: `nightrec doctor --fix` restores it "
                "from the copy at a URL, `nightrec rollback` goes back to the export before, and the next night "
                "publishes a new one."
            ) from None

    @classmethod
    def of_night(cls, store: str | Path, run_date: date) -> Self:
        """A night's newest export. Raises ConfigError where that night published none."""
        files, exports = place(store)
        found = files.get_file_info(pafs.FileSelector(str(exports / "manifests"), allow_not_found=True))
        of_night = re.compile(rf"{run_date}(\.\d+)?")
        ids = [name for info in found if of_night.fullmatch(name := Path(info.path).stem) and info.is_file]
        if not ids:
            raise ConfigError(f"The night {run_date} has published nothing in the store {shown(store)}.")
        return cls.named(store, max(ids, key=lambda name: int(name.partition(".")[2] or 1)))

    @classmethod
    def named(cls, store: str | Path, export_id: str) -> Self:
        """The export with this id. Raises ConfigError where it has no manifest, NightrecError where that is damaged."""
        files, exports = place(store)
        path = exports / "manifests" / f"{export_id}.json"
        about = _record(files, path, MANIFEST)
        if about is None:
            raise ConfigError(f"The export {export_id} has no manifest {path}; publish the night again.")
        return cls(exports, about, files)

    @property
    def folder(self) -> Path:
        return self.exports / str(self.manifest["export_id"])

    def table(self, name: str = "topk", users: list[Any] | None = None) -> pa.Table:
        """The rows of one table; of the given users only, where they are named.

        Files and row groups that cannot hold a wanted user are not read. Columns that an older export lacks are there,
        with what holds of it.

        Raises:
            ConfigError: the export has no such table.
            NightrecError: a file is damaged.
        """
        try:
            return self._table(name, users)
        except FileNotFoundError:  # a reader that polls takes the pointer again
            raise
        except (pa.ArrowInvalid, OSError) as error:
            why = " ".join(str(error).split())[:120]
            raise NightrecError(
                f"A file of {name} in {self.folder} cannot be read ({why}): `nightrec verify` says which is damaged."
            ) from error

    def _table(self, name: str, users: list[Any] | None) -> pa.Table:
        files = [
            str(self.folder / file["path"]) for file in self.manifest["files"] if file["path"].startswith(f"{name}/")
        ]
        if not files:
            raise ConfigError(f"The export {self.manifest['export_id']} has no table {name}.")
        wanted = None
        if users is not None:
            kind = pq.read_schema(files[0], filesystem=self.files).field("user_id").type
            wanted = pc.is_in(pc.field("user_id"), _as_written(users, kind))
        rows = ds.dataset(files, filesystem=self.files, format="parquet").to_table(filter=wanted)
        return completed(rows, name)


def _as_written(users: list[Any], kind: pa.DataType) -> pa.Array:
    """Ids in the type of the column; those that cannot be of it are nobody's, and are left out."""
    with suppress(pa.ArrowInvalid, TypeError, OverflowError):
        return pa.array(users, kind)
    texts = [str(user) for user in users]
    if pa.types.is_integer(kind):
        numbers = (int(text) for text in texts if re.fullmatch(r"-?[0-9]{1,19}", text))
        return pa.array([number for number in numbers if -(2**63) <= number < 2**63], kind)
    return pa.array(texts, kind)


def read_latest(store: str | Path, users: list[Any] | None = None) -> pa.Table:
    """The current lists of a store, of all users or of some: a row a recommended item (see `docs/export.md`)."""
    return Export.latest(store).table("topk", users)


def place(store: str | Path) -> tuple[pafs.FileSystem, Path]:
    """The file system of a store, and the path of its `exports` folder in it.

    Raises:
        ConfigError: the URL is of no known kind, or names a password: credentials belong in the environment.
    """
    if "://" not in str(store):
        return pafs.LocalFileSystem(), Path(store) / "exports"
    url = str(store)
    without_secret(url)
    try:
        files, path = file_system(url)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        files, path = through_fsspec(url)
    return files, Path(path) / "exports"


def through_fsspec(url: str) -> tuple[pafs.FileSystem, str]:
    """A file system that Arrow does not know itself."""
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"The URL {shown(url)} cannot be opened: {error}.") from None
    return pafs.PyFileSystem(pafs.FSSpecHandler(files)), path


def _record(files: pafs.FileSystem, path: Path, holds: Mapping[str, type]) -> Json | None:
    """A JSON object that holds these fields; None where the file is absent.

    Raises:
        NightrecError: it is damaged.
    """
    content = b"" if _is_folder(files, path) else read(files, path)
    try:
        found = None if content is None else json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        found = {}
    if found is None:
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in holds.items()):
        raise NightrecError(
            f"{path} is damaged: the next night, or `nightrec doctor --fix`, makes it again, or says what does."
        )
    return found


def _is_folder(files: pafs.FileSystem, path: Path) -> bool:
    """Whether somebody has put a folder where a file belongs; where there are no folders, nobody has."""
    return isinstance(files, pafs.LocalFileSystem) and path.is_dir()


def read(files: pafs.FileSystem, path: Path) -> bytes | None:
    """The content of a small file; None where it is absent."""
    try:
        with files.open_input_stream(str(path)) as stream:
            content: bytes = stream.read()
            return content
    except FileNotFoundError:
        return None
