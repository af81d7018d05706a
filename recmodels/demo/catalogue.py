"""What the demo shop sells, and who comes: items in clusters and niches, users with a taste for a few."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Doubles, Longs
from recmodels.demo import words
from recmodels.demo.words import GENRES

_ITEMS_PER_NICHE = 16
_NEW_ITEMS, _UNAVAILABLE = 0.1, 0.03
_NEW_USERS, _CHURNED, _SILENT, _OPTED_OUT, _NO_AGE = 0.3, 0.25, 0.05, 0.01, 0.08
TASTES = 4  # niches a user likes


@dataclass(frozen=True)
class Calendar:
    """The days of the site: [start, start + days), cut into weeks that begin when new items come out."""

    start: date
    days: int

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.start + timedelta(days=self.days)

    @property
    def release_days(self) -> Longs:
        """First day of each week, counted from `start`: the first day, then every Friday. [weeks]"""
        first_friday = (4 - self.start.weekday()) % 7 or 7
        return np.array([0, *range(first_friday, self.days, 7)])


@dataclass(frozen=True)
class Catalogue:
    """The items, in an order that keeps each cluster and each niche together (the table: by item_id).

    A niche is some sixteen items by one author on one theme; a cluster is a genre of many niches.
    """

    table: pa.Table
    item_id: Longs  # [n_items]
    niche: Longs  # [n_items], ascending
    cluster: Longs  # [n_items], ascending
    appeal: Doubles  # [n_items], Zipf
    release_week: Longs  # [n_items]; 0: out from the start

    def niche_range(self, item: Longs) -> tuple[Longs, Longs]:
        """The first item, and the one after the last, of the niche of each `item`."""
        niche = self.niche[item]
        return np.searchsorted(self.niche, niche), np.searchsorted(self.niche, niche, "right")

    def cluster_range(self, item: Longs) -> tuple[Longs, Longs]:
        """The same for its cluster."""
        cluster = self.cluster[item]
        return np.searchsorted(self.cluster, cluster), np.searchsorted(self.cluster, cluster, "right")


@dataclass(frozen=True)
class Audience:
    """The users, in the order in which they joined; times in days from the start of the calendar."""

    table: pa.Table
    joins: Doubles  # [n_users]; 0: before the window
    leaves: Doubles  # [n_users]
    activity: Doubles  # [n_users]; 0: registered, never came
    tastes: Longs  # [n_users, TASTES]: an item of each niche that the user likes
    turns: Doubles  # [n_users]: when the taste moves on by one niche; may lie after the window


def sample(cumulative: Doubles, low: Longs, high: Longs, rng: np.random.Generator) -> Longs:
    """For each range [low, high) an item in it, with the probability of its weight.

    `cumulative` is [n_items + 1], from 0. A range that weighs nothing gives the next item that has weight,
    or the last one.
    """
    below, above = cumulative[low], cumulative[high]
    target = below + rng.random(low.size) * (above - below)
    item: Longs = np.searchsorted(cumulative, target, "right") - 1
    np.minimum(item, np.searchsorted(cumulative, cumulative[-1]) - 1, out=item)
    return item


def cumulative(weight: Doubles) -> Doubles:
    """Running total of `weight`, from 0. [n + 1]"""
    return np.concatenate([[0.0], np.cumsum(weight)])


def make_catalogue(n: int, calendar: Calendar, rng: np.random.Generator) -> Catalogue:
    """`n` items whose words and tags tell their cluster, and more faintly their niche."""
    n_niches = max(min(n, len(GENRES)), n // _ITEMS_PER_NICHE)
    niche = np.sort(rng.integers(n_niches, size=n))
    borders = np.cumsum([genre.share for genre in GENRES])[:-1]
    cluster = np.searchsorted(borders, niche / n_niches, "right")

    appeal = 1 / (rng.permutation(n) + 15.0) ** 0.85
    weeks = len(calendar.release_days)
    is_new = rng.random(n) < (_NEW_ITEMS if weeks > 1 else 0)
    is_new[0] = False  # something to sell from the first day
    release_week = np.where(is_new, rng.integers(1, max(weeks, 2), size=n), 0)
    age = 1 + rng.exponential(700, n).astype(np.int64)
    released = np.where(is_new, calendar.release_days[release_week], -age)  # days from start

    item_id = np.empty(n, np.int64)
    item_id[np.lexsort([rng.permutation(n), released])] = 1001 + np.arange(n)
    kind = rng.choice(3, size=n, p=[0.5, 0.2, 0.3])
    price = np.floor(np.array([14.0, 18.0, 11.0])[kind] * rng.lognormal(0, 0.35, n)) + 0.99
    table = pa.table(
        {
            "item_id": item_id,
            **texts_of(niche, cluster, kind, rng),
            "kind": pa.array(words.KINDS).take(kind),
            "price": price,
            "released": _dates(calendar.start, released),
            "available": rng.random(n) >= _UNAVAILABLE,
        }
    )
    return Catalogue(table.sort_by("item_id"), item_id, niche, cluster, appeal, release_week)


def make_audience(n: int, calendar: Calendar, catalogue: Catalogue, rng: np.random.Generator) -> Audience:
    """`n` users who like two niches of one genre, one of another and one of any, and look their age."""
    days = calendar.days
    is_new = rng.random(n) < _NEW_USERS
    joined = np.sort(np.where(is_new, rng.random(n) * days, -1 - rng.exponential(500, n)))
    joins = np.maximum(joined, 0)
    leaves = np.where(rng.random(n) < _CHURNED, joins + rng.random(n) * (days - joins), days)
    activity = rng.lognormal(0, 1, n)
    silent = rng.random(n) < _SILENT
    silent[activity.argmax()] = False
    activity[silent] = 0

    weights = cumulative(catalogue.appeal)
    anything = np.zeros(n, np.int64), np.full(n, catalogue.niche.size)
    first, third, fourth = (sample(weights, *anything, rng) for _ in range(3))
    second = sample(weights, *catalogue.cluster_range(first), rng)
    tastes = np.stack([first, second, third, fourth], axis=1)

    mean_age = np.array([genre.age for genre in GENRES])[catalogue.cluster[first]]
    band = np.clip(np.rint(rng.normal(mean_age, 1.1)), 0, len(words.AGE_BANDS) - 1).astype(np.int64)
    country = np.minimum(rng.geometric(0.25, n) - 1, len(words.COUNTRIES) - 1)
    width = max(6, len(str(n)))
    numbers = pc.utf8_lpad(pc.cast(pa.array(1 + np.arange(n)), pa.string()), width=width, padding="0")
    table = pa.table(
        {
            "user_id": pc.binary_join_element_wise("u", numbers, ""),
            "country": pa.array(words.COUNTRIES).take(country),
            "age_band": pa.array(words.AGE_BANDS).take(pa.array(band, mask=rng.random(n) < _NO_AGE)),
            "joined": _dates(calendar.start, np.floor(joined).astype(np.int64)),
            "opted_out": rng.random(n) < _OPTED_OUT,
        }
    )
    return Audience(table, joins, leaves, activity, tastes, turns=rng.random(n) * 2 * days)


def _dates(start: date, days: Longs) -> pa.Array:
    return pa.array(np.datetime64(start, "D") + days)


def texts_of(niche: Longs, cluster: Longs, kind: Longs, rng: np.random.Generator) -> dict[str, pa.Array]:
    """Title, description, category and tags. A niche has an author, a place, a mood, three nouns, two tags.

    Args:
        niche: of each item, ascending.
        cluster: of each item, one of `GENRES`, the same for all items of a niche.
        kind: of each item, one of `words.KINDS`.
    """
    n, n_niches = niche.size, int(niche[-1]) + 1

    def of_niche(size: int) -> Longs:
        return rng.integers(size, size=n_niches)[niche]

    def own(size: int) -> Longs:
        return rng.integers(size, size=n)

    def pick(lists: tuple[tuple[str, ...], ...], index: Longs) -> pa.Array:
        """Word `index` of the list of each item's cluster; the lists are equally long."""
        return pa.array([word for words_ in lists for word in words_]).take(cluster * len(lists[0]) + index)

    # Four nouns, all different: three steps of at most a third of the list each, from a random one.
    nouns = tuple(genre.nouns for genre in GENRES)
    stride = (len(nouns[0]) - 1) // 3
    steps = [of_niche(len(nouns[0])), 1 + of_niche(stride), 1 + of_niche(stride), 1 + own(stride)]
    noun_index = np.cumsum(steps, axis=0) % len(nouns[0])  # [4, n]
    turn = own(4)
    noun, other, third = (pick(nouns, noun_index[(turn + i) % 4, np.arange(n)]) for i in range(3))

    place = np.where(rng.random(n) < 0.7, of_niche(len(words.PLACES)), own(len(words.PLACES)))
    creator = pc.binary_join_element_wise(
        pa.array(words.NAMES).take(of_niche(len(words.NAMES))),
        pa.array(words.SURNAMES).take(of_niche(len(words.SURNAMES))),
        " ",
    )
    fields = {
        "noun": noun,
        "other": other,
        "third": third,
        "Noun": pc.utf8_title(noun),
        "Other": pc.utf8_title(other),
        "Third": pc.utf8_title(third),
        "Adjective": pc.utf8_title(pick(tuple(genre.adjectives for genre in GENRES), own(10))),
        "Place": pa.array(words.PLACES).take(place),
        "Name": pa.array(words.NAMES).take(own(len(words.NAMES))),
        "Creator": creator,
        "Mood": pa.array(words.MOODS).take(of_niche(len(words.MOODS))),
        "kind": pa.array(words.KINDS).take(kind),
        "opening": pa.array([genre.opening for genre in GENRES]).take(cluster),
    }
    titles = pc.choose(own(len(words.TITLES)), *(_fill(template, fields) for template in words.TITLES))
    titles = _number_sequels(titles)
    if n >= 50:
        awkward = np.zeros(n, bool)
        awkward[rng.choice(n, len(words.AWKWARD_TITLES), replace=False)] = True
        titles = pc.replace_with_mask(titles, awkward, pa.array(words.AWKWARD_TITLES))

    tags = tuple(genre.tags for genre in GENRES)
    stride = (len(tags[0]) - 1) // 2
    tag_index = np.cumsum([of_niche(len(tags[0])), 1 + of_niche(stride), 1 + own(stride)], axis=0) % len(tags[0])
    common = pa.array(words.COMMON_TAGS).take(
        pa.array(own(len(words.COMMON_TAGS)), mask=rng.random(n) < 0.6)  # 60 % have none
    )
    by_item = pa.chunked_array([*(pick(tags, index) for index in tag_index), common]).combine_chunks()
    by_item = by_item.take(np.arange(4 * n).reshape(4, n).T.ravel())
    lengths = 3 + pc.is_valid(common).to_numpy(zero_copy_only=False)
    return {
        "title": titles,
        "description": _fill(words.DESCRIPTION, fields),
        "category": pa.array([genre.category for genre in GENRES]).take(cluster),
        "tags": pa.ListArray.from_arrays(
            pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32()), by_item.drop_null()
        ),
    }


def _fill(template: str, fields: dict[str, pa.Array]) -> pa.Array:
    """`template` with each {field} replaced by that column, row by row."""
    parts = [part for piece in template.split("{") for part in piece.split("}")]
    return pc.binary_join_element_wise(*(fields.get(part, part) for part in parts), "")


def _number_sequels(titles: pa.Array) -> pa.Array:
    """Unique titles: the second item of the same title gets " II", and so on."""
    codes = titles.dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    firsts = np.searchsorted(codes[order], codes[order])
    nth = np.empty(codes.size, np.int64)
    nth[order] = np.arange(codes.size) - firsts
    suffixes = ["", *(f" {numeral}" for numeral in words.NUMERALS)]  # for I, II, III …
    suffixes += [f" {i + 1}" for i in range(len(suffixes), int(nth.max()) + 1)]
    return pc.binary_join_element_wise(titles, pa.array(suffixes).take(nth), "")
