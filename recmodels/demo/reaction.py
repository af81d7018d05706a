"""What the demo shop's users do on a day on which they are shown lists, and what that does to them.

Nothing of it is fitted to a real site. It has what a feedback loop needs: users see what stands high, click what they
like and what is good, come to like what they consume, and come again sooner where lists please them.
"""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools, Doubles, Longs
from recmodels.data.times import SECONDS_PER_DAY
from recmodels.demo.behaviour import HOUR_WEIGHTS, TASTE_SHARES
from recmodels.demo.catalogue import TASTES, Audience, Catalogue, cumulative, sample

NOTHING = -1  # an empty place of a list

_ATTENTION = 0.8  # the place r of a list is seen in a share r^-0.8 of the visits (Chaney, Stewart & Engelhardt 2018)
_NEAR = 0.25  # an item of a liked genre, but of another niche, is liked that much
_ANYTHING, _LIKED = (
    0.03,
    0.6,
)  # chance of a click on what a user does not like at all, and more on what is all they like
_DRIFT = 0.02  # of a user's taste moves to the niche of an item with each that they consume
_NEUTRAL, _PATIENCE, _LOYALTY = (
    0.3,
    0.2,
    1.5,
)  # mood at first, how fast it changes, how much more often the pleased come
_VISITS = 0.5  # a day, of a user of mean activity
_OWN_LOOKS = 1.5  # a visit, besides those at the list
_GLOBAL, _CLUSTER = 0.2, 0.25  # of them on anything, on the genre of a taste, and the rest on its niche


@dataclass
class Truth:
    """What the users like and how good the items are, on the morning of a day; nobody sees it but the generator.

    Attributes:
        catalogue: the items.
        audience: the users.
        quality: how good each item is, in (0, 1), float64 `[n_items]`.
        niches: the niches that each user likes, int64 `[n_users, TASTES]`.
        weights: how much, as shares, float64 `[n_users, TASTES]`.
        mood: how often a user's last visits to their list ended with a click, in [0, 1], float64 `[n_users]`.
    """

    catalogue: Catalogue
    audience: Audience
    quality: Doubles
    niches: Longs
    weights: Doubles
    mood: Doubles

    @classmethod
    def at_first(cls, catalogue: Catalogue, audience: Audience, rng: np.random.Generator) -> "Truth":
        """As it is before anybody has been shown a list. What is popular is better by a little."""
        n_users = audience.activity.size
        fame = np.log(catalogue.appeal)
        noise = rng.normal(0, 1, fame.size)
        quality = 1 / (1 + np.exp(-(noise + 0.5 * (fame - fame.mean()) / max(float(fame.std()), 1e-9))))
        weights = np.tile(np.array(TASTE_SHARES), (n_users, 1))
        return cls(catalogue, audience, quality, catalogue.niche[audience.tastes], weights, np.full(n_users, _NEUTRAL))

    def click_chance(self, user: Longs, item: Longs) -> Doubles:
        """The probability that each `user` clicks the `item` beside it, once they see it. [n]

        This is the true value of an action: that of a policy is the mean over what it shows.
        """
        cluster_of = self.catalogue.cluster[np.searchsorted(self.catalogue.niche, self.niches[user])]  # [n, TASTES]
        same = self.niches[user] == self.catalogue.niche[item][:, None]
        near = cluster_of == self.catalogue.cluster[item][:, None]
        match = (self.weights[user] * np.where(same, 1.0, np.where(near, _NEAR, 0.0))).sum(axis=1)
        chance: Doubles = self.quality[item] * (_ANYTHING + _LIKED * np.minimum(match, 1.0))
        return chance

    def expected_clicks(self, lists: Longs) -> Doubles:
        """How often each user may be expected to click their list [n_users, k] today, as `react` draws it. [n_users]"""
        user, place = np.nonzero(lists != NOTHING)
        seen = (1 + place) ** -_ATTENTION
        clicks = np.bincount(user, seen * self.click_chance(user, lists[user, place]), len(lists))
        return clicks * self.visit_chance()

    def learn(self, user: Longs, item: Longs) -> None:
        """Let tastes move to what was consumed. A niche that is new to a user weakens their least taste, and then takes
        its place."""
        niche = self.catalogue.niche[item]
        liked = self.niches[user] == niche[:, None]
        known = liked.any(axis=1)
        np.add.at(self.weights, (user[known], liked[known].argmax(axis=1)), _DRIFT)

        strangers, first, times = np.unique(user[~known], return_index=True, return_counts=True)
        least = self.weights[strangers].argmin(axis=1)
        left = self.weights[strangers, least] - _DRIFT * times
        self.niches[strangers, least] = np.where(left < 0, niche[~known][first], self.niches[strangers, least])
        self.weights[strangers, least] = np.where(left < 0, _DRIFT, left)
        self.weights /= self.weights.sum(axis=1, keepdims=True)

    def please(self, user: Longs, clicked: Bools) -> None:
        """Let each of the users (once each) remember whether a visit to their list ended with a click."""
        self.mood[user] += _PATIENCE * (clicked - self.mood[user])

    def visit_chance(self) -> Doubles:
        """The probability that each user comes today; 0 of those who have left or never came. [n_users]"""
        rate = _VISITS * self.audience.activity * np.exp(_LOYALTY * (self.mood - _NEUTRAL))
        stays = self.audience.leaves == self.audience.leaves.max()  # until the end of the days that were at first
        return np.where(stays, 1 - np.exp(-rate), 0.0)


