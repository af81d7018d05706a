"""What was chosen in the last days: the window over which variety and popularity are measured."""

import numpy as np

from recmodels.data.arrays import Doubles, Ints, Longs
from recmodels.simulation.behavior import Choices, World


class Recent:
    """The choices of a window of days; older ones are let go, so that memory does not grow with the nights.

    Args:
        world: who and what takes part.
        days: of the window.
        history: what was chosen before the first night.
    """

    def __init__(self, world: World, days: int, history: Choices) -> None:
        self._world, self._days = world, days
        self._n_categories = int(world.category.max(initial=-1)) + 1
        self.user, self.item, self._night = (np.empty(0, np.int32) for _ in range(3))
        self.add(history, -1)

    def add(self, choices: Choices, night: int) -> None:
        """Put in what was chosen by the end of a night, and let go what is older than the window then."""
        kept, new = self._night > night - self._days, choices.night > night - self._days
        self.user = np.concatenate([self.user[kept], choices.user[new]])
        self.item = np.concatenate([self.item[kept], choices.item[new]])
        self._night = np.concatenate([self._night[kept], choices.night[new]])

    def categories(self) -> Doubles:
        """How often each user chose from each category: [n_users, n_categories]."""
        return counts(self.user, self._world.category[self.item], (self._world.n_users, self._n_categories))

    def popularity(self, night: int) -> Doubles:
        """How many times as often as the average item that is out each was chosen; NaN without choices. [n_items]"""
        chosen = np.bincount(self.item, minlength=self._world.n_items).astype(np.float64)
        average = len(self.item) / max(1, int(self._world.out(night).sum()))
        return chosen / (average or np.nan)

    def mean_of(self, value: Doubles) -> Doubles:
        """The mean of a `value` [n_items] over what each user chose: [n_users], NaN for who chose nothing."""
        n_users = self._world.n_users
        chosen = np.bincount(self.user, minlength=n_users)
        total = np.bincount(self.user, value[self.item], n_users)
        return np.asarray(total / np.where(chosen > 0, chosen, np.nan))

    def state(self) -> dict[str, np.ndarray]:
        """All of it, to go on from."""
        return {"user": self.user, "item": self.item, "night": self._night}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Be as it was when `state` was taken."""
        self.user, self.item, self._night = state["user"], state["item"], state["night"]


def counts(row: Ints | Longs, column: Ints, shape: tuple[int, int]) -> Doubles:
    """How often each pair is there: [shape]."""
    flat = np.bincount(row.astype(np.int64) * shape[1] + column, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64)
