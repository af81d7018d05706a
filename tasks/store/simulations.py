"""The simulations of a store, each in a folder of its own: what is in it, who is at work in it, and which are kept.

A simulation does not hold its store: it reads what a night has left, and writes into its own folder alone. That one it
holds, as a night holds a store.
"""

import fcntl
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from recmodels.errors import ConfigError, NightrecError
from recmodels.messages import short
from tasks.store.files import Json, now_text, private_folder, read_json, write_json
from tasks.store.lease import STALE, age, beating, machine
from tasks.store.paths import SIMULATION, Store, entries
from tasks.store.records import Lease, read


@dataclass(frozen=True)
class Simulation:
    """One simulation's folder.

    Raises:
        ConfigError: the name cannot be one.
    """

    store: Store
    name: str

    def __post_init__(self) -> None:
        if not re.match(SIMULATION, self.name):
            raise ConfigError(
                f"{short(self.name)!r} is no name of a simulation: use up to 64 lower-case letters, digits, - and _."
            )

    @property
    def folder(self) -> Path:
        return self.store.simulations / self.name

    @property
    def settings(self) -> Path:
        """What it was asked for, and when it began."""
        return self.folder / "settings.json"

    @property
    def people(self) -> Path:
        """The folder with what is of the site's own users; gone once it is complete."""
        return self.folder / ".people"

    @property
    def log(self) -> Path:
        """What they have chosen, in a file of it."""
        return self.people / "log.npz"

    def policy(self, name: str) -> Path:
        """What a policy has come to."""
        return self.folder / name

    def checkpoint(self, policy: str) -> Path:
        """Where a policy goes on; gone once it is complete."""
        return self.policy(policy) / "checkpoint"

    @property
    def verdict(self) -> Path:
        """What became of all, as JSON; it is written last."""
        return self.folder / "verdict.json"

    @property
    def page(self) -> Path:
        """The same to be read."""
        return self.folder / "verdict.html"

    @property
    def logs(self) -> Path:
        """What the processes of policies were asked and have said."""
        return self.folder / ".logs"

    @property
    def lease(self) -> Path:
        """Who is at work in it."""
        return self.folder / ".lease.json"

    @property
    def about(self) -> Json | None:
        """The content of `settings`; None where it is not there or damaged."""
        return read_json(self.settings)

    @property
    def complete(self) -> bool:
        """Whether all of its policies came to their end."""
        found = read_json(self.verdict)
        return found is not None and not found.get("failed")

    @property
    def at_work(self) -> bool:
        """Whether somebody is at work in it; only looks."""
        lease = read(self.lease, Lease)
        if lease is None or (age(self.lease) or 0.0) >= STALE:
            return False
        here = lease["machine"] == machine() and lease["host"] == socket.gethostname()
        return not here or psutil.pid_exists(lease["pid"])


def simulations(store: Store) -> list[Simulation]:
    """Those that a store has, oldest first, whatever became of them; other folders are somebody else's."""
    names = (entry.name for entry in entries(store.simulations) if entry.is_dir(follow_symlinks=False))
    found = [Simulation(store, name) for name in names if re.match(SIMULATION, name)]
    return sorted((one for one in found if one.settings.is_file()), key=lambda one: (began(one), one.name))


def began(simulation: Simulation) -> str:
    """When it began; empty where nobody knows."""
    return str((simulation.about or {}).get("started_at", ""))


@contextmanager
def working_in(simulation: Simulation) -> Iterator[None]:
    """Hold the folder of a simulation, which is made if need be. What is written is for the store's user alone, or for
    its group where the group may write into the store.

    Raises:
        ConfigError: it cannot be written.
        NightrecError: somebody is at work in it.
    """
    try:
        private_folder(simulation.store.root)
        before = os.umask(0o007 if simulation.store.root.stat().st_mode & 0o020 else 0o077)
    except OSError as error:
        raise _not_writable(simulation, error) from error
    try:
        try:
            simulation.folder.mkdir(parents=True, exist_ok=True)
            lock = (simulation.folder / ".lock").open("a+")
        except OSError as error:
            raise _not_writable(simulation, error) from error
        with lock:
            locks = _locked(simulation, lock.fileno())
            other = read(simulation.lease, Lease)
            dead = other is None or (locks and other["machine"] == machine())
            if not dead and (age(simulation.lease) or 0.0) < STALE:
                raise _taken(simulation, other)
            mine: Lease = {
                "token": uuid.uuid4().hex,
                "machine": machine(),
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "since": now_text(),
                "flow_run": "",
            }
            write_json(simulation.lease, mine)
            try:
                with beating(simulation.lease):
                    yield
            finally:
                simulation.lease.unlink(missing_ok=True)
    finally:
        os.umask(before)


def _locked(simulation: Simulation, handle: int) -> bool:
    """Take the lock; False on a file system that has none. Raises NightrecError where somebody has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _taken(simulation, read(simulation.lease, Lease)) from None
    except OSError:
        return False
    return True


def _taken(simulation: Simulation, lease: Lease | None) -> NightrecError:
    who = f", on {lease['host']} since {lease['since']} (process {lease['pid']})" if lease else ""
    return NightrecError(
        f"The simulation {simulation.name} is running already{who}: wait for it to end, or give another --name."
    )


def _not_writable(simulation: Simulation, error: OSError) -> ConfigError:
    return ConfigError(
        f"The simulation {simulation.folder} cannot be written ({error.strerror}): choose another folder with --store."
    )


def retain_simulations(store: Store, keep: int | None) -> list[str]:
    """Remove all but the newest simulations, and return the names of those that went; one that is going on stays."""
    old = [] if keep is None else simulations(store)[:-keep]
    gone = []
    for one in old:
        if not one.at_work:
            remove(one)
            gone.append(one.name)
    return gone


def remove(simulation: Simulation) -> None:
    """Remove a simulation, what tells of it first; what cannot be removed today may be tomorrow."""
    with suppress(OSError):
        simulation.settings.unlink(missing_ok=True)
        shutil.rmtree(simulation.folder)