@dataclass(frozen=True)
class Reaction:
    """A day: what was seen of the lists, in order of time, and what was looked at, in order of time.

    Times are in seconds from midnight.
    """

    visitors: Longs  # [n], users
    seen_user: Longs  # [n_seen]
    seen_item: Longs
    seen_rank: Longs  # from 1
    seen_seconds: Longs
    clicked: Bools
    user: Longs  # [n_looks]
    item: Longs
    seconds: Longs


def react(truth: Truth, lists: Longs, rng: np.random.Generator) -> Reaction:
    """A day of the users with their `lists` [n_users, k], the items best first and -1 in empty places.

    Draws are made for all users and places, whatever is shown: with the same `rng` two policies meet the same chances.
    """
    n_users, k = lists.shape
    come = rng.random(n_users) < truth.visit_chance()
    traffic = np.array(HOUR_WEIGHTS, float)
    hour = np.searchsorted(np.cumsum(traffic) / traffic.sum(), rng.random(n_users), "right")
    start = np.minimum((hour + rng.random(n_users)) * 3600, SECONDS_PER_DAY - 1800).astype(np.int64)
    depth = np.floor((1 - rng.random(n_users)) ** (-1 / _ATTENTION))
    luck = rng.random((n_users, k))

    seen = come[:, None] & (lists != NOTHING) & (np.arange(k) < depth[:, None])
    order = np.argsort(start, kind="stable")
    row, place = np.nonzero(seen[order])
    user = order[row]
    item = lists[user, place]
    clicked = luck[user, place] < truth.click_chance(user, item)

    own_user, own_item = _own_looks(truth, np.flatnonzero(come), rng)
    looks = np.concatenate([user[clicked], own_user])
    at = np.concatenate([60 * (place[clicked] + 1), rng.integers(700, 1750, own_user.size)]) + start[looks]
    by_time = np.lexsort([looks, at])
    return Reaction(
        visitors=np.flatnonzero(come),
        seen_user=user,
        seen_item=item,
        seen_rank=place + 1,
        seen_seconds=start[user],
        clicked=clicked,
        user=looks[by_time],
        item=np.concatenate([item[clicked], own_item])[by_time],
        seconds=at[by_time],
    )


def _own_looks(truth: Truth, visitors: Longs, rng: np.random.Generator) -> tuple[Longs, Longs]:
    """What visitors find by themselves: by how known and how good it is, mostly among what they like."""
    user = np.repeat(visitors, rng.poisson(_OWN_LOOKS, visitors.size))
    weights = cumulative(truth.catalogue.appeal * truth.quality)
    upto = np.cumsum(truth.weights[user], axis=1)
    taste = np.minimum((upto <= rng.random(user.size)[:, None]).sum(axis=1), TASTES - 1)
    theme = np.searchsorted(truth.catalogue.niche, truth.niches[user, taste])  # the niche's first item
    where = rng.random(user.size)
    scope = (where >= _GLOBAL).astype(np.int8) + (where >= _GLOBAL + _CLUSTER)
    ranges = [
        (np.zeros_like(theme), np.full_like(theme, truth.quality.size)),
        truth.catalogue.cluster_range(theme),
        truth.catalogue.niche_range(theme),
    ]
    here = np.arange(user.size)
    low, high = (np.stack([one[end] for one in ranges])[scope, here] for end in (0, 1))
    return user, sample(weights, low, high, rng)
