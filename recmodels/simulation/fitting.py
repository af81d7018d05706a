"""A market that is like a site: what its log says of users and items, and two settings that make them behave alike.

Read from the log: tastes, quality, popularity, how often users come, how much they choose, how fast new ones appear.
Then `match` and `quality` are searched, so that simulated users without lists are like the real ones in the inequality
of popularity and in the variety of what one user chooses. How satisfied people are is in no log: the level is set so
that half of what they find by themselves satisfies. All of it takes the log for what people want by themselves; it was
brought about by the site's lists, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from recmodels.data.arrays import Bools, Ints
from recmodels.data.dataset import Dataset
from recmodels.simulation.behavior import Choices
from recmodels.simulation.estimates import estimated_items, estimated_users, log_of, rate_of_new
from recmodels.simulation.fit_check import Fit, compared, moments
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.population import Items, Users, starts

MEASURED = ("visits", "choices", "new_users", "new_items", "match", "quality", "base")
"""Settings that a site's log gives, unless they are given."""

_DAYS = 90  # that are compared, at most
_SEARCHED_USERS = 5_000
_ROUNDS, _STEPS = 2, 5  # the range of each setting is halved so often, and once more near what was found
_LOGARITHM_OF_MATCH, _QUALITY = (-1.5, 3.0), (0.0, 3.0)  # where they are searched
_HELD_BACK = 1 / 3  # of the users, and of the items, at most

Lived = tuple[Choices, float]
Live = Callable[[MarketSettings, Users, Items, Choices | None], Lived]
"""What users choose without lists on some days, after a past or without one, and how satisfied they are, in 0..1."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A site as a market.

    Attributes:
        settings: as given, but for what was measured.
        users, items: of the site, in its order.
        past: what they have chosen.
        fit: how like the site they are.
    """

    settings: MarketSettings
    users: Users
    items: Items
    past: Choices
    fit: Fit


def fitted(
    data: Dataset,
    settings: MarketSettings,
    seed: int,
    nights: int,
    texts: list[str] | None,
    category: Ints | None,
    live: Live,
) -> Fitted:
    """What `Market.fitted` is made of.

    Raises:
        DataRefused: the log is too short.
    """
    log = log_of(data)
    items = estimated_items(data, log, settings, texts, category, seed)
    users, visits, choices = estimated_users(data, log, settings, items, seed)
    most = _HELD_BACK / (1 - _HELD_BACK) / nights
    rates = {"new_users": rate_of_new(users.arrives, most), "new_items": rate_of_new(items.born, most)}
    open_ = _not_given(settings)
    alone = _with(replace(settings, feedback=True), open_, {"visits": visits, "choices": choices} | rates)

    days = min(int(-log.night.min()), _DAYS)
    alone = _searched(alone, open_, users, items, _since(log, days), days, live)
    simulated, _ = live(replace(alone, history_days=days), users, items, None)
    rng = np.random.default_rng(seed)
    known_users = replace(users, arrives=_held_back(users.arrives, alone.new_users, nights, rng))
    known_items = replace(items, born=_held_back(items.born, alone.new_items, nights, rng))
    past = _rows(log, (known_users.arrives[log.user] < 0) & (known_items.born[log.item] < 0))
    if "base" in open_:
        alone = _half_satisfied(alone, known_users, known_items, past, live)

    settings = replace(alone, feedback=settings.feedback)
    measured = {name: getattr(settings, name) for name in MEASURED if name in open_}
    fit = compared(_since(log, days), simulated, items.category, data.n_users, days, measured, seed)
    return Fitted(settings, known_users, known_items, past, fit)


def _half_satisfied(settings: MarketSettings, users: Users, items: Items, past: Choices, live: Live) -> MarketSettings:
    """The level at which half of what users find by themselves satisfies: what they choose does not depend on it."""
    for _ in range(_ROUNDS):
        satisfied = np.clip(live(settings, users, items, past)[1], 0.01, 0.99)
        settings = replace(settings, base=settings.base - float(np.log(satisfied / (1 - satisfied))))
    return settings


def _not_given(settings: MarketSettings) -> set[str]:
    """Settings that have their defaults: they are measured where that is possible."""
    return {field.name for field in fields(settings) if getattr(settings, field.name) == field.default}


def _with(settings: MarketSettings, names: set[str], measured: dict[str, Any]) -> MarketSettings:
    return replace(settings, **{name: value for name, value in measured.items() if name in names})


def _searched(
    settings: MarketSettings,
    names: set[str],
    users: Users,
    items: Items,
    recent: Choices,
    days: int,
    live: Live,
) -> MarketSettings:
    """The `match` with which users are as various, and the `quality` with which popularity is as unequal, as it was."""
    users, recent = _some(users, recent)
    category = items.category

    def differences(match: float, quality: float) -> tuple[float, float]:
        tried = replace(settings, match=match, quality=quality, history_days=days)
        simulated = live(tried, users, items, None)[0]
        n = min(len(recent), len(simulated))
        real, found = moments(recent, category, n), moments(simulated, category, n)
        return real["taste_entropy"] - found["taste_entropy"], found["popularity_gini"] - real["popularity_gini"]

    found = {"match": settings.match, "quality": settings.quality}

    def more_alike(log_match: float) -> float:
        return differences(float(np.exp(log_match)), found["quality"])[0]

    def more_unequal(quality: float) -> float:
        return differences(found["match"], quality)[1]

    ranges = {"match": _LOGARITHM_OF_MATCH, "quality": _QUALITY}
    for _ in range(_ROUNDS):
        if "match" in names:
            log_match, ranges["match"] = _root(more_alike, *ranges["match"])
            found["match"] = float(np.exp(log_match))
        if "quality" in names:
            found["quality"], ranges["quality"] = _root(more_unequal, *ranges["quality"])
    return replace(settings, match=found["match"], quality=found["quality"])


def _root(rising: Callable[[float], float], low: float, high: float) -> tuple[float, tuple[float, float]]:
    """Where a function that rises, but for chance, passes 0, and where to look for it the next time.

    That is the middle of the range where it cannot be measured.
    """
    least, span = low, high - low
    for _ in range(_STEPS):
        middle = (low + high) / 2
        value = rising(middle)
        if np.isnan(value):
            break
        low, high = (low, middle) if value > 0 else (middle, high)
    found = (low + high) / 2
    return found, (max(least, found - span / 8), found + span / 8)


def _some(users: Users, choices: Choices) -> tuple[Users, Choices]:
    """The first users, whose order says nothing, and their choices."""
    n = _SEARCHED_USERS
    some = Users(users.arrives[:n], users.group[:n], users.taste[:n], users.activity[:n], users.restless[:n])
    return some, _rows(choices, choices.user < n)


def _held_back(first: Ints, rate: float, nights: int, rng: np.random.Generator) -> Ints:
    """First days, where some come on nights to be instead, at a rate."""
    later = starts(len(first), rate, 0, nights, rng)
    return np.where(later >= 0, later, first).astype(np.int32)


def _since(log: Choices, days: int) -> Choices:
    return _rows(log, log.night >= -days)


def _rows(choices: Choices, rows: Bools) -> Choices:
    return Choices(choices.user[rows], choices.item[rows], choices.night[rows], choices.rank[rows])
