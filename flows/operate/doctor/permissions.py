"""Who may read and write the store and Prefect's database, and whether nights may."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from flows.operate.database import prefect_places
from flows.operate.doctor.findings import Finding, Site

PRIVATE = (
    "nights", "history", "feedback", "panel", "reports", "quality", "tuning", "inputs", "landed", "replays",
    "simulations",
    "published.jsonl",
)  # fmt: skip
"""What of a store is of no use to readers of the exports, and tells of people."""
OTHERS = stat.S_IRWXO


def look(site: Site) -> Iterator[Finding]:
    """The store; its exports may be as open as somebody has made them."""
    root = site.store.root
    if not root.exists():
        return
    for path in (root, *(root / name for name in (*PRIVATE, "exports", "exports/manifests"))):
        needed = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
        if path.exists() and not os.access(path, needed):
            whose, mine = _user(path.stat().st_uid), _user(os.geteuid())
            todo = f"run nights as {whose}, or give it to {mine}: chown -R {mine} {root}"
            yield Finding(f"{mine} may not write it: it belongs to {whose}", str(path), todo)
            return
    if not root.stat().st_mode & stat.S_IXOTH:
        return
    for path in (root / name for name in PRIVATE):
        if path.exists() and not path.is_symlink() and path.stat().st_mode & OTHERS:
            yield _open("every user of this machine may look into it", path)
    for path in (root, site.store.exports, site.store.exports / "manifests"):
        if path.exists() and path.stat().st_mode & stat.S_IWOTH:
            yield _open("every user of this machine may change it", path, stat.S_IWOTH)


def prefect(_: Site) -> Iterator[Finding]:
    """Prefect's folder and database, which name flows, parameters and messages."""
    home, database, _address = prefect_places()
    for path in (home, database):
        if path is None or not path.exists():
            continue
        if not os.access(path, os.R_OK | os.W_OK):
            todo = f"run nights as {_user(path.stat().st_uid)}, or set PREFECT_HOME to a folder of your own"
            yield Finding(f"{_user(os.geteuid())} may not write it", str(path), todo)
        elif path == database and home.stat().st_mode & OTHERS and path.stat().st_mode & OTHERS:
            yield _open("every user of this machine may read it", path)


def _open(what: str, path: Path, bits: int = OTHERS) -> Finding:
    return Finding(what, str(path), "takes that right from others", partial(_close, path, bits))


def _close(path: Path, bits: int) -> str:
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~bits)
    return f"has mode {stat.S_IMODE(path.stat().st_mode):o}"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
