"""Where nodes without a common disk find each other's files: a folder of an object store, or of any file system.

Files lie there by the digests of their bytes, parts by what they were made from; what is there by a name is whole, and
whoever fetches it looks whether it is what was sent. Credentials are those of the environment, on each node.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from recmodels.engine.parts import ABOUT, digest, digest_of_about, digests, within_part
from recmodels.errors import ConfigError, NightrecError
from recmodels.published.addresses import shown, without_secret
from recmodels.published.file_systems import file_system

AT_A_TIME = 8
"""Files of a folder that are sent or fetched at the same time."""
CHUNK = 2**22
"""Bytes that are read and sent at a time."""
WITHIN, SHARED = "within", "shared"
"""Kinds of what is sent: a file of a part that one bucket of a work reads, or several."""
SWEPT = "swept"
"""The name of an empty file, which is as old as the last sweep."""
KEPT = timedelta(days=2)
"""How long a file stays, if nobody removes it before: longer than any night."""


class Exchange:
    """What is in one folder.

    Args:
        address: of the folder: a URL such as `s3://bucket/nightrec`, or a path that all nodes see.

    Raises:
        ConfigError: the address is of no known kind, or has a password in it.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.files, self.root = _opened(address)
        self._there: set[str] = set()  # what was sent, or seen

    def send(self, path: Path) -> dict[str, str]:
        """Make a file, a folder, a part or a file of a part known to all nodes.

        Returns:
            By what `fetch` finds it.

        Raises:
            OSError: the place does not answer.
        """
        if (path / ABOUT).is_file():
            return {"kind": "part", "digest": digest(path), "made_from": self._sent(path), "name": path.name}
        if within_part(path):
            return {"kind": WITHIN, "digest": digest(path), "made_from": self._sent(path.parent), "name": path.name}
        if path.is_dir():
            within = digests(path)
            self._send_once({f"files/{one}": path / name for name, one in within.items()})
            self._send_once({f"folders/{digest(path)}": json.dumps(within, sort_keys=True).encode()})
            return {"kind": "folder", "digest": digest(path), "name": path.name}
        self._send_once({f"files/{digest(path)}": path})
        return {"kind": "file", "digest": digest(path), "name": path.name}

    def _sent(self, part: Path) -> str:
        """The fingerprint of a part, which is sent unless it is there."""
        about = (part / ABOUT).read_bytes()
        made_from = str(json.loads(about)["fingerprint"])
        key = f"parts/{made_from}/{digest_of_about(about)}"
        if key not in self._there:
            if self.about(made_from) != about:
                self.send_part(part, made_from)
            self._there.add(key)
        return made_from

    def send_part(self, part: Path, made_from: str) -> None:
        """Send a part; it is there once what it says of itself is."""
        side_by_side(lambda name: self.put(f"parts/{made_from}/{name}", part / name), list(digests(part)))
        self.put(f"parts/{made_from}/{ABOUT}", part / ABOUT)

    def about(self, made_from: str) -> bytes | None:
        """What the part of that fingerprint says of itself; None where it is not there."""
        return self.read(f"parts/{made_from}/{ABOUT}")

    def read(self, key: str) -> bytes | None:
        """What is in a small file by its name here; None where there is none."""
        try:
            with self.files.open_input_stream(self.path(key)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def fetch(self, what: dict[str, str], to: Path) -> None:
        """Fetch what was sent into a folder, in which it has its own name.

        Raises:
            NightrecError: it is not there, or not what was sent.
            OSError: the place does not answer.
        """
        target = to / what["name"]
        if what["kind"] == "file":
            return self.get(f"files/{what['digest']}", what["digest"], target)
        if what["kind"] in (WITHIN, SHARED):
            return self.get(f"parts/{what['made_from']}/{what['name']}", what["digest"], target)
        if what["kind"] == "part":
            return self.fetch_part(what["made_from"], what["digest"], target)
        listing = to / ".listing"
        self.get(f"folders/{what['digest']}", what["digest"], listing)
        within = json.loads(listing.read_bytes())
        listing.unlink()
        target.mkdir()
        return self._fetch_files({target / name: (f"files/{one}", one) for name, one in within.items()})

    def fetch_all(self, wanted: list[tuple[dict[str, str], Path]]) -> None:
        """`fetch` several, each into a new folder."""
        for _, to in wanted:
            to.mkdir(parents=True)
        side_by_side(lambda one: self.fetch(*one), wanted)

    def fetch_part(self, made_from: str, expected: str, target: Path) -> None:
        """Fetch a part into a new folder."""
        target.mkdir(parents=True)
        self.get(f"parts/{made_from}/{ABOUT}", expected, target / ABOUT)
        within = json.loads((target / ABOUT).read_bytes())["files"]
        self._fetch_files({target / name: (f"parts/{made_from}/{name}", one) for name, one in within.items()})

    def sweep(self, older_than: timedelta = KEPT) -> int:
        """Remove what was sent long ago; how many files that were."""
        before = datetime.now(UTC) - older_than
        old = [one for one in self._all() if one.mtime is None or one.mtime < before]
        for one in old:
            with suppress(FileNotFoundError):
                self.files.delete_file(one.path)
        self._there.clear()
        return len(old)

    def sweep_daily(self) -> None:
        """`sweep`, unless somebody has done that within a day: listing a large store takes a while."""
        swept = self.files.get_file_info(self.path(SWEPT))
        if swept.mtime is None or datetime.now(UTC) - swept.mtime > KEPT / 2:
            self.sweep()
            self.put(SWEPT, b"")

    def _all(self) -> list[pafs.FileInfo]:
        found = self.files.get_file_info(pafs.FileSelector(self.root, recursive=True, allow_not_found=True))
        return [one for one in found if one.type == pafs.FileType.File]

    def path(self, key: str) -> str:
        """Where a file of that name here lies in the file system."""
        return f"{self.root}/{key}"

    def _send_once(self, what: dict[str, Path | bytes]) -> None:
        left = {key: content for key, content in what.items() if key not in self._there}
        missing = [one for one in left.items() if not self._is_there(*one)]
        side_by_side(lambda one: self.put(*one), missing)
        self._there.update(left)

    def put(self, key: str, content: Path | bytes) -> None:
        """Write a file by its name here: whoever reads it sees what was there before, or all of it."""
        path = self.path(key)
        at_once = isinstance(self.files, pafs.S3FileSystem)  # an object appears when it is whole
        written = path if at_once else f"{path}.tmp-{uuid.uuid4().hex}"
        if not at_once:
            self.files.create_dir(path.rpartition("/")[0], recursive=True)
        with self.files.open_output_stream(written) as stream:
            if isinstance(content, bytes):
                stream.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, stream, CHUNK)
        if not at_once:
            self.files.move(written, path)

    def _is_there(self, key: str, content: Path | bytes) -> bool:
        """Whether a file was sent before, and will stay for this night."""
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        found = self.files.get_file_info(self.path(key))
        fresh = found.mtime is not None and datetime.now(UTC) - found.mtime < KEPT / 2
        return bool(found.type == pafs.FileType.File and found.size == size and fresh)

    def _fetch_files(self, files: dict[Path, tuple[str, str]]) -> None:
        for folder in {path.parent for path in files}:
            folder.mkdir(parents=True, exist_ok=True)
        side_by_side(lambda one: self.get(*one), [(*what, path) for path, what in files.items()])

    def get(self, key: str, expected: str, to: Path) -> None:
        """Write a file of that name here into one of this machine's, and see that it has the digest that is expected.

        Raises:
            NightrecError: it is not there, or something else.
        """
        found = hashlib.sha256()
        try:
            with self.files.open_input_stream(self.path(key)) as stream, to.open("wb") as target:
                while chunk := stream.read(CHUNK):
                    found.update(chunk)
                    target.write(chunk)
        except FileNotFoundError:
            raise NightrecError(
                f"{shown(self.address)} has no {key} any more: keep its files for {KEPT.days} days, and run it again."
            ) from None
        if found.hexdigest() != expected:
            raise NightrecError(f"{shown(self.address)}: {key} is not what was sent: remove it, and run it again.")


@cache
def exchange_at(address: str) -> Exchange:
    """The exchange of an address, opened once a process."""
    return Exchange(address)


def side_by_side(do: Callable[[Any], None], what: list[Any]) -> None:
    """Send or fetch several, a few at a time."""
    if len(what) < 2:
        for one in what:
            do(one)
        return
    with ThreadPoolExecutor(min(AT_A_TIME, len(what))) as pool:
        list(pool.map(do, what))


def _opened(address: str) -> tuple[pafs.FileSystem, str]:
    if "://" not in address:
        return pafs.LocalFileSystem(), str(Path(address).absolute())
    without_secret(address)
    try:
        files, path = file_system(address)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        from recmodels.published.reader import through_fsspec  # it takes half a second, for each process of each node

        files, path = through_fsspec(address)
    except OSError as error:
        raise ConfigError(f"The exchange {shown(address)} cannot be opened: {error}.") from None
    return files, path.rstrip("/")
