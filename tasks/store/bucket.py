"""A store in a bucket: its files by their content, and an index that is replaced last.

    objects/<sha256>   each content once
    index.json         which file of the store has which, and who has written that last
    exports/           the copy for readers, plain files (`tasks.publish.mirror`)

Whoever dies while they send leave the state before; whoever reads has one state, never a mixture. What no index names
any more goes after two days, so that who reads by the index before finds it.
"""

import json
import os
import re
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

import pyarrow.fs as pafs

from recmodels.engine.exchange import KEPT, SWEPT, Exchange, side_by_side
from recmodels.errors import ConfigError, NightrecError
from recmodels.published.addresses import shown
from tasks.store.files import now_text
from tasks.store.working_copy import EMPTY, Entry, WorkingCopy

INDEX = "index.json"
BESIDE = ("simulations/", "replays/", "tuning/")
"""What is done beside nights, for hours: it stays, sent or not, whoever has written to the store meanwhile."""
INCOMING = ".bucket-incoming"
PATIENCE = 25.0  # seconds for a first answer
TRIES = 3  # where files change while they are sent, or the index while it is followed

T = TypeVar("T")


class Unreached(NightrecError):
    """The bucket does not answer, or refuses."""


class Index(NamedTuple):
    """Which files the store has, by their path in it, and the name of this state of it."""

    written: str
    files: dict[str, Entry]


