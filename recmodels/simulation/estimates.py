"""What the log of a site says of its items and users, as a market has them."""

import numpy as np

from recmodels.data.arrays import Doubles, Floats, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.errors import DataRefused
from recmodels.factors.als import ALS
from recmodels.simulation.behavior import BY_THEMSELVES, Choices
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.population import Items, Users, unit

_CATEGORIES = 30  # and one for all others
_WEEK = 7.0  # days that every item counts as out longer, so that none is called good for its first day
_LLOYD = 30  # rounds of k-means
_LEAST, _MOST = 1e-4, 0.95  # chance of a visit on a day
MOST_CHOICES = 10.0  # a visit, as in the settings; those who choose more come more often instead


def log_of(data: Dataset) -> Choices:
    """The interactions in order of time, as choices without a list; the last day is that before night 0.

    Raises:
        DataRefused: they are of one day only, or have no times.
    """
    order = np.argsort(data.timestamp, kind="stable")
    day = data.timestamp[order] // MICROSECONDS_PER_DAY
    if not len(day) or day[-1] == day[0]:
        raise DataRefused(
            f"The site's {len(day):,} interactions are of one day, or have no times: users can only be simulated as a "
            "log of several days has them."
        )
    night = (day - day[-1] - 1).astype(np.int32)
    return Choices(data.user_index[order], data.item_index[order], night, np.full(len(day), BY_THEMSELVES, np.int32))


def estimated_items(
    data: Dataset, log: Choices, settings: MarketSettings, texts: list[str] | None, category: Ints | None, seed: int
) -> Items:
    """Items by what is chosen together (ALS), and by how often each is chosen for the days that it was out.

    A direction is the difference from the average choice: what everybody chooses is no taste, but quality.
    """
    count = np.bincount(log.item, minlength=data.n_items).astype(np.float64)
    vectors = unit(ALS(factors=settings.dimensions, seed=seed).fit(data).item_vectors_)
    factors = _directions(vectors - ((count / count.sum()) @ vectors).astype(np.float32), seed)
    born = _first(log.item, log.night, data.n_items)
    if category is not None and (category == category[0]).all():
        category = None  # one is none
    return Items(
        born=born,
        category=_clusters(factors, settings.categories, seed) if category is None else _largest(category),
        factors=factors,
        quality=_standardized(np.log((count + 1) / (_WEEK - born))),
        fame=count / count.sum(),
        texts=texts or [f"item {number}" for number in range(data.n_items)],
    )


def estimated_users(
    data: Dataset, log: Choices, settings: MarketSettings, items: Items, seed: int
) -> tuple[Users, float, float]:
    """Users by the mean direction of what each chose, and by the days on which they came; visits a day of the mean
    one, and choices a visit."""
    rng = np.random.default_rng(seed)
    taste = np.zeros((data.n_users, settings.dimensions), np.float32)
    np.add.at(taste, log.user, items.factors[log.item])
    arrives = _first(log.user, log.night, data.n_users)
    rate, choices = _rates(log, arrives)
    n = np.maximum(np.bincount(log.user, minlength=data.n_users), 1)
    popular = np.bincount(log.user, np.log1p(items.fame * len(log))[log.item], data.n_users) / n
    minority = np.zeros(data.n_users, np.int32)
    minority[np.argsort(popular, kind="stable")[: round(settings.minority * data.n_users)]] = 1
    users = Users(
        arrives=arrives,
        group=minority,
        taste=_directions(taste, seed),
        activity=rate / rate.mean(),
        restless=rng.lognormal(0, settings.novelty_spread, data.n_users).astype(np.float32),
    )
    return users, float(rate.mean()), choices


def rate_of_new(first: Ints, most: float) -> float:
    """How many come for the first time, a day in the last quarter of the days, as a share of those before it."""
    quarter = max(1, int(-first.min()) // 4)
    late = int((first >= -quarter).sum())
    return float(min(late / quarter / max(len(first) - late, 1), most))


def _rates(log: Choices, arrives: Ints) -> tuple[Doubles, float]:
    """Visits of each user a day, and choices a visit.

    The day of their first visit does not count: it is there by definition. Who was seen for a few days only is taken
    for one who comes as often as all together, by the weight of one visit.
    """
    days = int(-log.night.min())
    visits = np.unique(log.user.astype(np.int64) * days + (-1 - log.night))
    active = np.bincount(visits // days, minlength=len(arrives))
    again, watched = np.maximum(active - 1, 0), np.maximum(-1.0 - arrives, 0)
    usual = max(float(again.sum()), 1.0) / max(float(watched.sum()), 1.0)
    rate = -np.log1p(-np.clip((again + 1) / (watched + 1 / usual), _LEAST, _MOST))
    choices = len(log) / len(visits)
    return rate * max(choices / MOST_CHOICES, 1.0), min(choices, MOST_CHOICES)


def _first(index: Ints, night: Ints, n: int) -> Ints:
    """The first night of each of `n`; -1 of what is not in the log, which is in order of time."""
    found = np.full(n, -1, np.int32)
    found[index[::-1]] = night[::-1]
    return found


def _directions(vectors: Floats, seed: int) -> Floats:
    """The vectors at length 1; any direction where there is none."""
    nowhere = ~vectors.any(axis=1)
    vectors[nowhere] = np.random.default_rng(seed).standard_normal((int(nowhere.sum()), vectors.shape[1]))
    return unit(vectors)


def _standardized(values: Doubles) -> Floats:
    spread = float(values.std())
    found: Floats = ((values - values.mean()) / (spread if spread > 0 else 1.0)).astype(np.float32)
    return found


def _clusters(factors: Floats, n: int, seed: int) -> Ints:
    """Items in at most `n` clusters of like directions (k-means on the sphere); the same for any number of threads."""
    from recmodels.compute.jit import one_blas_thread

    rng = np.random.default_rng(seed)
    middles = factors[rng.choice(len(factors), min(n, len(factors)), replace=False)]
    with one_blas_thread():
        for _ in range(_LLOYD):
            found = (factors @ middles.T).argmax(axis=1)
            sums = np.zeros_like(middles)
            np.add.at(sums, found, factors)
            there = np.abs(sums).sum(axis=1) > 0
            middles[there] = unit(sums[there])
    return _numbered(found)


def _largest(category: Ints) -> Ints:
    """The categories of most items, and one for all others."""
    size = np.bincount(category)
    kept = np.argsort(-size, kind="stable")[:_CATEGORIES]
    place = np.full(len(size), len(kept), np.int32)
    place[kept] = np.arange(len(kept))
    return _numbered(place[category])


def _numbered(category: Longs | Ints) -> Ints:
    """The categories that there are, from 0."""
    return np.unique(category, return_inverse=True)[1].astype(np.int32)
