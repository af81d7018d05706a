"""The holdout: which interactions are kept out of training, to evaluate the candidates on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from recmodels.data.arrays import Bools
from tasks.prepare.interactions import Places, Rows
from tasks.prepare.ranges import EVENTS, HOLDOUT, PAIRS, TRAIN, Core, Ranges, k_core
from tasks.prepare.settings import PrepareSettings


@dataclass(frozen=True)
class Protocol:
    """How a range's pairs are parted into training and holdout."""

    name: str
    start: int  # µs; every training row is earlier (under "days")
    days: int | None = None
    unseen: Places | None = None  # users held out of training; their lists are made from their history


@dataclass(frozen=True)
class HoldoutSplit:
    """What models are trained on, and what they are evaluated on: the rows `train` and `holdout` on the shelf."""

    protocol: Protocol
    train: Core
    having: Bools  # [n_users], who has something held out
    measured: Bools  # [n_users], whose rows there are in the holdout: all of these, or some drawn at random

    @property
    def warm_users(self) -> int:
        """Of those measured, who also have training rows of positive weight."""
        return int(((self.train.user_counts > 0) & self.measured).sum())

    @property
    def left_out(self) -> int:
        """Users with training rows who have nothing held out."""
        return int(((self.train.user_counts > 0) & ~self.having).sum())


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def hold_out(ranges: Ranges, cutoff: datetime, settings: PrepareSettings) -> HoldoutSplit:
    """The holdout by the configured protocol; `auto` takes the shortest one with enough warm users."""
    for protocol in _protocols(ranges, cutoff, settings):
        split = _split(ranges, protocol, settings)
        if settings.holdout != "auto" or protocol.days is None or split.warm_users >= _enough(ranges, settings):
            break
    ranges.drop(EVENTS)
    return _drawn(ranges, split, settings)


def _drawn(ranges: Ranges, split: HoldoutSplit, settings: PrepareSettings) -> HoldoutSplit:
    """The holdout of so many users at most as are to be measured."""
    users = np.flatnonzero(split.having)
    if len(users) <= settings.holdout_max_users:
        return split
    measured = np.zeros(ranges.n_users, np.bool_)
    random = np.random.default_rng((settings.holdout_seed, settings.holdout_max_users))
    measured[random.permutation(users)[: settings.holdout_max_users]] = True
    for place in range(ranges.n):
        rows = ranges.shelf.rows(HOLDOUT, place)
        ranges.shelf.put(HOLDOUT, place, rows.take(measured[rows.user]))
    return replace(split, measured=measured)


def _protocols(ranges: Ranges, cutoff: datetime, settings: PrepareSettings) -> Iterator[Protocol]:
    """The protocols to try, one after the other."""
    if settings.holdout in ("auto", "days"):
        for width in (1, 2, 4) if settings.holdout == "auto" else (1,):
            days = width * settings.holdout_days
            start = microseconds(cutoff - timedelta(days=days))  # local days: 23 or 25 hours where the clocks change
            yield Protocol("days", start, days)
    if settings.holdout == "auto":
        yield Protocol("last", microseconds(cutoff))
    elif settings.holdout == "user-fold":
        yield Protocol("user-fold", microseconds(cutoff), unseen=_fold(ranges, settings))
    elif settings.holdout != "days":
        yield Protocol(settings.holdout, microseconds(cutoff))


def _enough(ranges: Ranges, settings: PrepareSettings) -> int:
    """For how many warm users `auto` takes the last days."""
    active = int((ranges.counts(PAIRS)[0] > 0).sum())
    return min(settings.holdout_min_users, max(1, active // 2))


def _split(ranges: Ranges, protocol: Protocol, settings: PrepareSettings) -> HoldoutSplit:
    """Part every range's pairs, and count what models are left with."""
    evaluated = np.zeros(ranges.n_users, np.bool_)
    random = np.random.default_rng(settings.holdout_seed)  # draws one range after the other
    for place in range(ranges.n):
        if protocol.days is None:
            train, holdout = _parted(ranges.pairs(place), protocol, settings, random, ranges.n_users)
            ranges.shelf.put(TRAIN, place, train)
            del train
        else:
            holdout = ranges.last_days(place, protocol.start)
        holdout = holdout.take(np.lexsort((holdout.item, holdout.user)))
        evaluated[holdout.user] = True
        ranges.shelf.put(HOLDOUT, place, holdout)
        del holdout
    return HoldoutSplit(protocol, k_core(ranges, TRAIN, settings), evaluated, evaluated)


def _parted(
    pairs: Rows, protocol: Protocol, settings: PrepareSettings, random: np.random.Generator, n_users: int
) -> tuple[Rows, Rows]:
    """Train on all pairs but those that the protocol holds out."""
    if protocol.name == "random":
        rows = _at_random(pairs, settings, random, n_users)
    else:
        rows = _lasts(pairs, settings, n_users)
        if protocol.unseen is not None:
            rows = rows[np.isin(pairs.user[rows], protocol.unseen)]
    held: Bools = np.zeros(len(pairs), np.bool_)
    held[rows] = True
    return pairs.take(~held), pairs.take(held)


def _fold(ranges: Ranges, settings: PrepareSettings) -> Places:
    """A random share of the users with more than their last items: held out of training (strong generalization)."""
    having = np.zeros(ranges.n_users, np.bool_)
    for place in range(ranges.n):
        pairs = ranges.pairs(place)
        having[pairs.user[_lasts(pairs, settings, ranges.n_users)]] = True
    users = np.flatnonzero(having).astype(np.int32)
    n = max(1, round(settings.holdout_share * len(users)))
    unseen: Places = np.sort(np.random.default_rng(settings.holdout_seed).permutation(users)[:n])
    return unseen


def _lasts(pairs: Rows, settings: PrepareSettings, n_users: int) -> Places:
    """The rows of each user's last items of positive weight, of users that have more than those."""
    positive = np.flatnonzero(pairs.weight > 0)
    user = pairs.user[positive]
    count = np.bincount(user, minlength=n_users)
    place = np.arange(len(user)) - (np.cumsum(count) - count)[user]  # 0 for a user's first item
    left = count[user] - settings.holdout_items
    rows: Places = positive[(left > 0) & (place >= left)]
    return rows


def _at_random(pairs: Rows, settings: PrepareSettings, random: np.random.Generator, n_users: int) -> Places:
    """A random share of all items of positive weight, at whatever time; a user's only item is never taken."""
    positive = np.flatnonzero(pairs.weight > 0)
    user = pairs.user[positive]
    drawn = random.random(len(user))
    taken = drawn < settings.holdout_share
    largest = np.zeros(n_users)
    np.maximum.at(largest, user, drawn)
    taken &= drawn < largest[user]  # a user who would lose everything keeps one
    rows: Places = positive[taken]
    return rows
