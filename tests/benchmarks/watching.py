"""A program that is run, with the most memory that it and all it starts hold at a time, and its CPU seconds (Linux)."""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import IO

EVERY = 0.5  # seconds
KIB = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


@dataclass
class Watched:
    """How a program went.

    Attributes:
        code: its exit code.
        cpu_seconds: its own and of the processes that it started; of those that outlive it as far as they were then.
        process_bytes: the most that one process held at a time, resident.
        peak_bytes: the most that all held at a time, proportional: what they share is counted once.
    """

    code: int = 0
    cpu_seconds: float = 0.0
    process_bytes: int = 0
    peak_bytes: int = 0
    _family: list[int] = field(default_factory=list)


def watched(command: Sequence[str], log: IO[str], folder: Path) -> Watched:
    """Run a program to its end."""
    found, over = Watched(), Event()
    with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder) as process:
        watcher = Thread(target=_watch, args=(process.pid, found, over))
        watcher.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            found.cpu_seconds = sum(_cpu_seconds(one) for one in found._family if one != process.pid)
            process.returncode = found.code = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.terminate()  # it ends with us
            raise
        finally:
            over.set()
            watcher.join()
    found.cpu_seconds += usage.ru_utime + usage.ru_stime
    return found


def _watch(pid: int, found: Watched, over: Event) -> None:
    while not over.wait(EVERY):
        found._family = _family(pid)
        held = [_memory(one) for one in found._family]
        found.process_bytes = max([found.process_bytes, *(resident for resident, _ in held)])
        found.peak_bytes = max(found.peak_bytes, sum(proportional for _, proportional in held))


def _family(pid: int) -> list[int]:
    """A process and all that it started, as far as they run."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                left += map(int, children.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def _cpu_seconds(pid: int) -> float:
    """Of a process and those it has waited for; none of one that has ended, which somebody waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> tuple[int, int]:
    """Resident and proportional bytes of a process; none of one that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0, 0
    kib = {name: int(number) for name, number in KIB.findall(text)}
    return kib.get("Rss", 0) * 1024, kib.get("Pss", 0) * 1024
