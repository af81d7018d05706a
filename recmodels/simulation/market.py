"""The default behavior model: people with tastes that move, in a market of good and bad items.

With x_u the taste of a user and z_i the vector of an item, both of length 1, q_i its quality, c its category:

    utility = 1 / (1 + exp(-v)),  v = base + match x_u·z_i + quality q_i - satiation s_u t_uc - boredom [consumed]

t_uc counts what was consumed lately of the category, and s_u how soon the user wants something else. What users expect
before they consume is known · v + (1 - known) · what they imagine. They choose by logit; see `choosing`. What follows
from their choices is in `market_state`.

Users touch each other only through popularity, and that only from the next day on: with social = 0 nobody's days depend
on anybody else's lists.
"""

from typing import Self

import numpy as np
from scipy.special import expit

from recmodels.data.arrays import Bools, Doubles, Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.simulation.behavior import BY_THEMSELVES, NOTHING, Behavior, Choices, Day
from recmodels.simulation.chances import Chances, Of
from recmodels.simulation.choosing import Shelves, from_lists, intents, own_choices
from recmodels.simulation.fit_check import Fit
from recmodels.simulation.fitting import Lived, fitted
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.market_state import MarketState
from recmodels.simulation.population import Items, Users, generate_items, generate_users, world_of

_TINY = np.finfo(np.float64).tiny
_AT_A_TIME = 4096  # visitors, whose choices are in memory together
_PAIRS = 10_000  # of which the spread of values is measured, for what users imagine
_LOGISTIC = np.sqrt(3) / np.pi  # the scale of a logistic distribution of standard deviation 1
_FORGOTTEN = 28  # days without a visit after which the site takes a user that has left for one who has
_PRIOR_VISITS = 5.0  # of usual satisfaction, added to a user's own in the history


