"""A behavior model that fits on a page: what each item is worth to each user stands in a table, but only once."""

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Behavior, Choices, Day, World


class Fans(Behavior):
    """Users come every other day by chance, click what is worth more than half, and find one thing by themselves.

    Who consumed an item has nothing more from it, and every fifth user leaves for good on the tenth night.
    """

    def __init__(self, world: World, table: Doubles, history: Choices | None = None) -> None:
        self.world, self.table = world, table.copy()
        self.pleased = np.zeros(world.n_users, np.bool_)
        self._history = history or Choices.none()

    @classmethod
    def drawn(cls, n_users: int, n_items: int, seed: int = 0) -> "Fans":
        rng = np.random.default_rng(seed)
        world = World(
            arrives=rng.integers(-20, 5, n_users).astype(np.int32),
            born=np.where(np.arange(n_items) < n_items // 2, -1, rng.integers(-1, 25, n_items)).astype(np.int32),
            category=rng.integers(0, 4, n_items).astype(np.int32),
            group=(np.arange(n_users) % 3).astype(np.int32),
        )
        n = 3 * n_users
        history = Choices(
            rng.integers(0, n_users, n).astype(np.int32),
            rng.integers(0, n_items // 2, n).astype(np.int32),
            np.sort(rng.integers(-40, 0, n)).astype(np.int32),
            np.zeros(n, np.int32),
        )
        return cls(world, rng.random((n_users, n_items)), history)

    def history(self) -> Choices:
        return self._history

    def utility(self, users: Ints, items: Ints) -> Doubles:
        return self.table[users, items]

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        visitors = (rng.random(len(lists)) < 0.5) & self.here(night)
        user, place = np.nonzero(visitors[:, None] & (lists != NOTHING))
        item = lists[user, place]
        clicked = self.table[user, item] > 0.5
        own = np.flatnonzero(visitors)
        found = np.flatnonzero(self.world.out(night))[rng.integers(0, int(self.world.out(night).sum()), len(own))]
        chooser = np.concatenate([user[clicked], own]).astype(np.int32)
        chosen = np.concatenate([item[clicked], found]).astype(np.int32)
        rank = np.concatenate([place[clicked] + 1, np.full(len(own), BY_THEMSELVES)]).astype(np.int32)
        choices = Choices(chooser, chosen, np.full(len(chosen), night, np.int32), rank)
        self.pleased[chooser] = True
        worth = self.utility(chooser, chosen)
        self.table[chooser, chosen] = 0.0
        seen = (one.astype(np.int32) for one in (user, item, place + 1))
        return Day(visitors, *seen, clicked, choices, worth)

    def here(self, night: int) -> Bools:
        return (self.world.arrives <= night) & ((np.arange(self.world.n_users) % 5 > 0) | (night < 10))

    def visit_chance(self, night: int) -> Doubles:
        return np.where(self.here(night), np.where(self.pleased, 0.5, 0.25), 0.0)

    def state(self) -> dict[str, np.ndarray]:
        return {"table": self.table, "pleased": self.pleased}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.table, self.pleased = (state[name].copy() for name in ("table", "pleased"))
