"""The disk and the clock."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.operate.doctor.findings import Finding, Site
from tasks.estimates.measured import spilled
from tasks.store.room import Room, size_text

RELEASED = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that shows an earlier time is wrong."""
APART = 60.0  # seconds that two clocks may differ
AHEAD = timedelta(days=2)  # how much later than now a night may be dated: zones, and a night that is run by hand


def disk(site: Site) -> Iterator[Finding]:
    """There is room for another night."""
    room = Room.of(site.store.root)
    if room is None:
        return
    where, keep = str(site.store.root), round(site.config.disk.keep_free_gb * 1e9)
    lacks = max(room.missing(site.store, spilled), keep - room.free)
    if lacks > 0:
        what = f"its disk has {size_text(room.free)} free, and the next night needs about {size_text(lacks)} more"
        yield Finding(what, where, "free that much, or keep fewer nights and exports ([retention])")
    if room.no_files_left:
        what = f"its file system has room for {room.files_free:,} more files (inodes) only"
        yield Finding(what, where, "remove some that are not needed")


def clock(site: Site) -> Iterator[Finding]:
    """This machine's clock, that of the store's file system, and the dates of the nights agree."""
    now = datetime.now(UTC)
    if now < RELEASED:
        yield Finding(f"it shows {now:%Y-%m-%d}", "the clock of this machine", "set it, for instance by NTP")
        return
    apart = _apart(site.store.root)
    if apart is not None and abs(apart) > APART:
        what = f"it is {abs(apart):,.0f} seconds {'ahead of' if apart > 0 else 'behind'} this machine's clock"
        yield Finding(what, f"the clock of the file system of {site.store.root}", "have both set by NTP")
    dates = [night.run_date for night in site.store.nights()]
    if dates and dates[-1] > (now + AHEAD).date():
        todo = f"set the clock, if it was wrong then; nights before {dates[-1]} do not replace what that one published"
        yield Finding(f"a night is dated {dates[-1]}, and today is {now:%Y-%m-%d}", "the clock of this machine", todo)


def _apart(folder: Path) -> float | None:
    """How many seconds a file system's clock is ahead of ours; None where nothing can be written to see it."""
    try:
        before = time.time()
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b".")
            probe.flush()
            stamp = Path(f"/proc/self/fd/{probe.fileno()}").stat().st_mtime
        after = time.time()
    except OSError:
        return None
    return stamp - after if stamp > after else min(0.0, stamp - before)
