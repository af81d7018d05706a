"""How a simulation begins, or goes on: under one name there is one, and it is told from another by its settings."""

import shutil
from datetime import date

from recmodels.errors import ConfigError
from tasks.errors import DiskRefused
from tasks.simulate.plan import Plan
from tasks.store.files import TEMPORARY, Json, now_text, write_json
from tasks.store.paths import Night, Store
from tasks.store.room import Room, size_of, size_text
from tasks.store.settings import DiskSettings
from tasks.store.simulations import Simulation, simulations
from tasks.store.versions import NIGHTREC_VERSION

GENERATED = "generated"
"""What a simulation of an invented market is called, if nobody says otherwise."""
BYTES_A_ROW = 100
"""Of a user and night, twice: as the night ends, and in the table of all nights."""


def named(store: Store, plan: Plan, night: Night | None, name: str | None) -> Simulation:
    """The simulation that is meant: that of the name; without one the newest that was cut short and is the same, else
    one that is called by the night's date.
    """
    if name is not None:
        return Simulation(store, name)
    if night is None:
        return Simulation(store, GENERATED)
    for one in reversed(simulations(store)):
        if not one.complete and is_date(one.name) and not differs(one, plan):
            return one
    return Simulation(store, str(night.run_date))


def is_date(name: str) -> bool:
    try:
        return str(date.fromisoformat(name)) == name
    except ValueError:
        return False


def differs(simulation: Simulation, plan: Plan) -> str | None:
    """In what a simulation that there is differs from a plan; None where it is the same."""
    about = simulation.about
    before = about.get("plan") if about else None
    return plan.differs_from(before) if isinstance(before, dict) else "its settings are damaged"


def begin(simulation: Simulation, plan: Plan, night: Night | None, fresh: bool) -> Json:
    """Write down what a simulation is to do, unless that was done before; what was written. Its folder is held.

    Raises:
        ConfigError: there is another one of that name, or an earlier release has begun it.
    """
    sweep(simulation)
    if fresh:
        _empty(simulation)
    if simulation.settings.exists():
        if why := differs(simulation, plan):
            raise ConfigError(
                f"The simulation {simulation.name} is another one: {why}. Give this one a name of its own with --name, "
                "or replace that one with --fresh."
            )
        about = simulation.about or {}
        if about.get("nightrec") != NIGHTREC_VERSION and not simulation.complete:
            raise ConfigError(
                f"The simulation {simulation.name} was begun by nightrec {about.get('nightrec')}, and this is "
                f"{NIGHTREC_VERSION}: begin it again with --fresh."
            )
        return about
    about = {
        "name": simulation.name,
        "started_at": now_text(),
        "nightrec": NIGHTREC_VERSION,
        "night": str(night.run_date) if night else None,
        "plan": plan.model_dump(mode="json"),
    }
    write_json(simulation.settings, about)
    return about


def sweep(simulation: Simulation) -> None:
    """Remove what a killed process has left half-written; the folder is held."""
    for path in simulation.folder.rglob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)


def _empty(simulation: Simulation) -> None:
    """Remove what an earlier simulation of the name has left, but for who holds it."""
    for path in simulation.folder.iterdir():
        if path.name in (".lock", simulation.lease.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def check_room(simulation: Simulation, plan: Plan, settings: DiskSettings) -> None:
    """Refuse a simulation that its disk has no room for.

    Raises:
        DiskRefused: the sentence has the figures.
    """
    room = Room.of(simulation.folder)
    if not settings.check or room is None:
        return
    rows = plan.users * plan.nights * plan.repetitions * len(plan.policies)
    states = len(plan.policies) * plan.users * plan.items // 4
    needed = rows * BYTES_A_ROW + states - size_of(simulation.folder)
    left = max(0, needed) + round(settings.keep_free_gb * 1e9)
    if left > room.free:
        raise DiskRefused(
            f"The disk of the store {simulation.store.root} has {size_text(room.free)} free, and this simulation needs "
            f"about {size_text(left)}: simulate fewer users, nights or policies, keep fewer (simulate.keep), or set "
            "disk.check = false to run it all the same."
        )
