"""One policy until a night, and another from then on: what a site does when its champion changes."""

import numpy as np

from recmodels.errors import ConfigError
from recmodels.simulation.behavior import Day
from recmodels.simulation.checkpoint import prefixed, within
from recmodels.simulation.known import Known
from recmodels.simulation.policies.base import Lists, Policy


class Switched(Policy):
    """The lists of `first` until a night, and those of `then` from that night on.

    Only the one that is in charge learns; the other learns on the night of the switch from all that is known by then.
    """

    def __init__(self, first: Policy, night: int, then: Policy, *, name: str | None = None) -> None:
        """Switch on a night, from 1; the name is `<first>_then_<then>` by default."""
        if night < 1:
            raise ConfigError(f"The night of a switch is {night}; give 1 or more.")
        self.first, self.night, self.then = first, night, then
        self.name = name or f"{first.name}_then_{then.name}"
        self.switched = False

    @property
    def about(self) -> str:
        """What it is, in a line."""
        return f"{self.first.about} until {self.night}, {self.then.about}"

    def learn(self, night: int, known: Known, rng: np.random.Generator) -> None:
        self.switched = self.switched or night >= self.night
        self._in_charge(night).learn(night, known, rng)

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        if night >= self.night and not self.switched:
            learning, rng = rng.spawn(2)
            self.learn(night, known, learning)
        return self._in_charge(night).lists(night, known, k, rng)

    def happened(self, night: int, lists: Lists, day: Day) -> None:
        self._in_charge(night).happened(night, lists, day)

    def _in_charge(self, night: int) -> Policy:
        return self.then if night >= self.night else self.first

    def state(self) -> dict[str, np.ndarray]:
        own = {"switched": np.array(self.switched)}
        return own | prefixed("first", self.first.state()) | prefixed("then", self.then.state())

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.switched = bool(state["switched"])
        self.first.restore(within("first", state))
        self.then.restore(within("then", state))
