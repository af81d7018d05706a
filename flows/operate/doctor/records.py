"""The records beside the folders of a store: pins, and what copies and databases have been given."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from flows.operate.doctor.findings import Finding, Site, note
from tasks.publish.mirror import MIRRORS
from tasks.publish.retention import Pins
from tasks.store.exports import whole_exports
from tasks.store.files import now_text, read_lines, write_json
from tasks.store.paths import Store
from tasks.store.records import Switch, fitting, read


def look(site: Site) -> Iterator[Finding]:
    """Each of them is written by nightrec alone, and a damaged one reads as if it said nothing."""
    store = site.store
    if _damaged(store.pins, Pins):
        todo = "pins every export that is there, so that none is removed: unpin those that need not be kept"
        yield Finding("it is damaged, and no old export is removed", str(store.pins), todo, partial(_pin_all, store))
    if _damaged(sinks := store.root / "sinks.json", dict[str, dict[str, Any]]):
        yield Finding("it is damaged", str(sinks), "goes, and the databases are loaded again", partial(_remove, sinks))
    if _damaged(copies := store.root / MIRRORS, dict[str, str]):
        todo = "name them to `nightrec mirror --to` before somebody is forgotten, or delete it"
        yield Finding("it is damaged, and copies that are not configured are not known", str(copies), todo)
    switches = store.root / "published.jsonl"
    if lost := sum(line is None or fitting(line, Switch) is None for line in read_lines(switches)):
        yield note(f"{lost:,} of its lines cannot be read", switches, "nothing: they are left out")


def _damaged(path: Path, kind: Any) -> bool:
    return path.exists() and read(path, kind) is None


def _pin_all(store: Store) -> str:
    exports = whole_exports(store)
    write_json(store.pins, dict.fromkeys(exports, now_text()))
    return f"pins {len(exports)} exports"


def _remove(path: Path) -> str:
    path.unlink()
    return "is gone"
