"""What changes in a market from day to day."""

from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Doubles, Floats, Ints


@dataclass(eq=False)
class MarketState:
    """What the days have made of users and items.

    Attributes:
        taste: vectors of length 1, float32 `[n_users, dimensions]`.
        satiation: what each consumed lately of each category, float32 `[n_users, n_categories]`.
        consumed: a bit a pair, set where the user has consumed the item, uint8 `[n_users, ceil(n_items / 8)]`.
        mood: how satisfied each was lately, float64 `[n_users]`.
        gone: who has left for good, bool `[n_users]`.
        last_visit: the night of the last visit, int32 `[n_users]`.
        popularity: choices of each item, the older ones counting less, float64 `[n_items]`.
    """

    taste: Floats
    satiation: Floats
    consumed: NDArray[np.uint8]
    mood: Doubles
    gone: Bools
    last_visit: Ints
    popularity: Doubles

    def has(self, users: Ints, items: Ints) -> Bools:
        """Whether each of `users` has consumed the item beside it; the two are broadcast."""
        found: Bools = (self.consumed[users, items >> 3] >> (items & 7).astype(np.uint8)) & 1 == 1
        return found

    def all_of(self, users: Ints) -> Bools:
        """What each of `users` has consumed: [n, n_items]."""
        bits = np.unpackbits(self.consumed[users], axis=1, count=len(self.popularity), bitorder="little")
        return bits.view(np.bool_)

    def consume(self, users: Ints, items: Ints) -> None:
        bit = (np.uint8(1) << (items & 7).astype(np.uint8)).astype(np.uint8)
        np.bitwise_or.at(self.consumed, (users, items >> 3), bit)

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: array.copy() for name, array in asdict(self).items()}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        return cls(**{field.name: arrays[field.name].copy() for field in fields(cls)})
