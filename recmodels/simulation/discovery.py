"""Which items lists show, which they have forgotten, and how soon good new ones are found."""

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.simulation.behavior import NOTHING, World

FORGOTTEN = 7  # nights in no list, after which an item is dead
WAIT = 14  # nights for which a new item is followed
GOOD = 0.75  # the quantile of the items' worth above which a new one is good
NEVER = np.iinfo(np.int32).min // 2  # before any night


class Discovery:
    """What lists have shown so far, item by item.

    Args:
        world: who and what takes part.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._shown = np.full(world.n_items, NEVER, np.int32)  # the last night
        self._found = np.full(world.n_items, NEVER, np.int32)  # the first night
        self._good = np.zeros(world.n_items, np.bool_)

    def add(self, lists: Ints, worth: Doubles, night: int) -> dict[str, float]:
        """Put in a night; and its figures.

        Args:
            lists: `[n_users, k]`.
            worth: the mean utility of each item, NaN for those that are not out, `[n_items]`.
            night: tonight.
        """
        listed = np.bincount(lists[lists != NOTHING], minlength=self._world.n_items)
        out = self._world.out(night)
        self._shown[listed > 0] = night
        new = self._world.born == night
        self._good[new] = worth[new] >= (np.nanquantile(worth, GOOD) if new.any() else np.inf)
        enough = listed >= max(1.0, float(listed.sum()) / max(1, int(out.sum())))
        self._found[enough & (self._found == NEVER)] = night
        return {**self._alive(night), "new_item_nights": self._waited(night)}

    def _alive(self, night: int) -> dict[str, float]:
        if night < FORGOTTEN - 1:
            return {"alive_items": np.nan, "dead_items": np.nan}
        alive = self._shown > night - FORGOTTEN
        old = self._world.born <= night - FORGOTTEN + 1
        return {"alive_items": float(alive.sum()), "dead_items": _share(~alive, old)}

    def _waited(self, night: int) -> float:
        """All of these items have been followed for as long, so that none is counted before its time."""
        born = self._world.born
        followed = self._good & (born > 0) & (born > night - 2 * WAIT) & (born <= night - WAIT)
        if not followed.any():
            return float("nan")
        waited = np.where(self._found == NEVER, WAIT, self._found - born)[followed]
        return float(np.minimum(waited, WAIT).mean())

    def state(self) -> dict[str, np.ndarray]:
        """All of it, to go on from."""
        return {"shown": self._shown.copy(), "found": self._found.copy(), "good": self._good.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Be as it was when `state` was taken."""
        self._shown, self._found, self._good = (state[name].copy() for name in ("shown", "found", "good"))


def _share(true: Bools, among: Bools) -> float:
    return float(true[among].mean()) if among.any() else float("nan")
