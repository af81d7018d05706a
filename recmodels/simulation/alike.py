"""How alike users' lists are, night after night in the same pairs of users."""

import numpy as np

from recmodels.data.arrays import Doubles, Ints
from recmodels.metrics.long_term import jaccard
from recmodels.simulation.behavior import World


class Alike:
    """Pairs of users who were there on the first night, each user beside one other, drawn at random.

    Args:
        world: who and what takes part.
        seed: of the pairs; the same for all policies that are compared.
    """

    def __init__(self, world: World, seed: int) -> None:
        early = np.flatnonzero(world.arrives <= 0).astype(np.int32)
        circle = np.random.default_rng(seed).permutation(early)
        self._pairs = np.stack([circle, np.roll(circle, 1)], axis=1)
        self._first = np.full(world.n_users, np.nan)
        self._begun = False

    def add(self, lists: Ints) -> tuple[Doubles, Doubles]:
        """The overlap of each user's list with that of the other, and how much larger it is than on the first night.

        NaN where there is no pair, or no list. Both are [n_users].
        """
        overlap = np.full(len(lists), np.nan)
        if len(self._pairs) > 1:
            overlap[self._pairs[:, 0]] = jaccard(lists, self._pairs)
        if not self._begun:
            self._first, self._begun = overlap, True
        return overlap, overlap - self._first

    def state(self) -> dict[str, np.ndarray]:
        """All that changes, to go on from."""
        return {"first": self._first, "begun": np.array(self._begun)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Be as it was when `state` was taken."""
        self._first, self._begun = state["first"], bool(state["begun"])
