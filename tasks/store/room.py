"""How much room a night needs on the store's disk, estimated before it starts from what the last nights took."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tasks.errors import DiskRefused
from tasks.store.files import read_json
from tasks.store.paths import Night, Store
from tasks.store.settings import DiskSettings

LAST = 3  # nights that are looked at
GROWTH = 1.2  # how much larger than all of them a night may be
OF_INPUTS = 8  # a first night takes at least that many times its inputs, which may be compressed
FEW = 100  # files that a night makes at least

Spilled: TypeAlias = Callable[[Night], int]
"""The bytes of files that were gone when a night had prepared its tables."""


def nothing_spilled(night: Night) -> int:
    return 0


@dataclass(frozen=True)
class Room:
    """What a file system has for those who are not root, in bytes and files."""

    free: int
    total: int
    files_free: int
    files_total: int

    @classmethod
    def of(cls, path: Path) -> "Room | None":
        """That of the file system of a path; of the next folder above it where it is not there."""
        for place in (path, *path.absolute().parents):
            try:
                found = os.statvfs(place)
            except OSError:
                continue
            return cls(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail, found.f_files)
        return None

    @property
    def no_files_left(self) -> bool:
        """Whether it is files that it has no room for; some file systems do not count them."""
        return self.files_total > 0 and self.files_free < FEW

    def missing(self, store: Store, spilled: Spilled = nothing_spilled) -> int:
        """Bytes that the next night lacks, by what the last ones took; 0 where none has run."""
        return max(0, round(GROWTH * _taken_by_nights(store, spilled)) - self.free)


def check_room(night: Night, settings: DiskSettings, inputs: Iterable[int], spilled: Spilled = nothing_spilled) -> None:
    """Refuse a night that its disk has no room for.

    Args:
        night: it has not started, or goes on.
        settings: `[disk]`.
        inputs: the bytes of its files.
        spilled: what nights like the last ones spill while they prepare.

    Raises:
        DiskRefused: the sentence has the figures.
    """
    room = Room.of(night.store.root)
    if not settings.check or room is None:
        return
    before = round(GROWTH * _taken_by_nights(night.store, spilled, night))
    needed, by = (before, "the last ones") if before else (OF_INPUTS * sum(inputs), "by its inputs")
    left = max(0, needed - size_of(night.folder)) + round(settings.keep_free_gb * 1e9)
    if left > room.free:
        took = f"{by} took up to {size_text(round(before / GROWTH))}" if before else by
        keep = f", with {settings.keep_free_gb:g} GB to be kept free" if settings.keep_free_gb else ""
        raise DiskRefused(
            f"The disk of the store {night.store.root} has {size_text(room.free)} free, and this night needs about "
            f"{size_text(left)} ({took}{keep}): free {size_text(left - room.free)}, keep fewer nights "
            "(retention.nights), or set disk.check = false to run all the same. What is published stays."
        )
    if room.no_files_left:
        raise DiskRefused(
            f"The file system of the store {night.store.root} has room for {room.files_free:,} more files (inodes) "
            "only: remove some, or set disk.check = false to run all the same. What is published stays."
        )


def _taken_by_nights(store: Store, spilled: Spilled, without: Night | None = None) -> int:
    """The most bytes that one of the last complete nights has, export and feedback included, or had as it prepared."""
    found: list[int] = []
    for night in reversed(store.all_nights()):
        record = read_json(night.summary) or {}
        if record.get("status") not in ("published", "compared") or (without and night.run_date == without.run_date):
            continue
        export = record.get("export_id")
        folders = [night.folder, store.feedback(night.run_date), store.panel(night.run_date)]
        folders += [store.export(export)] if isinstance(export, str) else []
        preparing = sum(map(size_of, (night.raw, night.valid, night.prepared))) + spilled(night)
        found.append(max(sum(map(size_of, folders)), preparing))
        if len(found) == LAST:
            break
    return max(found, default=0)


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder; of those that are there to the end."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - there may be many
            except OSError:
                continue
    return total


def size_text(size: int) -> str:
    """Bytes as people say them."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= one:
            return f"{size / one:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
