"""Readers of a store that never stop, and what they hold against what they read."""

import fcntl
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import NightrecError
from recmodels.published.reader import Export
from tests.reliability.forks import exit_code, forked


class BadReading(AssertionError):
    """A reader got something that nobody has published."""


def read_whole(store: Path, has_link: bool = True) -> str:
    """Read the current export to its last byte, as `latest.json` leads to it, and return its id; a mirror has no link.

    Raises:
        BadReading: a file is missing or is not what the manifest says, or the lists are not what its figures say.
    """
    exports = store / "exports"
    try:
        export = Export.latest(store)
        pointer = json.loads((exports / "latest.json").read_bytes())
        if pointer["export_id"] == export.manifest["export_id"]:
            named = (exports / pointer["manifest"]).read_bytes()
            _expect(hashlib.sha256(named).hexdigest() == pointer["manifest_sha256"], "the manifest is another")
        for file in export.manifest["files"]:
            content = (export.folder / file["path"]).read_bytes()
            _expect(hashlib.sha256(content).hexdigest() == file["sha256"], f"{file['path']} is another")
            _expect(pq.read_metadata(export.folder / file["path"]).num_rows == file["rows"], "rows are missing")
        _check_lists(export)
        link = exports / "latest"
        _expect(not has_link or (link / "topk").is_dir(), "the link leads nowhere")
    except (OSError, NightrecError, KeyError, ValueError) as error:
        raise BadReading(f"{type(error).__name__}: {error}") from error
    return str(export.manifest["export_id"])


def _check_lists(export: Export) -> None:
    lists, manifest = export.table("topk"), export.manifest
    users = pc.count_distinct(lists["user_id"]).as_py()
    _expect((lists.num_rows, users) == (manifest["rows"], manifest["users"]), "rows or users are missing")
    of_user = lists.group_by("user_id").aggregate([("rank", "max"), ("rank", "count"), ("item_id", "count_distinct")])
    whole = pc.and_(
        pc.equal(of_user["rank_max"], of_user["rank_count"]),
        pc.equal(of_user["rank_max"], of_user["item_id_count_distinct"]),
    )
    _expect(pc.all(whole).as_py(), "a list is cut short, or has an item twice")
    for name in ("popular", "similar"):
        _expect(export.table(name).num_rows > 0, f"{name} is empty")


def _expect(holds: Any, otherwise: str) -> None:
    if not holds:
        raise BadReading(otherwise)


class Poller:
    """A process that reads a store again and again; `resting` keeps it from a store that is being replaced."""

    def __init__(self, store: Path, notes: Path) -> None:
        self.store, self.notes = store, notes
        self.lock = notes.with_suffix(".lock").open("w")
        notes.write_text("", encoding="utf-8")

    def __enter__(self) -> "Poller":
        self.pid = forked(self._poll)
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.pid, signal.SIGTERM)
        exit_code(self.pid)

    def _poll(self) -> None:
        lock = self.notes.with_suffix(".lock").open("w")
        with self.notes.open("a", buffering=1, encoding="utf-8") as notes:
            while True:
                fcntl.flock(lock, fcntl.LOCK_EX)
                try:
                    if (self.store / "exports" / "latest.json").exists():
                        notes.write(f"{self._read()}\n")
                finally:
                    fcntl.flock(lock, fcntl.LOCK_UN)
                time.sleep(0.02)

    def _read(self) -> str:
        """A reading, which may be taken again: a manifest and its files are replaced one after another by `forget`."""
        trouble = ""
        for _ in range(3):
            try:
                return read_whole(self.store)
            except BadReading as bad:
                trouble = f"BAD {bad}"
        return trouble

    @contextmanager
    def resting(self) -> Iterator[None]:
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self.lock, fcntl.LOCK_UN)

    def found(self) -> tuple[int, list[str]]:
        """How many readings there were, and what was wrong with those that were bad."""
        lines = self.notes.read_text(encoding="utf-8").splitlines()
        return len(lines), [line.removeprefix("BAD ") for line in lines if line.startswith("BAD ")]
