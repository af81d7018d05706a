"""The holdout: which interactions are kept out of training, to evaluate the candidates on."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from tasks.prepare.interactions import Log, Places, Rows, core, merge
from tasks.prepare.settings import PrepareSettings


@dataclass(frozen=True)
class HoldoutSplit:
    """What models are trained on, and what they are evaluated on."""

    protocol: str
    start: int  # µs; every training row is earlier (under "days")
    train: Rows
    holdout: Rows
    days: int | None
    warm_users: int  # of the holdout, who also have training rows of positive weight
    unseen: Places | None = None  # users held out of training; their lists are made from their history


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def hold_out(log: Log, pairs: Rows, cutoff: datetime, settings: PrepareSettings) -> HoldoutSplit:
    """The holdout by the configured protocol; `auto` takes the shortest one with enough warm users."""
    if settings.holdout == "days":
        return _last_days(log, pairs, cutoff, settings, settings.holdout_days)
    if settings.holdout == "auto":
        users, _ = log.positive_counts(pairs)
        enough = min(settings.holdout_min_users, max(1, int((users > 0).sum()) // 2))
        for width in (1, 2, 4):
            split = _last_days(log, pairs, cutoff, settings, width * settings.holdout_days)
            if split.warm_users >= enough:
                return split
    if settings.holdout == "random":
        return _at_random(log, pairs, cutoff, settings)
    if settings.holdout == "user-fold":
        return _user_fold(log, pairs, cutoff, settings)
    return _last_items(log, pairs, cutoff, settings)


def _last_days(log: Log, pairs: Rows, cutoff: datetime, settings: PrepareSettings, days: int) -> HoldoutSplit:
    """Train on what came before the last days; hold out what is new to a user in them."""
    start = microseconds(cutoff - timedelta(days=days))  # local days: 23 or 25 hours where the clocks change
    train = merge(log, log.events.take(log.events.timestamp < start), settings.duplicates)
    return _measured(log, HoldoutSplit("days", start, core(log, train, settings), new_since(pairs, start), days, 0))


def new_since(pairs: Rows, start: int) -> Rows:
    """The pairs of positive weight that are new to their user from an instant (µs) on."""
    return pairs.take((pairs.first >= start) & (pairs.weight > 0))


def _last_items(log: Log, pairs: Rows, cutoff: datetime, settings: PrepareSettings) -> HoldoutSplit:
    """Hold out each user's last items of positive weight, of users that have more than those."""
    return _without(log, pairs, _lasts(log, pairs, settings), "last", cutoff, settings)


def _user_fold(log: Log, pairs: Rows, cutoff: datetime, settings: PrepareSettings) -> HoldoutSplit:
    """The same for a random share of these users, who are held out of training (strong generalization)."""
    held = _lasts(log, pairs, settings)
    users = np.unique(pairs.user[held])
    n = max(1, round(settings.holdout_share * len(users)))
    unseen = np.sort(np.random.default_rng(settings.holdout_seed).permutation(users)[:n])
    held = held[np.isin(pairs.user[held], unseen)]
    return replace(_without(log, pairs, held, "user-fold", cutoff, settings), unseen=unseen)


def _lasts(log: Log, pairs: Rows, settings: PrepareSettings) -> Places:
    """The rows of each user's last items of positive weight, of users that have more than those."""
    positive = np.flatnonzero(pairs.weight > 0)
    user = pairs.user[positive]
    count = np.bincount(user, minlength=log.n_users)
    place = np.arange(len(user)) - (np.cumsum(count) - count)[user]  # 0 for a user's first item
    left = count[user] - settings.holdout_items
    rows: Places = positive[(left > 0) & (place >= left)]
    return rows


def _at_random(log: Log, pairs: Rows, cutoff: datetime, settings: PrepareSettings) -> HoldoutSplit:
    """Hold out a random share of all items of positive weight, at whatever time; a user's only item is never taken."""
    positive = np.flatnonzero(pairs.weight > 0)
    user = pairs.user[positive]
    drawn = np.random.default_rng(settings.holdout_seed).random(len(user))
    taken = drawn < settings.holdout_share
    largest = np.zeros(log.n_users)
    np.maximum.at(largest, user, drawn)
    taken &= drawn < largest[user]  # a user who would lose everything keeps one
    return _without(log, pairs, positive[taken], "random", cutoff, settings)


def _without(
    log: Log, pairs: Rows, held_rows: Places, protocol: str, cutoff: datetime, settings: PrepareSettings
) -> HoldoutSplit:
    """Train on all pairs but those held out."""
    held = np.zeros(len(pairs), np.bool_)
    held[held_rows] = True
    train = core(log, pairs.take(~held), settings)
    return _measured(log, HoldoutSplit(protocol, microseconds(cutoff), train, pairs.take(held), None, 0))


def _measured(log: Log, split: HoldoutSplit) -> HoldoutSplit:
    """The split with its holdout by user and item, and its warm users counted."""
    holdout = split.holdout.take(np.lexsort((split.holdout.item, split.holdout.user)))
    history, _ = log.positive_counts(split.train)
    warm = (history > 0) & (np.bincount(holdout.user, minlength=log.n_users) > 0)
    return replace(split, holdout=holdout, warm_users=int(warm.sum()))
