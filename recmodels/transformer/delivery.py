"""Checkpoints of a process on another machine, brought to this one: by the store that its processes meet at.

No disk need be common to both. A file is sent chunk by chunk, each when the one before has been taken, so that neither
side holds more than one.
"""

import os
import threading
from datetime import timedelta
from pathlib import Path

from torch.distributed import TCPStore  # type: ignore[attr-defined]

CHUNK = 2**24  # bytes
LOOK = 0.1  # seconds between two looks whether there is anything new
MORE, LAST = b"+", b"."
TAKEN = timedelta(minutes=10)  # in which a chunk must be


class Sender(threading.Thread):
    """Sends a file whenever it has been replaced, until the process ends.

    Args:
        file: which need not be there yet; one that is linked is not sent.
        host: of the store.
        port: likewise.
    """

    def __init__(self, file: Path, host: str, port: int) -> None:
        super().__init__(name="checkpoints", daemon=True)
        self.file, self.store = file, TCPStore(host, port, is_master=False, timeout=TAKEN)
        self.number = 0

    def run(self) -> None:
        sent, ended = 0, threading.Event()
        while not ended.wait(LOOK):
            if self.file.is_symlink() or not self.file.exists():
                continue
            with self.file.open("rb") as content:  # which stays whole if another takes its place
                changed = os.fstat(content.fileno()).st_mtime_ns
                if changed == sent:
                    continue
                while chunk := content.read(CHUNK):
                    self._send(MORE + chunk)
            self._send(LAST)
            sent = changed

    def _send(self, message: bytes) -> None:
        self.store.set(f"chunk-{self.number}", message)  # type: ignore[arg-type]
        self.store.wait([f"taken-{self.number}"])
        self.store.delete_key(f"taken-{self.number}")
        self.number += 1


class Receiver(threading.Thread):
    """Writes what a `Sender` sends, each file whole or not at all, until the end of a block.

    Args:
        file: that is written.
        host: of the store.
        port: likewise.
    """

    def __init__(self, file: Path, host: str, port: int) -> None:
        super().__init__(name="checkpoints", daemon=True)
        self.file, self.store = file, TCPStore(host, port, is_master=False, timeout=TAKEN)
        self.ended = threading.Event()

    def __enter__(self) -> "Receiver":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        number, coming = 0, self.file.with_name(f"{self.file.name}.coming")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        coming.unlink(missing_ok=True)
        while not self.ended.is_set():
            if not self.store.check([f"chunk-{number}"]):
                self.ended.wait(LOOK)
                continue
            message = self.store.get(f"chunk-{number}")
            if message[:1] == MORE:
                with coming.open("ab") as content:
                    content.write(message[1:])
            else:
                coming.replace(self.file)
            self.store.delete_key(f"chunk-{number}")
            self.store.set(f"taken-{number}", "")
            number += 1
        coming.unlink(missing_ok=True)
