"""Who and what a market begins with: users and their tastes, items and what they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Doubles, Floats, Ints, Longs
from recmodels.demo import words
from recmodels.demo.catalogue import texts_of
from recmodels.demo.words import GENRES
from recmodels.simulation.behavior import World
from recmodels.simulation.market_settings import MarketSettings

_SHARES = np.array([0.5, 0.3, 0.2], np.float32)  # of a user's taste: the niches of so many items
_OF_NICHE, _OF_ITEM = 0.8, 0.4  # how far niches are from their category's middle, and items from their niche's
_ZIPF, _HEAD = 0.85, 15.0  # popularity at first, as in the demo shop
_BETTER = 0.5  # correlation of quality and popularity at first


@dataclass(frozen=True, eq=False)
class Items:
    """What there is to choose.

    Attributes:
        born: as in `World`, int32 `[n_items]`.
        category: from 0, int32 `[n_items]`.
        factors: vectors of length 1, float32 `[n_items, dimensions]`.
        quality: in standard deviations from the mean, float32 `[n_items]`.
        fame: shares of all choices at first, 0 of what is not out yet, float64 `[n_items]`.
        texts: what can be read of each.
    """

    born: Ints
    category: Ints
    factors: Floats
    quality: Floats
    fame: Doubles
    texts: list[str]


@dataclass(frozen=True, eq=False)
class Users:
    """Who chooses.

    Attributes:
        arrives, group: as in `World`, int32 `[n_users]`.
        taste: at first, vectors of length 1, float32 `[n_users, dimensions]`.
        activity: how often each comes, 1 for the mean, float64 `[n_users]`.
        restless: how soon each wants something else, 1 for the usual, float32 `[n_users]`.
    """

    arrives: Ints
    group: Ints
    taste: Floats
    activity: Doubles
    restless: Floats


def world_of(users: Users, items: Items) -> World:
    return World(arrives=users.arrives, born=items.born, category=items.category, group=users.group)


def generate_items(settings: MarketSettings, n: int, nights: int, rng: np.random.Generator) -> Items:
    """`n` items, those that appear within `nights` included. Words tell their category, and fainter their niche."""
    n_niches = max(min(n, settings.categories), n // settings.niche_items)
    niche = np.sort(rng.integers(n_niches, size=n))
    shares = np.array([genre.share for genre in GENRES[: settings.categories]])
    borders = np.cumsum(shares / shares.sum())[:-1]
    category = np.searchsorted(borders, niche / n_niches, "right")
    texts = _texts(niche, category, rng)

    mixed = rng.permutation(n)  # the index of an item says nothing of it
    niche, category = niche[mixed], category[mixed]
    middles = unit(rng.standard_normal((settings.categories, settings.dimensions)))
    of_niche = unit(rng.standard_normal((n_niches, settings.dimensions)))
    of_item = unit(rng.standard_normal((n, settings.dimensions)))
    factors = unit(middles[category] + _OF_NICHE * of_niche[niche] + _OF_ITEM * of_item)

    born = starts(n, settings.new_items, settings.history_days, nights, rng)
    fame = (rng.permutation(n) + _HEAD) ** -_ZIPF
    loudness = np.log(fame)
    loudness = (loudness - loudness.mean()) / max(float(loudness.std()), 1e-9)
    there = born < -settings.history_days
    by_fame = np.where(there, _BETTER, 0.0)  # nobody knows the new ones: their quality is drawn as that of the others
    quality = by_fame * loudness + (1 - by_fame**2) ** 0.5 * rng.standard_normal(n)
    fame[~there] = 0
    return Items(
        born=born,
        category=category.astype(np.int32),
        factors=factors,
        quality=quality.astype(np.float32),
        fame=fame / fame.sum(),
        texts=[texts[item] for item in mixed],
    )


def generate_users(settings: MarketSettings, items: Items, n: int, nights: int, rng: np.random.Generator) -> Users:
    """`n` users, those included that come within so many nights: each likes the niches of three items."""
    minority = rng.random(n) < settings.minority
    size = np.bincount(items.category)[items.category].astype(float)
    liked = np.where(
        minority[:, None],
        rng.choice(len(size), (n, len(_SHARES)), p=_shares(size**-3)),  # categories in proportion to size^-2
        rng.choice(len(size), (n, len(_SHARES))),
    )
    return Users(
        arrives=starts(n, settings.new_users, settings.history_days, nights, rng),
        group=minority.astype(np.int32),
        taste=unit(np.einsum("s,usd->ud", _SHARES, items.factors[liked])),
        activity=rng.lognormal(-(settings.activity_spread**2) / 2, settings.activity_spread, n),
        restless=rng.lognormal(0, settings.novelty_spread, n).astype(np.float32),
    )


def starts(n: int, rate: float, before: int, nights: int, rng: np.random.Generator) -> Ints:
    """On which night each of `n` comes first: most before anything is observed, the others at a rate of them a day.

    Args:
        n: how many there are in the end.
        rate: a day, as a share of those that were there at first.
        before: days that are observed before night 0.
        nights: how long it goes on.
        rng: who they are.
    """
    days = before + nights
    at_first = int(np.ceil(n / (1 + rate * days)))
    late = n - at_first
    found = np.full(n, -before - 1, np.int32)
    found[rng.permutation(n)[:late]] = -before + np.floor((np.arange(late) + 0.5) * days / max(late, 1))
    return found


def unit(vectors: NDArray[np.floating]) -> Floats:
    """The vectors at length 1; one that is 0 stays."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.where(length > 0, length, 1)).astype(np.float32)
    return scaled


def _shares(weights: Doubles) -> Doubles:
    shares: Doubles = weights / weights.sum()
    return shares


def _texts(niche: Longs, category: Longs, rng: np.random.Generator) -> list[str]:
    """Title, tags and description of each item, in niches that ascend."""
    table = texts_of(niche, category, rng.integers(len(words.KINDS), size=len(niche)), rng)
    columns = (table["title"].to_pylist(), table["tags"].to_pylist(), table["description"].to_pylist())
    return [f"{title}. {', '.join(tags)}. {text}" for title, tags, text in zip(*columns, strict=True)]
