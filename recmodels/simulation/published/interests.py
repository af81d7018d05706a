"""Users whose interests grow with what they click: Jiang, Chiappa, Lattimore, György & Kohli, AIES 2019.

"Degenerate Feedback Loops in Recommender Systems" (https://arxiv.org/abs/1902.10730).
"""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Doubles, Ints
from recmodels.simulation.behavior import NOTHING, Choices, Day, World
from recmodels.simulation.published.present import AllPresent, world_of

STEP = 0.05  # by which an interest moves with each item that is shown
WIDEST = 1.0  # interests are uniform in [-1, 1] at first


@dataclass
class Reinforced(AllPresent):
    """Whoever is shown an item clicks it with probability sigmoid(μ), where μ is their interest in it, one number an
    item; with a click μ rises by a step, without it μ falls by one. Items are shown again and again.

    A system *degenerates* as |μ_t - μ_0| grows without bound: users are shown, and come to like, ever more of the same.

    Attributes:
        interest: μ, `[n_users, n_items]`.
        first: μ on the night on which an item appeared, `[n_users, n_items]`.
        step: see above.
    """

    world: World
    interest: Doubles
    first: Doubles
    step: float = STEP

    @classmethod
    def drawn(
        cls, seed: int, *, n_users: int = 20, n_items: int = 100, new_items: int = 0, nights: int = 0
    ) -> "Reinforced":
        """Users with independent interests in `n_items` items, and on each of the `nights` in `new_items` more."""
        rng = np.random.default_rng(seed)
        total = n_items + new_items * nights
        interest = rng.uniform(-WIDEST, WIDEST, (n_users, total))
        late = np.arange(total - n_items, dtype=np.int32) // max(new_items, 1) + 1
        born = np.concatenate([np.zeros(n_items, np.int32), late])
        world = world_of(np.zeros(n_users, np.int32), born, np.arange(total, dtype=np.int32))
        return cls(world, interest, interest.copy())

    def history(self) -> Choices:
        return Choices.none()

    def utility(self, users: Ints, items: Ints) -> Doubles:
        return _sigmoid(self.interest[users, items])

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        luck = rng.random(lists.shape)
        user, place = (one.astype(np.int32) for one in np.nonzero(lists != NOTHING))
        item = lists[user, place]
        worth = self.utility(user, item)
        clicked = luck[user, place] < worth
        self.interest[user, item] += np.where(clicked, self.step, -self.step)
        night_of = np.full(int(clicked.sum()), night, np.int32)
        choices = Choices(user[clicked], item[clicked], night_of, place[clicked] + 1)
        return self.day(lists, choices, worth[clicked])

    def state(self) -> dict[str, np.ndarray]:
        return {"interest": self.interest.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.interest = state["interest"].copy()

    def degeneracy(self) -> Doubles:
        """The Euclidean distance of each user's interests from what they were at first: |μ_t - μ_0|, [n_users]."""
        return np.asarray(np.linalg.norm(self.interest - self.first, axis=1))


def _sigmoid(x: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-x)))
