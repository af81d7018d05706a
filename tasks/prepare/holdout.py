"""The holdout: which interactions are kept out of training, to evaluate the candidates on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from recmodels.data.arrays import Bools
from tasks.prepare.interactions import Places
from tasks.prepare.protocols import Protocol
from tasks.prepare.ranges import EVENTS, PAIRS, TRAIN, Core, Ranges, k_core
from tasks.prepare.settings import PrepareSettings


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
    ranges.measure(measured)
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
    having = ranges.hold_out(protocol, settings)
    return HoldoutSplit(protocol, k_core(ranges, TRAIN, settings), having, having)


def _fold(ranges: Ranges, settings: PrepareSettings) -> Places:
    """A random share of the users with more than their last items: held out of training (strong generalization)."""
    users = np.flatnonzero(ranges.pairs_of_users() > settings.holdout_items).astype(np.int32)
    n = max(1, round(settings.holdout_share * len(users)))
    unseen: Places = np.sort(np.random.default_rng(settings.holdout_seed).permutation(users)[:n])
    return unseen
