"""What runs that were cut short have left, who holds the store, and what is not nightrec's in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from flows.operate.doctor.findings import Finding, Site, note
from tasks.forgetting.request import PREFIX
from tasks.store import leftovers as left
from tasks.store.locking import in_use
from tasks.store.records import Lease, read

SHOWN = 5


def look(site: Site) -> Iterator[Finding]:
    """While a night runs, what it is working on looks like leftovers: nothing is said of them."""
    remains: list[Path] = []
    if in_use(site.store):
        yield note("a night is running", site.store.lease, "--fix waits for nobody: run it when the night has ended")
    else:
        remains = left.leftovers(site.store)
        for path in remains:
            yield Finding(
                "an earlier run was cut short and has left it", str(path), "removes it", partial(_remove, path)
            )
        yield from _lease(site)
        yield from _forgetting(site)
    unknown = [path for path in left.foreign(site.store) if path not in remains]
    if unknown:
        names = ", ".join(str(path.relative_to(site.store.root)) for path in unknown[:SHOWN])
        more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
        yield note(f"not nightrec's: {names}{more}", site.store.root, "is left alone")


def _remove(path: Path) -> str:
    left.remove(path)
    return "is gone"


def _forgetting(site: Site) -> Iterator[Finding]:
    """Forgettings that were cut short, or that failed in some place; only who knows the id can complete them."""
    for path in sorted(site.store.root.glob(f"{PREFIX}*.jsonl")):
        yield Finding("a user is not forgotten everywhere yet", str(path), "run `nightrec forget` with that id again")


def _lease(site: Site) -> Iterator[Finding]:
    if not os.path.lexists(site.store.lease):
        return
    damaged = read(site.store.lease, Lease) is None
    what = "it is damaged, and looks as if a night were running" if damaged else "the night that held the store is dead"
    yield Finding(
        what, str(site.store.lease), "removes it", lambda: "is gone"
    )  # whoever takes the store, as --fix does
