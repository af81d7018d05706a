"""How a node of a cluster is, seen from the node itself: what `nightrec doctor` asks each of them."""

import os
import platform
import shutil
import sys
import uuid
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recmodels.compute.memory import total
from recmodels.engine.errand import sources
from recmodels.engine.exchange import Exchange
from recmodels.errors import NightrecError

SHARED_MEMORY = Path("/dev/shm")


def look(told: Mapping[str, Any]) -> dict[str, Any]:
    """Look at this machine.

    Args:
        told: the address of the `exchange`, if there is one; a file of the store (`seen`) and what is in it
            (`content`), if it is to be seen here.

    Returns:
        Versions (`nightrec`, `python`, `packages`), the digest of the `sources`, the bytes of `memory` and of the
        shared memory (`shm`; None where there is none); and why the `exchange`, the `store` or the GPUs that are here
        (`cuda`) cannot be used: empty where all is well.
    """
    return {
        "nightrec": _version("nightrec"),
        "python": platform.python_version(),
        "packages": {
            name: found for name in ("ray", "distributed") if name in sys.modules and (found := _version(name))
        },
        "sources": sources(),
        "memory": total(),
        "shm": shutil.disk_usage(SHARED_MEMORY).total if SHARED_MEMORY.is_dir() else None,
        "exchange": _wrong_with_exchange(told["exchange"]) if told.get("exchange") else "",
        "store": _wrong_with_store(Path(told["seen"]), told["content"]) if told.get("seen") else "",
        "cuda": _wrong_with_cuda() if any(Path("/dev").glob("nvidia[0-9]*")) else "",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # a tree of sources
        return ""


def _wrong_with_exchange(address: str) -> str:
    """Write a small object, read it and remove it; what goes wrong, without a client's words, which may hold keys."""
    content = uuid.uuid4().hex.encode()
    doing = "opened"
    try:
        exchange = Exchange(address)
        path = f"{exchange.root}/probe/{content.decode()}"
        doing = "written to"
        exchange.files.create_dir(path.rpartition("/")[0], recursive=True)
        with exchange.files.open_output_stream(path) as stream:
            stream.write(content)
        doing = "read from"
        with exchange.files.open_input_stream(path) as stream:
            if stream.read() != content:
                return "it gives back something else than was written"
        doing = "removed from"
        exchange.files.delete_file(path)
    except NightrecError as error:
        return str(error).rstrip(".")
    except OSError as error:
        why = f": {os.strerror(error.errno)}" if error.errno else ""
        return f"nothing can be {doing} it ({type(error).__name__}{why})"
    return ""


def _wrong_with_store(seen: Path, content: str) -> str:
    try:
        return "" if seen.read_text() == content else "there is another store"
    except OSError as error:
        return f"it is not there ({error.strerror or error})"


def _wrong_with_cuda() -> str:
    try:
        import torch
    except ImportError:
        return "PyTorch is not installed"
    return "" if torch.version.cuda else f"PyTorch {torch.__version__} has no CUDA"
