"""How simulated users behave: the interface of a behavior model, and what it tells of a day.

A behavior model knows what users like, which no recommender sees. Each night it is given everybody's lists, and says
what was seen, what was chosen, and who comes again. Write one's own by subclassing `Behavior`; everything else of a
simulation (policies, retraining, measures, resuming) works with it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Floats, Ints

NOTHING = -1
"""An empty place of a list."""

BY_THEMSELVES = 0
"""The rank of a choice that users found without their list."""


@dataclass(frozen=True)
class World:
    """Who and what takes part, for as long as it goes: users and items by index, those who come late included.

    Attributes:
        arrives: the night on which each user comes for the first time, 0 or less for those who were there before,
            int32 `[n_users]`.
        born: the night on which each item appears, 0 or less for those that were there before, int32 `[n_items]`.
        category: of each item, from 0, int32 `[n_items]`.
        group: of each user, from 0, to see who bears an effect, int32 `[n_users]`.
    """

    arrives: Ints
    born: Ints
    category: Ints
    group: Ints

    @property
    def n_users(self) -> int:
        return len(self.arrives)

    @property
    def n_items(self) -> int:
        return len(self.born)

    def out(self, night: int) -> Bools:
        """The items that may be shown on a night. [n_items]"""
        return self.born <= night


@dataclass(frozen=True)
class Choices:
    """What users consumed, in order of time.

    Attributes:
        user, item: int32 `[n]`.
        night: on whose day it was; below 0 before the first night, int32 `[n]`.
        rank: the place of the user's list that it was found in, from 1, or `BY_THEMSELVES`, int32 `[n]`.
    """

    user: Ints
    item: Ints
    night: Ints
    rank: Ints

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def none(cls) -> Self:
        return cls(*(np.empty(0, np.int32) for _ in fields(cls)))

    @classmethod
    def joined(cls, parts: "list[Choices]") -> Self:
        """Parts one after the other, in order of time."""
        whole = [cls.none(), *parts]
        return cls(*(np.concatenate([getattr(part, field.name) for part in whole]) for field in fields(cls)))


@dataclass(frozen=True)
class Day:
    """What happened on the day of a night's lists.

    Attributes:
        visitors: who came, bool `[n_users]`.
        seen_user, seen_item, seen_rank: the places of lists that were looked at, in order of time, int32 `[n_seen]`.
        clicked: whether what was seen was chosen, bool `[n_seen]`.
        choices: what was chosen, from lists (all that was clicked) and otherwise.
        worth: the `utility` of each of them to its user, as they found it when they chose, float64 `[len(choices)]`.
    """

    visitors: Bools
    seen_user: Ints
    seen_item: Ints
    seen_rank: Ints
    clicked: Bools
    choices: Choices
    worth: Doubles


class Behavior(ABC):
    """A behavior model: what users like, what they choose of their lists and by themselves, and when they come again.

    Attributes:
        world: who and what takes part.
    """

    world: World

    @abstractmethod
    def history(self) -> Choices:
        """What was chosen before the first night, on nights below 0; models learn from it first."""

    @abstractmethod
    def utility(self, users: Ints, items: Ints) -> Doubles:
        """What it is worth to each of `users` to consume the item beside it now, as they find it when they do: [n].

        The truth that lists are measured by. Only a policy that is meant to know everything may ask. `react` changes
        it; what the choices of a day were worth on that day is in `Day.worth`.
        """

    def utilities(self, users: Ints) -> Floats:
        """`utility` of all items to each of `users`, float32 [n, n_items]; write one's own where that is faster."""
        n_items = self.world.n_items
        items = np.tile(np.arange(n_items, dtype=np.int32), len(users))
        return self.utility(np.repeat(users, n_items), items).reshape(len(users), n_items).astype(np.float32)

    def texts(self) -> list[str]:
        """What can be read of each item, for models that read: [n_items]. Its category, unless written otherwise."""
        return [f"category {number}" for number in self.world.category.tolist()]

    @abstractmethod
    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        """Let the day after a night happen, and users be changed by it.

        Draw for all users and places whatever is shown, in the same order, so that policies that are compared with the
        same `rng` meet the same chances (common random numbers).

        Args:
            lists: everybody's items, best first, `NOTHING` in empty places and for who is not there, int32
                `[n_users, k]`; none twice in a list, and none that is not out yet.
            night: from 0, one after the other.
            rng: chances of this day, the same for all policies.
        """

    @abstractmethod
    def here(self, night: int) -> Bools:
        """Who has come by that night and not left for good, as far as the site can know: they get lists. [n_users]"""

    @abstractmethod
    def visit_chance(self, night: int) -> Doubles:
        """The probability that each user comes on that day, 0 for those who are not there. [n_users]"""

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """All that changes with the days, so that a simulation can go on where it stopped."""

    @abstractmethod
    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Be as it was when `state` was taken."""
