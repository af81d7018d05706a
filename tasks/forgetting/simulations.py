"""Simulations of a site's own users when one of them is forgotten.

Their users are numbers in an order drawn by lot, so nothing tells which of them was fitted to the user, if any was. So
what each simulated user did goes for all of them: tables by user, and what an unfinished simulation goes on from, which
has histories that are people's. The figures of all users together, and the pages made of them, stay.
"""

import shutil
from pathlib import Path

from recmodels.simulation.recorded import USERS
from tasks.forgetting.receipt import Place
from tasks.store.paths import Store
from tasks.store.simulations import Simulation, simulations


def forget_in_simulations(store: Store) -> Place:
    """Remove what could be anybody of the site; a simulation that is going on ends, and says why."""
    place = Place("simulations")
    for one in simulations(store):
        plan = (one.about or {}).get("plan")
        if isinstance(plan, dict) and plan.get("from_store") is False:  # invented users
            continue
        try:
            if _forget_in(one, place):
                place.removed.append(one.name)
        except OSError as error:
            place.failures.append(f"{error.filename or one.folder} cannot be removed ({error.strerror}): remove it")
    if place.removed:
        place.note = "what each of the simulated users did, as one of them may have been fitted to the user"
    return place


def _forget_in(one: Simulation, place: Place) -> bool:
    """Remove the people first: who is at work sees that, and stops."""
    found: list[Path] = [one.people, *one.folder.glob("*/checkpoint"), *one.folder.glob(f"*/{USERS}")]
    there = [path for path in found if path.exists()]
    place.searched += len(there)
    for path in there:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return bool(there)
