"""The places that exploration drew and that users saw: what could have stood there, what did, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recmodels.offpolicy.log import Floats

NOTHING = -1


@dataclass(frozen=True)
class Drawn:
    """Events [n] with their options [m], ordered by event.

    An event is a user's list of one night, however often it was seen: what came of it may bring the user back, and that
    is no event of its own. Its options are the usual item and what the models proposed.

    Attributes:
        rewards: what came of each event, float64 `[n]`.
        users: the number of its user, int64 `[n]`.
        exports: the number of its export, int64 `[n]`.
        shown: the option that was shown, int64 `[n]`.
        usual: the option that stands there without exploration, int64 `[n]`.
        events: the event of each option, int64 `[m]`.
        chances: how likely each option was to be shown, float64 `[m]`.
        votes: how many models propose it, int64 `[m]`.
        features: what was known of it before, float32 `[m, d]`.
        proposals: by model the option that it proposes, the usual one where it has none, -1 in exports to which it
            proposed nothing at all, int64 `[n]`.
        champions: the model of each export.
        reward: what the rewards are: clicked, outcome or interaction.
        assumed: whether the exposures are assumed.
        share: the share of the users of the log that the events are of.
        other_logs: how many nights have logged other rewards, and are left out.
        left_out: how many lists that were seen do not fit to what was drawn.
        first: when the first of them was seen, µs since 1970.
        last: when the last one was.
    """

    rewards: Floats
    users: NDArray[np.int64]
    exports: NDArray[np.int64]
    shown: NDArray[np.int64]
    usual: NDArray[np.int64]
    events: NDArray[np.int64]
    chances: Floats
    votes: NDArray[np.int64]
    features: NDArray[np.float32]
    proposals: dict[str, NDArray[np.int64]]
    champions: list[str]
    reward: str
    assumed: bool
    share: float
    other_logs: int
    left_out: int
    first: int
    last: int

    @property
    def n(self) -> int:
        return len(self.rewards)

    @property
    def propensities(self) -> Floats:
        """How likely what was shown was to be, float64 `[n]`."""
        return self.chances[self.shown]

    @property
    def models(self) -> list[str]:
        """The models that the log knows: those that proposed, and the champions."""
        return list(dict.fromkeys([*(name for name in self.champions if name), *self.proposals]))

    def choices(self, model: str) -> NDArray[np.int64]:
        """The option that a model chooses in each event: the usual one of its own lists; -1 where none is known."""
        own = np.array([champion == model for champion in self.champions], np.bool_)[self.exports]
        return np.where(own, self.usual, self.proposals.get(model, np.full(self.n, NOTHING)))
