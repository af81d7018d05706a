"""A behavior model of a few lines, whose users like their own category and click what they like by chance."""

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Behavior, Choices, Day, World


class Tiny(Behavior):
    """Users who come every day; each item is liked once. Some users come late, and a new item appears each night."""

    def __init__(self, n_users: int = 40, n_items: int = 60, categories: int = 4, before: int = 3) -> None:
        late = np.arange(n_users) % 8 == 7
        self.world = World(
            arrives=np.where(late, 2, 0).astype(np.int32),
            born=np.maximum(np.arange(n_items) - n_items + 10, 0).astype(np.int32),
            category=(np.arange(n_items) % categories).astype(np.int32),
            group=(np.arange(n_users) % 2).astype(np.int32),
        )
        self.taste = np.arange(n_users) % categories
        self.bored = np.zeros((n_users, n_items), np.int32)
        self.before = before
        self.asked: list[Ints] = []

    def history(self) -> Choices:
        user = np.repeat(np.flatnonzero(self.world.arrives <= 0), self.before)
        night = np.tile(np.arange(-self.before, 0), len(user) // max(1, self.before))
        old = np.flatnonzero(self.world.born <= 0)
        item = old[(7 * user + 3 * night) % len(old)]
        order = np.argsort(night, kind="stable")
        columns = (user, item, night, np.full(len(user), BY_THEMSELVES))
        return Choices(*(column[order].astype(np.int32) for column in columns))

    def utility(self, users: Ints, items: Ints) -> Doubles:
        liked = self.world.category[items] == self.taste[users]
        return np.where(liked, 1.0 / (1 + self.bored[users, items]), 0.01 * items / self.world.n_items)

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        self.asked.append(lists.copy())
        luck, own = rng.random(lists.shape), rng.random(len(lists))
        user, place = np.nonzero(lists != NOTHING)
        item = lists[user, place].astype(np.int32)
        clicked = luck[user, place] < 0.5 * self.utility(user.astype(np.int32), item)
        finders = np.flatnonzero(self.here(night)).astype(np.int32)
        out = np.flatnonzero(self.world.out(night)).astype(np.int32)
        found = out[(own[finders] * len(out)).astype(np.int64)]
        chosen, others = np.flatnonzero(clicked), np.full(len(finders), BY_THEMSELVES)
        choices = Choices(
            np.concatenate([user[chosen], finders]).astype(np.int32),
            np.concatenate([item[chosen], found]).astype(np.int32),
            np.full(len(chosen) + len(finders), night, np.int32),
            np.concatenate([place[chosen] + 1, others]).astype(np.int32),
        )
        worth = self.utility(choices.user, choices.item)
        np.add.at(self.bored, (choices.user, choices.item), 1)
        ranks = (place + 1).astype(np.int32)
        return Day(self.here(night), user.astype(np.int32), item, ranks, clicked, choices, worth)

    def here(self, night: int) -> Bools:
        return self.world.arrives <= night

    def visit_chance(self, night: int) -> Doubles:
        return self.here(night).astype(np.float64)

    def state(self) -> dict[str, np.ndarray]:
        return {"bored": self.bored.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.bored = state["bored"].copy()
