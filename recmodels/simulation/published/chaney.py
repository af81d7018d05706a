"""Users who choose what seems best to them and stands high: Chaney, Stewart & Engelhardt, RecSys 2018.

"How Algorithmic Confounding in Recommendation Systems Increases Homogeneity and Decreases Utility"
(https://arxiv.org/abs/1710.11214). Where the paper leaves a number open, it is that of the replication with T-RECS
(Lucherini et al., 2021; https://github.com/sunnymatt/t-recs-experiments).
"""

from dataclasses import dataclass, field

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Ints
from recmodels.simulation.behavior import NOTHING, Choices, Day, World
from recmodels.simulation.published.present import AllPresent, world_of

ATTENTION = 0.8  # a user weighs the place r of a list by r^-0.8
KNOWN = 0.98  # mean share of an item's utility that a user knows before they consume it
SPREAD = 1e-5  # of utilities and known shares around their means
TASTES, THEMES = 10.0, 0.1  # concentration of users' preferences, and of items' attributes
LEAST = 1e-9  # a mean utility is not less


@dataclass
class Confounded(AllPresent):
    """Each day everybody chooses one item that they have not had: the one with the most known utility · attention.

    The utility of an item is Beta-distributed around the product of the user's preferences and the item's attributes.
    Users know most of it, and nothing of it ever changes: whatever comes of a loop is the doing of what is listed.

    Attributes:
        preferences: of the users, rows that add up to 1, `[n_users, n_attributes]`.
        attributes: of the items, likewise, `[n_items, n_attributes]`.
        worth: the true utility, in [0, 1], `[n_users, n_items]`.
        known: what the users know of it, `[n_users, n_items]`.
        consumed: what they have had, bool `[n_users, n_items]`.
    """

    world: World
    preferences: Doubles
    attributes: Doubles
    worth: Doubles
    known: Doubles
    consumed: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.consumed = np.zeros(self.worth.shape, np.bool_)

    @classmethod
    def drawn(
        cls, seed: int, *, n_users: int = 100, n_attributes: int = 20, new_items: int = 10, nights: int = 100
    ) -> "Confounded":
        """Users and items of the replication: on each of the `nights` there are `new_items` more.

        Preferences ~ Dirichlet(10 · Dirichlet(1)), attributes ~ Dirichlet(.1 · Dirichlet(100)).
        """
        rng = np.random.default_rng(seed)
        n_items = new_items * nights
        preferences = rng.dirichlet(TASTES * rng.dirichlet(np.ones(n_attributes)), n_users)
        attributes = rng.dirichlet(THEMES * rng.dirichlet(np.full(n_attributes, 100.0)), n_items)
        mean = np.maximum(preferences @ attributes.T, LEAST)
        worth = _beta(mean, rng)
        known = worth * _beta(np.full(mean.shape, KNOWN), rng)
        born = np.arange(n_items, dtype=np.int32) // new_items
        world = world_of(np.zeros(n_users, np.int32), born, attributes.argmax(axis=1))
        return cls(world, preferences, attributes, worth, known)

    def history(self) -> Choices:
        return Choices.none()

    def utility(self, users: Ints, items: Ints) -> Doubles:
        return self.worth[users, items]

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        n_users, k = lists.shape
        user = np.arange(n_users, dtype=np.int32)
        there = lists != NOTHING
        items = np.where(there, lists, 0)
        appeal = self.known[user[:, None], items] * (1 + np.arange(k)) ** -ATTENTION
        appeal[~there | self.consumed[user[:, None], items]] = -np.inf
        place = appeal.argmax(axis=1)
        chooses = appeal[user, place] > -np.inf
        user, place = user[chooses], place[chooses].astype(np.int32)
        item = lists[user, place]
        self.consumed[user, item] = True
        choices = Choices(user, item, np.full(len(user), night, np.int32), place + 1)
        return self.day(lists, choices, self.worth[user, item])

    def state(self) -> dict[str, np.ndarray]:
        return {"consumed": self.consumed.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.consumed = state["consumed"].copy()


def _beta(mean: Doubles, rng: np.random.Generator) -> Doubles:
    """Draws of the Beta distribution in the paper's terms: by its mean and `SPREAD`."""
    alpha = ((1 - mean) / SPREAD**2 - 1 / mean) * mean**2
    return rng.beta(alpha, alpha * (1 / mean - 1))
