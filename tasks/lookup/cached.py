"""What was read of a file, kept as long as the file is the same: a page that is asked for again need not read it."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import TypeVar

Read = TypeVar("Read")
Key = tuple[str, int, int, int]


def kept(files: int) -> Callable[[Callable[[Path], Read]], Callable[[Path], Read]]:
    """Decorate a reader of one file: what it made of the last `files` files is given again, while they are unchanged.

    A file is another one when its inode, size or time of change is, so that a user who is forgotten is not kept.
    """

    def decorated(read: Callable[[Path], Read]) -> Callable[[Path], Read]:
        known: OrderedDict[Key, Read] = OrderedDict()
        lock = Lock()

        @wraps(read)
        def once(path: Path) -> Read:
            about = path.stat()
            key = (str(path), about.st_ino, about.st_size, about.st_mtime_ns)
            with lock:
                if key in known:
                    known.move_to_end(key)
                    return known[key]
            found = read(path)
            with lock:
                for other in [one for one in known if one[0] == key[0]]:
                    del known[other]
                known[key] = found
                while len(known) > files:
                    known.popitem(last=False)
            return found

        return once

    return decorated
