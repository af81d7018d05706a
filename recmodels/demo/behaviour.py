"""What the demo shop's users do: sessions in time, and in each session what is looked at, carted and bought."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Doubles, Longs
from recmodels.data.times import SECONDS_PER_DAY
from recmodels.demo.catalogue import TASTES, Audience, Calendar, Catalogue, cumulative, sample

EVENTS = ("view", "cart", "purchase")

CART, PURCHASE_OF_CART = 0.12, 0.45  # the funnel: share of looks, share of carts
_LOOKS_A_SESSION, _LONGEST_SESSION = 4.0, 40
TASTE_SHARES = (0.4, 0.25, 0.2, 0.15)  # how often a session is about each of the user's tastes
_BROWSING = 0.1  # sessions about something else altogether
# Where each look goes: what everybody looks at, the session's cluster, the rest the session's niche …
_GLOBAL, _CLUSTER = 0.12, 0.28
_COMPANION = 0.12  # … unless it follows on to the item that goes with the one before.
HOUR_WEIGHTS = (4, 2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 8, 9, 8, 7, 7, 8, 10, 13, 17, 20, 19, 14, 8)
_WEEKDAY_WEIGHTS = (0.9, 0.85, 0.9, 0.95, 1.05, 1.2, 1.25)  # from Monday
_GROWTH = 0.25  # more traffic on the last day than on the first
_BLOCK = 2**22  # looks whose random numbers are in memory at once


@dataclass(frozen=True)
class Events:
    """One week of the log, in order of time."""

    user: Longs  # [n], index into the audience
    item: Longs  # [n], index into the catalogue
    seconds: Longs  # [n], from the start of the calendar
    event: NDArray[np.int8]  # [n], index into EVENTS


@dataclass(frozen=True)
class _Sessions:
    """Who came when, in order of time."""

    user: Longs
    start: Longs  # seconds
    looks: Longs  # how many items are looked at, at least one


def simulate(
    n: int, calendar: Calendar, catalogue: Catalogue, audience: Audience, rng: np.random.Generator
) -> Iterator[Events]:
    """Exactly `n` events, a week at a time: memory follows the week, not the log."""
    depth = _funnel_depths(n, rng)
    sessions = _sessions(depth.size, calendar, audience, rng)
    # First session, then first look, of every week.
    week_starts = np.append(calendar.release_days, calendar.days) * SECONDS_PER_DAY
    session_at = np.searchsorted(sessions.start, week_starts)
    look_at = np.concatenate([[0], np.cumsum(sessions.looks)])[session_at]

    trend = np.zeros(catalogue.appeal.size)
    for week in range(len(week_starts) - 1):
        trend = _next_trend(trend, catalogue, rng)
        those = slice(session_at[week], session_at[week + 1])
        depths = depth[look_at[week] : look_at[week + 1]]
        if depths.size == 0:
            continue
        looks = sessions.looks[those]
        session = np.repeat(np.arange(looks.size), looks)  # of each look
        weights = cumulative(_weekly_appeal(week, trend, catalogue))
        themes = _themes(sessions.user[those], sessions.start[those] / SECONDS_PER_DAY, weights, audience, rng)
        item = _looked_at(themes, session, weights, catalogue, rng)

        look = np.repeat(np.arange(depths.size), depths)  # of each event
        seconds = _clock(sessions.start[those], session[look], int(week_starts[week + 1]), rng)
        event = (np.arange(look.size) - (np.cumsum(depths, dtype=np.int64) - depths)[look]).astype(np.int8)
        order = np.argsort(seconds, kind="stable")
        look = look[order]
        yield Events(sessions.user[those][session[look]], item[look], seconds[order], event[order])


def _funnel_depths(n: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """For each look, how many events it leaves: 1 view, 2 and cart, 3 and purchase. They sum to `n`."""
    parts = []
    missing = n
    for start in range(0, n, _BLOCK):  # of a long log there is one byte a look at a time
        chance = rng.random(min(_BLOCK, n - start))
        depth = 1 + (chance < CART).astype(np.int8) + (chance < CART * PURCHASE_OF_CART)
        total = np.cumsum(depth, dtype=np.int64)
        if missing > 0:
            depth = depth[: np.searchsorted(total, missing) + 1]
            missing -= int(total[depth.size - 1])
            parts.append(depth)
    parts[-1][-1] += missing  # at most 0
    return np.concatenate(parts)


def _sessions(n_looks: int, calendar: Calendar, audience: Audience, rng: np.random.Generator) -> _Sessions:
    """Sessions with `n_looks` looks in all; the last one lies on the last day."""
    looks = np.minimum(rng.geometric(1 / _LOOKS_A_SESSION, n_looks // 3 + 1), _LONGEST_SESSION)
    looks[-1] += max(0, n_looks - int(looks.sum()))
    total = np.cumsum(looks)
    looks = looks[: np.searchsorted(total, n_looks) + 1]
    looks[-1] -= total[looks.size - 1] - n_looks

    # Traffic by hour; `clock` maps a share of all traffic to the time by which it has come.
    hours = np.arange(calendar.days * 24)
    day = hours // 24
    traffic = np.array(HOUR_WEIGHTS, float)[hours % 24]
    traffic *= np.array(_WEEKDAY_WEIGHTS)[(calendar.start.weekday() + day) % 7]
    traffic *= 1 + _GROWTH * day / calendar.days
    come = cumulative(traffic) / traffic.sum()
    at = np.arange(hours.size + 1) / 24  # days

    first, last = np.interp(audience.joins, at, come), np.interp(audience.leaves, at, come)
    visits = cumulative(audience.activity * np.maximum(last - first, 1e-9))
    everybody = np.zeros(looks.size, np.int64), np.full(looks.size, audience.activity.size)
    user = sample(visits, *everybody, rng)
    start = np.interp(first[user] + rng.random(user.size) * (last - first)[user], come, at) * SECONDS_PER_DAY
    start = np.minimum(start.astype(np.int64), calendar.days * SECONDS_PER_DAY - 1)
    order = np.argsort(start, kind="stable")
    user, start = user[order], start[order]
    if start[-1] < (calendar.days - 1) * SECONDS_PER_DAY:  # so few sessions that none fell on the last evening
        start[-1] = calendar.days * SECONDS_PER_DAY - SECONDS_PER_DAY // 6
    return _Sessions(user, start, looks)


def _next_trend(trend: Doubles, catalogue: Catalogue, rng: np.random.Generator) -> Doubles:
    """Log-popularity wanders from week to week, niches as a whole and each item a little, and comes back."""
    of_niche = rng.normal(0, 0.15, int(catalogue.niche[-1]) + 1)[catalogue.niche]
    return 0.97 * trend + of_niche + rng.normal(0, 0.1, trend.size)


def _weekly_appeal(week: int, trend: Doubles, catalogue: Catalogue) -> Doubles:
    """What each item weighs this week: nothing before its release, more in the weeks after it."""
    age = week - catalogue.release_week
    launch = np.where(catalogue.release_week > 0, 3 * np.exp(-np.maximum(age, 0) / 2), 0)
    return np.where(age >= 0, catalogue.appeal * np.exp(trend) * (1 + launch), 0)


def _themes(user: Longs, days: Doubles, weights: Doubles, audience: Audience, rng: np.random.Generator) -> Longs:
    """For each session an item of the niche it is about: one of the user's tastes, or anything."""
    taste = np.searchsorted(np.cumsum(TASTE_SHARES)[:-1], rng.random(user.size), "right")
    taste = (taste + (days > audience.turns[user])) % TASTES
    anything = sample(weights, np.zeros_like(user), np.full_like(user, weights.size - 1), rng)
    return np.where(rng.random(user.size) < _BROWSING, anything, audience.tastes[user, taste])


