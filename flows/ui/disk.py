"""What the store takes on its disk, and what room is left."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.ui.nights_read import NightsRead
from tasks.store.room import LAST, Room, size_of

PARTS = ("exports", "nights", "history", "panel", "reports", "quality", "landed", "simulations", "replays")


@dataclass(frozen=True)
class Disk:
    """The bytes of a store.

    Attributes:
        parts: its folders, and what is in them.
        room: what its file system has.
        night: what the largest of the last nights takes.
    """

    parts: Sequence[tuple[str, int]]
    room: Room | None
    night: int

    @property
    def nights_left(self) -> int | None:
        """How many such nights there is room for."""
        return self.room.free // self.night if self.room and self.night else None


def disk_of(nights: NightsRead) -> Disk:
    """What a store takes now."""
    store = nights.store
    parts = [(name, size_of(store.root / name)) for name in PARTS if (store.root / name).is_dir()]
    taken = [
        size_of(store.night(one.run_date).folder) + (size_of(store.export(one.export_id)) if one.export_id else 0)
        for one in [one for one in nights.all() if not one.failed][-LAST:]
    ]
    return Disk(parts, Room.of(store.root), max(taken, default=0))