class Market(Behavior):
    """People with tastes that move, in a market of good and bad items.

    Args:
        settings: what is assumed of them.
        users: who chooses.
        items: what there is.
        key: of what is decided once: what users imagine of items, and the days before the first night.
        past: what was chosen before the first night; None: what these users do without lists in `history_days`.

    Attributes:
        fit: how like a site it is; None where it is made up.
    """

    fit: Fit | None = None

    def __init__(
        self, settings: MarketSettings, users: Users, items: Items, key: int, past: Choices | None = None
    ) -> None:
        self.settings, self.users, self.items, self.key = settings, users, items, key
        self.world = world_of(users, items)
        self._imagination = Chances(key)
        self._middles = _middles(items)  # [n_categories, dimensions]
        self._usual = np.zeros(self.world.n_users)  # mood, of each user
        self._state = MarketState.at_first(settings, users, items)
        self._imagined = self._spread(np.random.default_rng(key))
        self._past = self._lived(key) if past is None else self._remembered(past, key)

    @classmethod
    def generated(cls, settings: MarketSettings, n_users: int, n_items: int, seed: int, nights: int = 100) -> Self:
        """A market that is made up.

        Args:
            settings: what is assumed of it.
            n_users: in all, those included who come within `nights` nights; so for items.
            n_items: in all.
            seed: of everything that is drawn.
            nights: for how many nights there are new users and new items.
        """
        rng = np.random.default_rng(seed)
        of_items, of_users, of_days = rng.spawn(3)
        items = generate_items(settings, n_items, nights, of_items)
        users = generate_users(settings, items, n_users, nights, of_users)
        return cls(settings, users, items, int(of_days.integers(2**63)))

    @classmethod
    def fitted(
        cls,
        data: Dataset,
        settings: MarketSettings,
        seed: int,
        nights: int = 100,
        *,
        texts: list[str] | None = None,
        category: Ints | None = None,
    ) -> Self:
        """A market of a site's own users and items, in the order of `data`; `fit` says how like the site it is.

        The settings `visits`, `choices`, `new_users`, `new_items`, `match`, `quality` and `base` are measured, where
        they have their defaults. Those who are new in the nights to come are users and items of the site, drawn by lot,
        whose past is left out.

        Args:
            data: the site's interactions, of some thousand users at most: it takes some four seconds a thousand.
            settings: what is not measured.
            seed: of everything that is drawn.
            nights: for how many nights there are new users and new items.
            texts: what can be read of each item.
            category: of each item, from 0; the rarer ones become one. By default, clusters of items that are chosen by
                the same users.

        Raises:
            DataRefused: the interactions are of less than two days, or have no times.
        """
        key = int(np.random.default_rng(seed).integers(2**63))

        def live(tried: MarketSettings, users: Users, items: Items, past: Choices | None) -> Lived:
            market = cls(tried, users, items, key, past)
            return market._past, float(market._usual.mean())

        found = fitted(data, settings, seed, nights, texts, category, live)
        market = cls(found.settings, found.users, found.items, key, found.past)
        market.fit = found.fit
        return market

    def history(self) -> Choices:
        return self._past

    def texts(self) -> list[str]:
        return self.items.texts

    def utility(self, users: Ints, items: Ints) -> Doubles:
        return expit(self._value(users, items) - self._weariness(users, items))

    def utilities(self, users: Ints) -> Floats:
        settings, state = self.settings, self._state
        value = np.float32(settings.match) * (state.taste[users] @ self.items.factors.T)
        value += np.float32(settings.base) + np.float32(settings.quality) * self.items.quality
        tired = np.float32(settings.satiation) * self.users.restless[users, None] * state.satiation[users]
        value -= tired[:, self.items.category]
        lost = np.float32(np.inf if settings.boredom is None else settings.boredom)
        np.subtract(value, lost, out=value, where=state.all_of(users))
        return expit(value)

    def here(self, night: int) -> Bools:
        noticed = self._state.gone & (night - self._state.last_visit > _FORGOTTEN)
        return (self.world.arrives <= night) & ~noticed

    def visit_chance(self, night: int) -> Doubles:
        """On the night of their arrival all come."""
        better = self._state.mood - self._usual
        rate = self.settings.visits * self.users.activity * np.exp(self.settings.loyalty * better)
        chance = np.where(self._state.gone, 0.0, -np.expm1(-rate))
        arrives = self.world.arrives
        return np.where(arrives == night, 1.0, np.where(arrives < night, chance, 0.0))

    def react(self, lists: Ints, night: int, rng: np.random.Generator) -> Day:
        """All chances follow from one draw of `rng` and from who and what they are for: see `chances`."""
        chances = Chances.drawn(rng)
        day = self._day(lists, night, chances)
        if self.settings.feedback:
            self._state.live(self.settings, self.items, day, night)
            self._feel(day, night, chances)
        return day

    def state(self) -> dict[str, np.ndarray]:
        return self._state.arrays()

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self._state = MarketState.of_arrays(state)

    # What is worth what

    def _value(self, users: Ints, items: Ints) -> Doubles:
        """What an item is worth to users who are not tired of anything, in points; the two are broadcast."""
        match = np.einsum("...d,...d->...", self._state.taste[users], self.items.factors[items])
        value: Doubles = self.settings.base + self.settings.match * match.astype(np.float64)
        return value + self.settings.quality * self.items.quality[items]

    def _weariness(self, users: Ints, items: Ints) -> Doubles:
        """What it loses since they had it, or much of its kind, in points."""
        settings, state = self.settings, self._state
        lately = state.satiation[users, self.items.category[items]].astype(np.float64)
        lost = np.inf if settings.boredom is None else settings.boredom
        again = np.where(state.has(users, items), lost, 0.0)
        return settings.satiation * self.users.restless[users] * lately + again

    def _expected(self, users: Ints, items: Ints) -> Doubles:
        """What users expect of items before they consume them, in points."""
        value, known = self._value(users, items), self.settings.known
        if known < 1:
            chance = self._imagination.uniform(Of.IMAGINED, users, items)
            mean, spread = self._imagined
            value = known * value + (1 - known) * (mean + spread * _LOGISTIC * np.log(chance / (1 - chance)))
        return value - self._weariness(users, items)

    def _liking(self, users: Ints, there: Bools) -> Doubles:
        """How often users look for something in each category, as running shares [n, n_categories]."""
        fit = np.einsum("ud,cd->uc", self._state.taste[users], self._middles)
        tired = self.settings.satiation * self.users.restless[users, None] * self._state.satiation[users]
        liking = self.settings.match * fit - tired
        weight = np.exp(liking - liking.max(axis=1, keepdims=True)) * there
        upto: Doubles = np.cumsum(weight, axis=1, dtype=np.float64)
        return upto / np.maximum(upto[:, -1:], _TINY)

    # A day

    def _day(self, lists: Ints, night: int, chances: Chances) -> Day:
        everybody = np.arange(self.world.n_users, dtype=np.int32)
        comes = chances.uniform(Of.VISIT, everybody) < self.visit_chance(night)
        visitors = everybody[comes]
        visitors = visitors[np.argsort(chances.uniform(Of.START, visitors), kind="stable")]
        shelves = Shelves.of(
            self.world.out(night),
            self.world.category,
            len(self._middles),
            (self._state.popularity + 1) ** self.settings.social,
        )
        parts = [
            self._visits(visitors[start : start + _AT_A_TIME], lists, night, shelves, chances)
            for start in range(0, max(len(visitors), 1), _AT_A_TIME)
        ]
        choices = Choices.joined([part.choices for part in parts])
        seen = ("seen_user", "seen_item", "seen_rank", "clicked")
        return Day(
            visitors=comes,
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in seen},
            choices=choices,
            worth=self.utility(choices.user, choices.item),
        )

    def _visits(self, visitors: Ints, lists: Ints, night: int, shelves: Shelves, chances: Chances) -> Day:
        """What some visitors do, one after the other; what it is worth is left out."""
        settings = self.settings
        shown = lists[visitors]
        intent = intents(settings, visitors, chances)
        expected = self._expected(visitors[:, None], np.maximum(shown, 0))
        found = from_lists(settings, visitors, shown, expected, intent.at_list, chances)

        left = intent.choices - found.taken.sum(axis=1) if len(shelves.items) else np.zeros(len(visitors), np.int64)
        row = np.repeat(np.arange(len(visitors)), left)
        slot = np.arange(len(row)) - np.repeat(np.cumsum(left) - left, left)
        own_user = visitors[row]
        liking = self._liking(visitors, np.diff(shelves.first) > 0)
        items = shelves.considered(settings, liking[row], own_user, slot, chances).astype(np.int32)
        expected = self._expected(own_user[:, None], items)
        taken = np.where(found.taken, shown, NOTHING)
        best = own_choices(settings, own_user, row, slot, items, expected, taken, chances)
        own = np.flatnonzero(best >= 0)

        taken_row, place = np.nonzero(found.taken)
        rows = np.concatenate([taken_row, row[own]])
        item = np.concatenate([shown[taken_row, place], items[own, best[own]]])
        rank = np.concatenate([place + 1, np.full(len(own), BY_THEMSELVES)])
        in_time = np.argsort(rows, kind="stable")

        seen_row, seen_place = np.nonzero(found.seen)
        return Day(
            visitors=np.empty(0, np.bool_),
            seen_user=visitors[seen_row],
            seen_item=shown[seen_row, seen_place],
            seen_rank=(seen_place + 1).astype(np.int32),
            clicked=found.taken[seen_row, seen_place],
            choices=Choices(
                user=visitors[rows[in_time]],
                item=item[in_time].astype(np.int32),
                night=np.full(len(in_time), night, np.int32),
                rank=rank[in_time].astype(np.int32),
            ),
            worth=np.empty(0),
        )

    # What it does to them

    def _feel(self, day: Day, night: int, chances: Chances) -> None:
        """Moods, and who leaves for good, after a day."""
        settings, state = self.settings, self._state
        n_users = self.world.n_users
        n = np.bincount(day.choices.user, minlength=n_users)
        satisfied = np.bincount(day.choices.user, day.worth, n_users) / np.maximum(n, 1)
        state.mood += np.where(n > 0, settings.patience * (satisfied - state.mood), 0.0)
        hazard = settings.leaving * np.exp(settings.disappointment * (self._usual - state.mood))
        leaves = chances.uniform(Of.LEAVING, np.arange(n_users)) < hazard
        state.gone |= leaves & (self.world.arrives <= night)

    # Before the first night

    def _spread(self, rng: np.random.Generator) -> tuple[float, float]:
        """Mean and standard deviation of what items are worth to users, over some pairs."""
        users, items = (rng.integers(n, size=_PAIRS).astype(np.int32) for n in (self.world.n_users, self.world.n_items))
        value = self._value(users, items)
        return float(value.mean()), float(value.std())

    def _lived(self, key: int) -> Choices:
        """The days before the first night: users find everything by themselves, and nobody leaves.

        How satisfied they are is the usual mood of each of them.
        """
        nobody = np.full((self.world.n_users, 1), NOTHING, np.int32)
        days = []
        for night in range(-self.settings.history_days, 0):
            chances = Chances.drawn(np.random.default_rng([key, self.settings.history_days + night]))
            day = self._day(nobody, night, chances)
            if self.settings.feedback:
                self._state.live(self.settings, self.items, day, night)
            days.append(day)
        past = Choices.joined([day.choices for day in days])
        worth = np.concatenate([day.worth for day in days])
        mean = float(worth.mean()) if len(worth) else 0.0
        total = np.bincount(past.user, worth, self.world.n_users) + _PRIOR_VISITS * mean
        self._usual = total / (np.bincount(past.user, minlength=self.world.n_users) + _PRIOR_VISITS)
        self._state.mood = self._usual.copy()
        return past

    def _remembered(self, past: Choices, key: int) -> Choices:
        """What users and items are after a past. What they would find by themselves is their usual satisfaction."""
        self._state.remember(self.settings, self.items, past)
        remembered = self._state.arrays()
        self._lived(key)
        self._state = MarketState.of_arrays(remembered | {"mood": self._usual})
        return past


def _middles(items: Items) -> Floats:
    """The mean vector of the items of each category: [n_categories, dimensions]."""
    n = int(items.category.max()) + 1
    count = np.bincount(items.category, minlength=n)
    sums = [np.bincount(items.category, column, n) for column in items.factors.T]
    middles: Floats = (np.stack(sums, axis=1) / np.maximum(count, 1)[:, None]).astype(np.float32)
    return middles