class StoreBucket:
    """What is at the address of a store.

    Raises:
        NightrecError: nobody answers there, or there is no such bucket.
    """

    def __init__(self, address: str) -> None:
        self.shown = shown(address)
        with self.reached():
            self.place = _within(PATIENCE, lambda: self._seen(_opened(address)))

    def _seen(self, place: Exchange) -> Exchange:
        bucket, _, _ = place.root.partition("/")
        there = not isinstance(place.files, pafs.S3FileSystem) or place.read(INDEX) is not None
        if not there and place.files.get_file_info(bucket).type == pafs.FileType.NotFound:
            raise NightrecError(f"There is no bucket {bucket} for the store {self.shown}: make it, or name another.")
        return place

    def index(self) -> Index:
        """What the store holds now; nothing before it was first sent."""
        with self.reached():
            content = self.place.read(INDEX)
        if content is None:
            return Index("", {})
        try:
            told = json.loads(content)
            return Index(told["written"], {_inside(path): Entry(*entry) for path, entry in told["files"].items()})
        except (ValueError, KeyError, TypeError):
            raise NightrecError(
                f"{INDEX} of the store {self.shown} is damaged: bring an earlier version of it back, if the bucket "
                f"keeps them, or remove it: the next night from this machine sends all that its copy has."
            ) from None

    def pull(self, copy: WorkingCopy) -> int:
        """Bring a working copy in step, so that it holds what the index names; how many files came.

        Where nobody has written since it was in step, it stays as it is: what is newer in it was not sent yet.
        """
        for _ in range(TRIES):
            index = self.index()
            if _in_step(copy, index):
                return 0
            if not index.written:  # somebody has removed it: what is here is all that there is
                copy.written, copy.files = "", {}
                copy.save()
                return 0
            with self.reached(), suppress(_Gone):
                return self._bring(copy, index)
        raise NightrecError(
            f"Objects that {INDEX} of the store {self.shown} names are missing: bring them back from a version that "
            "the bucket keeps, or send all anew from a working copy that is whole, by removing that file."
        )

    def _bring(self, copy: WorkingCopy, index: Index) -> int:
        here, _ = _entries(copy)
        wanted = {path: one for path, one in index.files.items() if path not in here or here[path].sha256 != one.sha256}
        copy.written = copy.writing = ""  # until all of it is there
        copy.save()
        incoming = copy.root / INCOMING
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(mode=0o700)
        contents = sorted({one.sha256 for one in wanted.values()} - {EMPTY.sha256})
        side_by_side(lambda content: self._get(content, incoming), contents)
        for path in here.keys() - index.files.keys():
            if path.startswith(BESIDE) and path not in copy.files:
                continue
            if not path.endswith("/"):
                (copy.root / path).unlink(missing_ok=True)
            _remove_empty(copy.root / path, copy.root)
        uses = Counter(one.sha256 for one in wanted.values())
        for path, one in wanted.items():
            if path.endswith("/"):
                (copy.root / path).mkdir(parents=True, exist_ok=True)
                continue
            uses[one.sha256] -= 1
            _put_there(incoming / one.sha256, copy.root / path, one.mtime_ns, again=uses[one.sha256] > 0)
        for path in index.files.keys() - wanted.keys():
            if not path.endswith("/"):
                os.utime(copy.root / path, ns=(index.files[path].mtime_ns,) * 2)
        shutil.rmtree(incoming)
        copy.written, copy.files = index
        copy.save()
        return len(wanted)

    def _get(self, content: str, to: Path) -> None:
        if self.place.files.get_file_info(self.place.path(f"objects/{content}")).type == pafs.FileType.NotFound:
            raise _Gone
        self.place.get(f"objects/{content}", content, to / content)

    def push(self, copy: WorkingCopy) -> int:
        """Send what a working copy has and the bucket has not, and then the index; how many files are new.

        Raises:
            NightrecError: the index is not the one that the copy was in step with, and stays as it is.
        """
        there = self._same(copy)
        files = self._sent(copy, there.files)
        new = len(files.items() - there.files.items())
        if files == there.files:
            return 0
        index = Index(uuid.uuid4().hex, dict(sorted(files.items())))
        self._same(copy)
        copy.writing = index.written
        copy.save()
        with self.reached():
            self.place.put(INDEX, json.dumps(index._asdict() | {"at": now_text()}).encode())
        copy.written, copy.files = index
        self._same(copy)
        copy.save()
        return new

    def _same(self, copy: WorkingCopy) -> Index:
        """The index, which must be the one that a copy is in step with."""
        index = self.index()
        if not _in_step(copy, index):
            raise NightrecError(
                f"Another driver has written to the store {self.shown} meanwhile: nothing of it was overwritten, and "
                "what this one has done since stays on its machine alone. Run it again once the other has ended."
            )
        return index

    def _sent(self, copy: WorkingCopy, there: Mapping[str, Entry]) -> dict[str, Entry]:
        """Send the contents that are not there, and return all files; of one that changes all the time, the last state
        that is there."""
        known = {EMPTY.sha256} | {entry.sha256 for entry in there.values()}
        for _ in range(TRIES):
            files, vanished = _entries(copy)
            missing = {entry.sha256: path for path, entry in files.items() if entry.sha256 not in known}
            side_by_side(partial(self._send, copy, files, known), list(missing.values()))
            unsent = {path for path, entry in files.items() if entry.sha256 not in known}
            if not unsent and not vanished:
                break
        return {path: entry for path, entry in files.items() if path not in unsent} | {
            path: there[path] for path in unsent if path in there
        }

    def _send(self, copy: WorkingCopy, files: Mapping[str, Entry], known: set[str], path: str) -> None:
        with self.reached():
            try:
                self.place.put(f"objects/{files[path].sha256}", copy.root / path)
                now = (copy.root / path).stat()
            except FileNotFoundError as error:
                if error.filename is None:  # it is the place that is not there
                    raise
                return
        if files[path][1:] == (now.st_size, now.st_mtime_ns):
            known.add(files[path].sha256)

    def sweep(self, older_than: timedelta = KEPT) -> int:
        """Remove the contents that the index does not name, of which nobody has sent one lately; how many."""
        named = {entry.sha256 for entry in self.index().files.values()}
        before = datetime.now(UTC) - older_than
        with self.reached():
            there = pafs.FileSelector(self.place.path("objects"), allow_not_found=True)
            found = [one for one in self.place.files.get_file_info(there) if one.base_name not in named]
            old = [one.path for one in found if not older_than or (one.mtime is not None and one.mtime < before)]
            side_by_side(self.place.files.delete_file, old)
        return len(old)

    def sweep_daily(self) -> None:
        """`sweep`, unless somebody has done that within a day; the next one does where the place does not answer."""
        with suppress(Unreached):
            with self.reached():
                swept = self.place.files.get_file_info(self.place.path(SWEPT)).mtime
            if swept is None or datetime.now(UTC) - swept > KEPT / 2:
                self.sweep()
                with self.reached():
                    self.place.put(SWEPT, b"")

    def probe(self) -> None:
        """Write a small object, read it, and remove it again.

        Raises:
            NightrecError: one of these is refused.
        """
        key, content = f"probe-{uuid.uuid4().hex}", os.urandom(16)
        with self.reached():
            self.place.put(key, content)
            if self.place.read(key) != content:
                raise NightrecError(f"The store {self.shown} does not give back what was written to it.")
            self.place.files.delete_file(self.place.path(key))

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Tell what the place refuses in a sentence; what the disk of this machine refuses stays as it is."""
        try:
            yield
        except OSError as error:
            if error.filename is not None:
                raise
            raise Unreached(
                f"The store {self.shown} is not reached ({_brief(error)}): see that it is there and lets this machine "
                "read and write (credentials come from the environment), and run it again: it goes on where it was."
            ) from error


class _Gone(Exception):
    """An object that an index names is there no more, as the index is an old one."""


def _brief(error: OSError) -> str:
    """What a client says of a failure, without what it was asked for."""
    found = re.search(r"AWS Error [A-Z_]+|HTTP (?:status )?\d{3}|[Cc]ould ?n.t (?:connect|resolve)[a-z ]*", str(error))
    return found.group() if found else error.strerror or type(error).__name__


def _opened(address: str) -> Exchange:
    """The place itself.

    Raises:
        OSError: nobody answers there.
        ConfigError: the address is of no known kind.
    """
    try:
        return Exchange(address)
    except ConfigError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _within(seconds: float, do: Callable[[], T]) -> T:
    """What a call returns; clients wait for minutes where nobody answers.

    Raises:
        TimeoutError: it has not returned by then.
    """
    done: list[T] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            done.append(do())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True, name="first answer")
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


def _in_step(copy: WorkingCopy, index: Index) -> bool:
    """Whether an index is the one that a copy is in step with, be it that nobody said that it has arrived."""
    if index.written and index.written == copy.writing:
        copy.written, copy.files = index
    return index.written == copy.written


def _entries(copy: WorkingCopy) -> tuple[dict[str, Entry], bool]:
    """The files of a working copy, and whether any went meanwhile."""
    files, listed = {}, copy.listed()
    for path, stat in listed.items():
        with suppress(FileNotFoundError):
            files[path] = copy.entry(path, stat)
    return files, len(files) < len(listed)


def _inside(path: str) -> str:
    """A path in a store, which may not lead out of it."""
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(path)
    return path


def _put_there(source: Path, target: Path, mtime_ns: int, again: bool) -> None:
    """Put a file that came where it belongs, where it appears as a whole; it is needed `again`, or not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = source
    if again:
        draft = source.with_name("draft")
        shutil.copyfile(source, draft)
    os.utime(draft, ns=(mtime_ns, mtime_ns))
    draft.replace(target)


def _remove_empty(path: Path, root: Path) -> None:
    """Remove an empty folder, or those of a file that is gone, as far as nothing else is in them."""
    for folder in (path, *path.parents):
        if folder == root:
            return
        with suppress(OSError):
            folder.rmdir()
