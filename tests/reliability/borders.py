"""The borders between the steps of a program: each change that it makes to files beneath a folder.

Python tells audit hooks of each such change before it is made. A hook cannot be removed, so it is set in a fork. Forks
of the fork share its count, in memory that they have in common.
"""

import mmap
import os
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "open"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
LOCKS = re.compile(r"/\.(lock|switch|clock-\w+)$")  # what is opened without being changed, or at times of its own


class Counter:
    """A number that forks share."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 8)

    def next(self) -> int:
        (value,) = struct.unpack("q", self.memory[:8])
        self.memory[:8] = struct.pack("q", value + 1)
        return int(value)


def watch(folder: Path, at: Callable[[int, str], None]) -> None:
    """Call `at` with the number and the name of each change beneath a folder, before it is made; it may raise."""
    count, root, me = Counter(), f"{folder}/", os.getpid()

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in CHANGES and (place := _place(event, args, root)):
            at(count.next(), f"{event.removeprefix('os.')} {place}{'' if os.getpid() == me else ' (candidate)'}")

    sys.addaudithook(hook)


def _place(event: str, args: tuple[Any, ...], root: str) -> str | None:
    """What is changed, by its path beneath the root or its name in a folder; None for what is elsewhere."""
    if event == "open" and not (isinstance(args[2], int) and args[2] & WRITING):
        return None
    path = args[1] if event in ("os.rename", "os.link", "os.symlink") else args[0]
    try:
        path = os.fsdecode(path)
    except TypeError:  # the number of an open file
        return None
    if LOCKS.search(path):
        return None
    if path.startswith(root):
        return path.removeprefix(root)
    return f"*/{path}" if event in ("os.remove", "os.rmdir") and args[1] != -1 else None
