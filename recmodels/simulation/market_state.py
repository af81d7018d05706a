"""What changes in a market from day to day."""

from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Bools, Doubles, Floats, Ints
from recmodels.simulation.behavior import Choices, Day
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.population import Items, Users, unit


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

    @classmethod
    def at_first(cls, settings: MarketSettings, users: Users, items: Items) -> Self:
        """Before anything is observed: nobody has had anything, and items are as popular as is usual for their fame."""
        n_users, n_items = len(users.arrives), len(items.born)
        a_day = settings.visits * settings.choices * float(users.activity[users.arrives < 0].sum())
        return cls(
            taste=users.taste.copy(),
            satiation=np.zeros((n_users, int(items.category.max()) + 1), np.float32),
            consumed=np.zeros((n_users, (n_items + 7) // 8), np.uint8),
            mood=np.zeros(n_users),
            gone=np.zeros(n_users, np.bool_),
            last_visit=np.maximum(users.arrives, -settings.history_days - 1),
            popularity=items.fame * a_day / (1 - _left(settings.popularity_half_life)),
        )

    def live(self, settings: MarketSettings, items: Items, day: Day, night: int) -> None:
        """Let a day change tastes, what users have had, and what is popular."""
        user, item = day.choices.user, day.choices.item
        moved = np.unique(user)
        towards = np.float32(settings.drift) * (items.factors[item] - self.taste[user])
        np.add.at(self.taste, user, towards)
        self.taste[moved] = unit(self.taste[moved])

        self.satiation *= np.float32(_left(settings.satiation_half_life))
        np.add.at(self.satiation, (user, items.category[item]), np.float32(1))
        self.consume(user, item)
        self.popularity *= _left(settings.popularity_half_life)
        self.popularity += np.bincount(item, minlength=len(self.popularity))
        self.last_visit[day.visitors] = night

    def remember(self, settings: MarketSettings, items: Items, past: Choices) -> None:
        """Be as after the choices of a past, which tastes are measured by: they do not move."""
        ago = -1.0 - past.night  # days, before the last one
        sated = _left(settings.satiation_half_life) ** ago
        np.add.at(self.satiation, (past.user, items.category[past.item]), sated.astype(np.float32))
        popular = _left(settings.popularity_half_life) ** ago
        self.popularity[:] = np.bincount(past.item, popular, len(self.popularity))
        self.consume(past.user, past.item)
        np.maximum.at(self.last_visit, past.user, past.night)

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


def _left(half_life: float) -> float:
    """What is left after a day, as a share."""
    left: float = 0.5 ** (1 / half_life)
    return left
