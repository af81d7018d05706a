"""A recommender as a site would write it in a module of its own."""

MARGIN = '''
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge

from recmodels.base import Recommender
from recmodels.parameters import Search


@dataclass
class Margin(Recommender):
    """Items in the order of their popularity, to a power."""

    power: Annotated[float, Ge(0), Search(0.0, 2.0)] = 1.0
    """How much more popular items count."""

    needs_history = False

    def _fit(self, data, options):
        self.scores_ = (np.bincount(data.item_index, minlength=data.n_items) ** self.power).astype(np.float32)

    def _score(self, data, users):
        return np.tile(self.scores_, (len(users), 1))

    def memory_needed(self, n_users, n_items, n_interactions):
        return 8 * n_items


class Plain(Margin):
    bonus: int = 1


@dataclass
class Unfinished(Recommender):
    pass


NUMBER = 3
'''
