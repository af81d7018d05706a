"""Policies that learn nothing: one that knows nothing, and one that knows everything."""

import numpy as np

from recmodels.simulation.behavior import Behavior
from recmodels.simulation.known import Known
from recmodels.simulation.policies.base import Lists, Policy, ranked


class Random(Policy):
    """Any of the items that are out, all alike."""

    def __init__(self, name: str = "random") -> None:
        self.name = name

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        return ranked(known, k, lambda users: rng.random((len(users), len(known.out)), np.float32))


class Oracle(Policy):
    """What is worth most to each user tonight, by the truth: no site can do better on that day."""

    def __init__(self, behavior: Behavior, name: str = "oracle") -> None:
        """Of the very `behavior` that is simulated, whose users change."""
        self.name, self.behavior = name, behavior

    def lists(self, night: int, known: Known, k: int, rng: np.random.Generator) -> Lists:
        return ranked(known, k, self.behavior.utilities)
