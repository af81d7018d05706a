"""What this machine has for training, and how those who train share it: cores, memory and GPUs.

Each is cut into slots, and a slot is a lock on a file, which ends with its holder. So all nights and all workers of
this machine (of one container, where there are containers) share it, whatever started them and however they end.
"""

import fcntl
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from recmodels.compute.memory import total
from recmodels.errors import ConfigError

MEMORY_SLOTS = 64  # each of them that part of the machine's memory


def core_count() -> int:
    """The cores this process may use: its affinity, within the quota of its control group (v2)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no group, or "max"
        return count


def gpu_ids() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them; found without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


@dataclass(frozen=True)
class Slots:
    """Things of one kind, of which everybody on this machine takes some for a while."""

    kind: str
    names: Sequence[str]
    folder: Path

    def free(self, n: int, held: ExitStack) -> list[str]:
        """Take n of them, or fewer where there are not as many at the moment; `held` gives them back."""
        taken: list[str] = []
        for name in self.names:
            if len(taken) == n:
                break
            if lock := _locked(self.folder / f"{self.kind}-{name}"):
                held.enter_context(lock)
                taken.append(name)
        return taken


class Machine:
    """The cores, memory and GPUs of this machine."""

    def __init__(self, folder: Path | None = None, cores: int = 0, memory: int = 0, gpus: Sequence[str] | None = None):
        folder = folder or Path(tempfile.gettempdir()) / f"nightrec-{os.getuid()}"
        self.n_cores = cores or core_count()
        self.folder = folder
        self.cores = Slots("core", [str(core) for core in range(self.n_cores)], folder)
        self.memory = Slots("memory", [str(part) for part in range(MEMORY_SLOTS)], folder)
        self.memory_slot = (memory or total()) / MEMORY_SLOTS  # bytes
        self.gpus = Slots("gpu", gpu_ids() if gpus is None else gpus, folder)

    @contextmanager
    def share(
        self,
        cores: int,
        memory: int = 0,
        gpus: int = 0,
        poll: float = 0.05,
        wait: Callable[[float], object] = time.sleep,
    ) -> Iterator[list[str]]:
        """Wait for a share and hold it during the block; yields the ids of its GPUs.

        Args:
            cores, gpus: how many; more than there are means all.
            memory: bytes; more than there is means all, and the process itself refuses what cannot fit.
            poll, wait: seconds between two looks, and what passes them; it may raise to give up.
        """
        parts = [
            (self.cores, cores),
            (self.memory, math.ceil(memory / self.memory_slot)),
            (self.gpus, gpus),
        ]
        _private_folder(self.folder)
        with ExitStack() as held:
            while not (turn := _locked(self.folder / "turn")):  # one at a time collects a share: nobody waits half-fed
                wait(poll)
            with turn:
                for slots, asked in parts:
                    wanted = min(asked, len(slots.names))
                    mine: list[str] = []
                    while len(mine) < wanted:
                        mine += slots.free(wanted - len(mine), held)
                        if len(mine) < wanted:
                            wait(poll)
            yield mine  # of the last kind, the GPUs


def _locked(path: Path) -> IO[bytes] | None:
    """A file that is locked until it is closed; None where somebody else has locked it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder} belongs to somebody else: remove it, or set TMPDIR to a folder of your own.")
