"""What decides on the lists of a night, and the lists that it makes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Doubles, Floats, Ints
from recmodels.ranking.topk import top_k
from recmodels.simulation.behavior import NOTHING, Day
from recmodels.simulation.known import Known

SCORES = 2**22
"""How many scores of users and items are in memory at a time."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The place of each list that was drawn, and what from: all that off-policy evaluation asks for.

    Attributes:
        slot: the place that is drawn, from 0; `NOTHING` for users without one, int32 `[n_users]`.
        usual: the item that would be there without exploration, int32 `[n_users]`.
        explored: whether the place was drawn from the proposals, bool `[n_users]`.
        names: of the proposers.
        proposals: the item that each proposes, `NOTHING` for none, int32 `[n_users, n_proposers]`.
        shares: how probable each proposal is where one is drawn, float64 `[n_users, n_proposers]`.
    """

    slot: Ints
    usual: Ints
    explored: Bools
    names: tuple[str, ...]
    proposals: Ints
    shares: Doubles


@dataclass(frozen=True, eq=False)
class Lists:
    """Everybody's lists of a night.

    Attributes:
        items: best first, `NOTHING` in empty places and for who is not there, int32 `[n_users, k]`.
        propensity: the probability with which each item came to its place, None where nothing is drawn, float32
            `[n_users, k]`.
        drawn: how, None where nothing is.
    """

    items: Ints
    propensity: Floats | None = None
    drawn: Drawn | None = None


class Policy(ABC):
    """Decides on everybody's lists, from what the site knows.

    Attributes:
        name: what it is called beside other policies; its own chances follow from it.
    """

    name: str

    @property
    def about(self) -> str:
        """What it is, in a line: a simulation goes on only with the policy that it was of."""
        return f"{type(self).__name__} {self.name}"

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:  # noqa: B027  # some know all already
        """Learn from what is known on a night; called on those nights only on which it is to."""

    @abstractmethod
    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        """The lists of a night, for the users who are here; `rng` is of this night and policy alone."""

    def happened(self, night: int, lists: Lists, day: Day) -> None:  # noqa: B027  # few ask
        """What came of the lists; called every night."""

    def state(self) -> dict[str, np.ndarray]:
        """All that it has learned, so that a simulation can go on where it stopped."""
        return {}

    def restore(self, state: dict[str, np.ndarray]) -> None:  # noqa: B027  # where there is nothing to restore
        """Be as it was when `state` was taken."""


def ranked(known: Known, k: int, scored: Callable[[Ints], NDArray[np.floating]]) -> Lists:
    """Lists of the k items that are scored highest, for the users who are here; `scored` gives [n, n_items]."""
    n_items = len(known.out)
    items: Ints = np.full((len(known.here), k), NOTHING, np.int32)
    step = max(1, SCORES // max(1, n_items))
    for users in (known.users[i : i + step] for i in range(0, len(known.users), step)):
        items[users] = top_k(known.listed(scored(users), users), k).items
    return Lists(items)
