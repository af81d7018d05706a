"""Where the tests write what they need for a moment."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
ENOUGH = 4 << 30  # bytes: several times what all tests have at once


def in_memory() -> None:
    """Have temporary files in memory, where Linux has room for them and `TMPDIR` says nothing else.

    Making, syncing and removing tens of thousands of small files on a disk is a tenth of what the fast tests take.
    """
    if "TMPDIR" in os.environ or sys.platform != "linux" or not os.access(MEMORY, os.W_OK):
        return
    runs_programs = not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC  # which some tests write
    if runs_programs and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
