"""Things that are done in a fork, so that they can be killed."""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def forked(run: Callable[[], int | None], log: Path | None = None) -> int:
    """Run something in a fork and return its process id; its exit code is what it returns, 1 for an exception."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        if log is not None:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
        code = run() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def exit_code(pid: int) -> int:
    """Wait for a fork to end; minus the signal that killed it, if one did."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
