"""What comes from a policy or a behavior model, which others may write, is looked at before it is believed."""

import numpy as np

from recmodels.data.arrays import Ints
from recmodels.errors import NightrecError
from recmodels.simulation.behavior import NOTHING, Behavior, Day
from recmodels.simulation.known import Known
from recmodels.simulation.policies.base import Lists, Policy


def check_lists(policy: Policy, lists: Lists, known: Known, k: int) -> None:
    """Raise NightrecError for lists that cannot be shown."""
    items, shape = lists.items, (len(known.here), k)
    who = f"Night {known.night}: the policy {policy.name} made lists"
    if items.shape != shape or items.dtype != np.int32:
        raise NightrecError(f"{who} {items.dtype} {items.shape}; they are to be int32 {shape}.")
    there = items != NOTHING
    if there[~known.here].any():
        raise NightrecError(f"{who} for a user who is not there; their places are to be {NOTHING}.")
    shown = items[there]
    if len(shown) and (shown.min() < 0 or shown.max() >= len(known.out) or not known.out[shown].all()):
        raise NightrecError(f"{who} with an item that may not be shown; only those in `known.out` are.")
    ordered = np.sort(items, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NOTHING)).any():
        raise NightrecError(f"{who} with an item twice.")


def check_day(behavior: Behavior, day: Day, night: int) -> None:
    """Raise NightrecError for a day that cannot have been."""
    who, choices = f"Night {night}: the behavior model {type(behavior).__name__} gave", day.choices
    sizes = {len(choices.user), len(choices.item), len(choices.night), len(choices.rank), len(day.worth)}
    if len(sizes) > 1:
        raise NightrecError(f"{who} choices whose columns, `worth` among them, are not of one length.")
    if len({len(day.seen_user), len(day.seen_item), len(day.seen_rank), len(day.clicked)}) > 1:
        raise NightrecError(f"{who} places that were seen whose columns are not of one length.")
    world = behavior.world
    if not (_within(choices.user, world.n_users) and _within(choices.item, world.n_items)):
        raise NightrecError(f"{who} a choice of a user or item that does not exist.")
    if not world.out(night)[choices.item].all():
        raise NightrecError(f"{who} a choice of an item that is not out yet.")
    if (choices.night != night).any():
        raise NightrecError(f"{who} choices of another night.")


def _within(numbers: Ints, n: int) -> bool:
    return not len(numbers) or bool(numbers.min() >= 0 and numbers.max() < n)
