"""What the users of all published simulations here have in common: they are there from the first night to the last."""

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints, Longs
from recmodels.simulation.behavior import NOTHING, Behavior, Choices, Day, World


class AllPresent(Behavior):
    """Everybody comes every day and looks at the whole list."""

    def here(self, night: int) -> Bools:
        return np.ones(self.world.n_users, np.bool_)

    def visit_chance(self, night: int) -> Doubles:
        return np.ones(self.world.n_users)

    def day(self, lists: Ints, choices: Choices, worth: Doubles) -> Day:
        """The day on which these lists were seen, and this was chosen, of them or otherwise."""
        user, place = (one.astype(np.int32) for one in np.nonzero(lists != NOTHING))
        chosen = np.zeros(lists.shape, np.bool_)
        listed = choices.rank > 0
        chosen[choices.user[listed], choices.rank[listed] - 1] = True
        return Day(
            visitors=np.ones(len(lists), np.bool_),
            seen_user=user,
            seen_item=lists[user, place],
            seen_rank=place + 1,
            clicked=chosen[user, place],
            choices=choices,
            worth=worth,
        )


def world_of(group: Ints, born: Ints, category: Ints | Longs) -> World:
    """A world of users who are there from the first night."""
    return World(np.zeros(len(group), np.int32), born, category.astype(np.int32), group)