def _looked_at(
    themes: Longs, session: Longs, weights: Doubles, catalogue: Catalogue, rng: np.random.Generator
) -> Longs:
    """The item of each look, given the theme of its session."""
    niche_low, niche_high = catalogue.niche_range(themes)
    cluster_low, cluster_high = catalogue.cluster_range(themes)
    where = rng.random(session.size)
    scope = (where >= _GLOBAL).astype(np.int8) + (where >= _GLOBAL + _CLUSTER)  # 0 global 1 cluster 2 niche
    everything = np.full(themes.size, weights.size - 1)
    low = np.stack([np.zeros_like(themes), cluster_low, niche_low])[scope, session]
    high = np.stack([everything, cluster_high, niche_high])[scope, session]
    item = sample(weights, low, high, rng)

    # The companion of an item is the next one of its niche (of the last, the first).
    follows = rng.random(session.size) < _COMPANION
    follows[0] = False
    follows[1:] &= (session[1:] == session[:-1]) & ~follows[:-1]
    at = np.flatnonzero(follows)
    before = item[at - 1]
    low, high = catalogue.niche_range(before)
    companion = np.where(before + 1 < high, before + 1, low)
    is_out = weights[companion + 1] > weights[companion]
    item[at[is_out]] = companion[is_out]
    return item


def _clock(start: Longs, session: Longs, end: int, rng: np.random.Generator) -> Longs:
    """Seconds of each event: half a minute to five between two events of a session, and none at `end`."""
    gaps = (20 + np.minimum(rng.exponential(60, session.size), 280)).astype(np.int64)
    elapsed = np.cumsum(gaps)
    firsts = np.searchsorted(session, np.arange(start.size))
    seconds = start[session] + elapsed - elapsed[firsts][session]
    return np.where(seconds < end, seconds, 2 * end - 1 - seconds)  # turned back at the week's border
