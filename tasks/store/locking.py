"""One night at a time in a store, whatever machines share it.

Within a machine a lock of the operating system decides: it is free the moment its holder dies. Between machines the
lease does: it is written by whoever holds the lock, touched while they work, and passed on when nobody has touched it
for a while.
"""

import errno
import fcntl
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

import psutil

from recmodels.errors import ConfigError, NightrecError
from tasks.store.events import log_event
from tasks.store.exports import complete_rewrites, mend_pointer, switching
from tasks.store.files import now_text, open_to, private_folder, readers_of, set_folder_aside, write_json
from tasks.store.in_step import in_step
from tasks.store.lease import STALE, InUseError, age, beating, machine
from tasks.store.leftovers import sweep
from tasks.store.paths import Store
from tasks.store.records import Lease, read

POLL = 2.0  # seconds between two looks at a store that is held


@contextmanager
def held(
    store: Store, patience: float = 0.0, flow_run: str = "", found_dead: Callable[[str], None] = lambda run: None
) -> Iterator[str]:
    """Hold a store for one night, against this machine and all others; yields the token of the lease.

    Args:
        patience: how many seconds to wait for another night to end.
        flow_run: the Prefect flow run that holds it, for those who find the lease.
        found_dead: called with the flow run of a holder that died without letting go.

    Raises:
        ConfigError: the folder cannot be written.
        InUseError: another night is running in it.
    """
    until = time.monotonic() + patience
    while True:
        with ExitStack() as holding:
            try:
                token, dead = _take(store, flow_run, holding)
                holding.enter_context(in_step(store, held=True))
            except InUseError:
                if time.monotonic() >= until:
                    raise
                token, dead = "", ""
            if dead:
                found_dead(dead)
            if token:
                sweep(store)
                with switching(store):
                    complete_rewrites(store)
                if mended := mend_pointer(store):
                    log_event("store", "note", mended)
                yield token
                return
        time.sleep(POLL)


@contextmanager
def private(store: Store) -> Iterator[None]:
    """Keep what is written to the store's user, or to its group where the group may write into its folder.

    Exports are as open as their folder, which is as open as the store's when it is made.
    """
    before = os.umask(0o007 if store.root.stat().st_mode & 0o020 else 0o077)
    try:
        if not store.exports.exists():
            for folder in (store.exports, store.exports / "manifests"):
                folder.mkdir(exist_ok=True)
                open_to(folder, readers_of(store.root))
        yield
    finally:
        os.umask(before)


def in_use(store: Store) -> bool:
    """Whether a night is running in a store; only looks, so that a night that begins just now is not disturbed."""
    lease = read(store.lease, Lease)
    if lease is None or (age(store.lease) or 0.0) >= STALE:
        return False
    here = lease["machine"] == machine() and lease["host"] == socket.gethostname()
    return not here or psutil.pid_exists(lease["pid"])


def _take(store: Store, flow_run: str, holding: ExitStack) -> tuple[str, str]:
    """Take the store at once, or raise InUseError; `holding` lets go of it.

    Returns the token of the lease, and the flow run of a holder before that died, if any.
    """
    try:
        private_folder(store.root)
        holding.enter_context(private(store))
        lock = holding.enter_context(store.lock.open("a+"))
    except OSError as error:
        raise ConfigError(
            f"The store {store.root} cannot be written ({error.strerror}): choose another folder with --store."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locks = True
    except BlockingIOError:
        raise _refused(store, read(store.lease, Lease)) from None
    except OSError as error:  # a file system without locks: the lease alone decides
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        locks = False
    before = read(store.lease, Lease)
    if before is not None or os.path.lexists(store.lease):  # one that is damaged is somebody's while it is touched
        dead_here = locks and before is not None and before["machine"] == machine()  # we hold its holder's lock
        if not dead_here and (age(store.lease) or 0.0) < STALE:
            raise _refused(store, before)
        put_aside(store, before)
    token = uuid.uuid4().hex
    mine: Lease = {
        "token": token,
        "machine": machine(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": now_text(),
        "flow_run": flow_run,
    }
    write_new(store, mine)
    if not _is_there(store, lock):
        store.lease.unlink(missing_ok=True)
        raise NightrecError(f"The store {store.root} vanished while it was opened: see that its disk is mounted.")
    holding.callback(_let_go, store, token)
    holding.enter_context(beating(store.lease, lambda: is_held(store, token) or _lost(store)))
    return token, before["flow_run"] if before else ""


def _is_there(store: Store, lock: IO[str]) -> bool:
    """Whether the store is still the one whose lock is open: a mount that went away leaves an empty folder."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock.fileno()), store.lock.stat())
    return False


def is_held(store: Store, token: str) -> bool:
    """Whether the night with this token still holds the store, and shows signs of life."""
    lease = read(store.lease, Lease)
    return lease is not None and lease["token"] == token and (age(store.lease) or 0.0) < STALE


def _lost(store: Store) -> bool:
    """Say why a night that no longer holds its store ends; false, as it does not."""
    why = f"{store.root} has gone away, or another night has taken it over: see that its disk is mounted"
    log_event("store", "failed", why)
    return False


def write_new(store: Store, lease: Lease) -> None:
    """Write the lease where there is none; of two machines that try, one succeeds."""
    draft = store.root / f".lease-{lease['token']}.json"
    write_json(draft, lease)
    try:
        os.link(draft, store.lease)
    except FileExistsError:
        raise _refused(store, read(store.lease, Lease)) from None
    except OSError:  # a file system without hard links
        with store.lease.open("x") as file:
            file.write(draft.read_text())
    finally:
        draft.unlink()


def put_aside(store: Store, dead: Lease | None) -> None:
    """Remove the lease of a dead holder, and no other: a faster machine may have written its own already.

    `dead` is None where it cannot be read.
    """
    aside = store.root / f".lease-{uuid.uuid4().hex}.json"
    set_folder_aside(store.lease)
    try:
        store.lease.rename(aside)
    except FileNotFoundError:
        return
    found = read(aside, Lease)
    if found is not None and (dead is None or found["token"] != dead["token"]):
        aside.rename(store.lease)
        raise _refused(store, found)
    aside.unlink()


def _let_go(store: Store, token: str) -> None:
    lease = read(store.lease, Lease)
    if lease is not None and lease["token"] == token:
        store.lease.unlink()


def _refused(store: Store, lease: Lease | None) -> InUseError:
    who = f", on {lease['host']} since {lease['since']} (process {lease['pid']})" if lease else ""
    return InUseError(
        f"Another night is running in the store {store.root}{who}: wait for it to end, or use another --store."
    )
