"""A behavior model of one's own: collectors, who come until they have been disappointed too often."""

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Behavior, Choices, Day, World

CATEGORIES = 5


class Collectors(Behavior):
    """Each user collects one category: an item of it is worth 0.8 to them, another 0.1, and one that they have nothing.

    They look at all of their list and take each item with the probability of what it is worth to them. Whoever came and
    took nothing comes half as often from then on.

    Attributes:
        patience: the probability of a visit, for each user; it changes.
        owned: what users have, bool [n_users, n_items]; it changes.
    """

    def __init__(self, *, users: int, items: int, nights: int, seed: int, visits: float = 0.5) -> None:
        """All here from the first night on; `visits` is the probability that a user comes on a day."""
        rng = np.random.default_rng(seed)
        self.world = World(
            arrives=np.full(users, -1, np.int32),
            born=np.full(items, -1, np.int32),
            category=rng.integers(CATEGORIES, size=items, dtype=np.int32),
            group=np.zeros(users, np.int32),
        )
        self.collects = rng.integers(CATEGORIES, size=users, dtype=np.int32)
        self.patience = np.full(users, visits)
        self.owned = np.zeros((users, items), np.bool_)
        first = rng.integers(items, size=users, dtype=np.int32)  # each has one item
        self.owned[np.arange(users), first] = True
        self._first = Choices(
            user=np.arange(users, dtype=np.int32),
            item=first,
            night=np.full(users, -1, np.int32),
            rank=np.full(users, BY_THEMSELVES, np.int32),
        )

    def history(self) -> Choices:
        return self._first

    def utility(self, users: Ints, items: Ints) -> Doubles:
        liked = np.where(self.world.category[items] == self.collects[users], 0.8, 0.1)
        return np.where(self.owned[users, items], 0.0, liked)

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        comes = rng.random(len(lists)) < self.visit_chance(night)
        luck = rng.random(lists.shape)  # for every place of every list, whether it is looked at or not
        user, place = (index.astype(np.int32) for index in np.nonzero(comes[:, None] & (lists != NOTHING)))
        item = lists[user, place]
        worth = self.utility(user, item)  # before anything changes
        taken = luck[user, place] < worth

        self.owned[user[taken], item[taken]] = True
        disappointed = comes & ~np.isin(np.arange(len(lists)), user[taken])
        self.patience[disappointed] /= 2
        nights = np.full(int(taken.sum()), night, np.int32)
        choices = Choices(user[taken], item[taken], nights, place[taken] + 1)
        return Day(comes, user, item, place + 1, taken, choices, worth[taken])

    def here(self, night: int) -> Bools:
        return np.ones(self.world.n_users, np.bool_)

    def visit_chance(self, night: int) -> Doubles:
        return self.patience

    def state(self) -> dict[str, np.ndarray]:
        return {"patience": self.patience.copy(), "owned": self.owned.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.patience, self.owned = state["patience"].copy(), state["owned"].copy()
