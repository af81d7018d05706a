"""Chances that belong to what they decide, not to the order in which they are drawn.

Each is a hash of the day's key and of the numbers that name it (which user, which place). So the same user meets the
same chance at the same place whoever else comes and whatever is shown, and only those that are needed are computed.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recmodels.data.arrays import Doubles

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_UNIT = 2.0**-53


class Of(IntEnum):
    """What a chance decides."""

    VISIT = 0
    START = 1
    CHOICES = 2
    ADOPTION = 3
    DEPTH = 4
    PLACE = 5
    OUTSIDE = 6
    WAY = 7
    CATEGORY = 8
    ITEM = 9
    OWN_CHOICE = 10
    LEAVING = 11
    IMAGINED = 12


@dataclass(frozen=True)
class Chances:
    """The chances of one day, or of a whole simulation."""

    key: int

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        return cls(int(rng.integers(2**63)))

    def uniform(self, of: Of, *names: ArrayLike) -> Doubles:
        """A number in (0, 1) for each combination of the names, which are whole numbers and are broadcast."""
        mixed = _named(np.array([self.key], np.uint64), of)
        for name in names:
            mixed = _named(mixed, name)
        return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * _UNIT

    def gumbel(self, of: Of, *names: ArrayLike) -> Doubles:
        """A number of the standard Gumbel distribution for each of them: the greatest of utilities to which such are
        added is that of a logit choice."""
        found: Doubles = -np.log(-np.log(self.uniform(of, *names)))
        return found


def _named(state: NDArray[np.uint64], name: ArrayLike) -> NDArray[np.uint64]:
    """Element number `name` of the stream that begins at `state`: SplitMix64 (Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):  # it counts modulo 2^64
        x = state + _GOLDEN * (np.asarray(name).astype(np.uint64) + np.uint64(1))
        x = (x ^ (x >> np.uint64(30))) * _MIX[0]
        x = (x ^ (x >> np.uint64(27))) * _MIX[1]
        mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
    return mixed
