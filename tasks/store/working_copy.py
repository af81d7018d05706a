"""A store in a bucket has a folder on this machine in which all work is done: its working copy.

What a disk has and a bucket lacks (renames, locks, files that are mapped into memory) is needed there alone. The folder
says itself of which bucket it is, and which of its files are as they are there.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from recmodels.errors import ConfigError
from recmodels.published.addresses import shown, without_secret
from tasks.store.files import TEMPORARY, private_folder, read_json, sha256, write_json
from tasks.store.paths import entries

FOLDER = "NIGHTREC_STORE_CACHE"
"""Environment variable: where working copies lie, if not in the user's folder of caches."""
STATE = ".bucket.json"
OF_THIS_MACHINE = (TEMPORARY, ".bucket", ".clock", ".lease", ".lock", ".switch")
"""How the names of files begin that are nobody's elsewhere."""
PARTS = re.compile(r"(^|/)nights/[^/]+/parts$")
"""Parts of work in progress stay where the work is."""


class Entry(NamedTuple):
    """A file of the store."""

    sha256: str
    n_bytes: int
    mtime_ns: int


EMPTY = Entry("", 0, 0)
"""A folder with nothing in it, whose path ends in /: there are some that say by being there that something was done."""


@dataclass
class WorkingCopy:
    """The folder on this machine.

    Attributes:
        root: the folder.
        address: of the store in the bucket.
        name: that no other working copy has.
        written: which index of the bucket the folder was brought in step with last; empty before it was.
        writing: the index that was written last, if that is not known to have arrived.
        files: those that are as they are in the bucket, by their path in the store.
    """

    root: Path
    address: str
    name: str = ""
    written: str = ""
    writing: str = ""
    files: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def at(cls, root: Path) -> "WorkingCopy | None":
        """The working copy that a folder is; None where it is a store of its own."""
        state = read_json(root / STATE)
        if state is None or not isinstance(state.get("address"), str):
            return None
        files = {path: Entry(*entry) for path, entry in state.get("files", {}).items()}
        said = {name: str(state.get(name, "")) for name in ("address", "name", "written", "writing")}
        return cls(root, **said, files=files)

    def save(self) -> None:
        """Note what of the bucket is here."""
        state = asdict(self)
        del state["root"]
        write_json(self.root / STATE, state, indent=None)

    def entry(self, path: str, stat: os.stat_result) -> Entry:
        """What a file here is; one that has not changed since it was in step is not read."""
        if path.endswith("/"):
            return EMPTY
        known = self.files.get(path)
        if known is not None and known[1:] == (stat.st_size, stat.st_mtime_ns):
            return known
        return Entry(sha256(self.root / path), stat.st_size, stat.st_mtime_ns)

    def listed(self) -> dict[str, os.stat_result]:
        """What belongs into the bucket: files and empty folders, by their path in the store."""
        return dict(_listed(self.root, ""))


def address_of(root: Path) -> str | None:
    """The address of the store in a bucket that a folder is the working copy of; None where it is none."""
    copy = WorkingCopy.at(root)
    return copy.address if copy else None


def working_copy(address: str) -> Path:
    """The folder of this machine for a store in a bucket; there is one after this.

    Args:
        address: `s3://bucket/path`, or another that pyarrow or fsspec can open.

    Raises:
        ConfigError: there is a secret in the address, or the folder cannot be made.
    """
    address = without_secret(address).rstrip("/")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", shown(address).partition("://")[2])[-40:].strip("-.")
    name = f"{readable}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    folder = Path(os.environ.get(FOLDER) or caches / "nightrec" / "stores").absolute() / name
    try:
        private_folder(folder)
        if not (folder / STATE).is_file():
            WorkingCopy(folder, address, name=uuid.uuid4().hex).save()
    except OSError as error:
        raise ConfigError(
            f"The working copy {folder} of {shown(address)} cannot be written ({error.strerror}): name a folder for "
            f"it in {FOLDER}."
        ) from error
    return folder


def _listed(folder: Path, within: str) -> Iterator[tuple[str, os.stat_result]]:
    for entry in entries(folder):
        path = f"{within}{entry.name}"
        if entry.name.startswith(OF_THIS_MACHINE) or entry.is_symlink() or PARTS.search(path):
            continue
        with suppress(FileNotFoundError):  # a night is at work
            if not entry.is_dir():
                yield path, entry.stat()
            elif inside := list(_listed(Path(entry.path), f"{path}/")):
                yield from inside
            else:
                yield f"{path}/", entry.stat()
