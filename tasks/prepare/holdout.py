"""The holdout: which interactions are kept from training, to measure the candidates on."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from tasks.prepare.interactions import Log, Places, Rows, core, merge
from tasks.prepare.settings import PrepareSettings


@dataclass(frozen=True)
class Split:
    """What is trained on and what is measured."""

    protocol: str
    start: int  # µs; every training row is earlier (under "days")
    train: Rows
    holdout: Rows
    days: int | None
    warm_users: int  # that can be measured and have a history to learn from
    unseen: Places | None = None  # users of whom nothing is learnt, though their lists are made for their history


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def hold_out(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareSettings) -> Split:
    """The holdout by the configured protocol; ``auto`` takes the shortest one that measures enough users."""
    if rules.holdout == "days":
        return last_days(log, pairs, cutoff, rules, rules.holdout_days)
    if rules.holdout == "auto":
        users, _ = log.learnt(pairs)
        enough = min(rules.holdout_min_users, max(1, int((users > 0).sum()) // 2))
        for width in (1, 2, 4):
            split = last_days(log, pairs, cutoff, rules, width * rules.holdout_days)
            if split.warm_users >= enough:
                return split
    if rules.holdout == "random":
        return at_random(log, pairs, cutoff, rules)
    if rules.holdout == "user-fold":
        return user_fold(log, pairs, cutoff, rules)
    return last_items(log, pairs, cutoff, rules)


def last_days(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareSettings, days: int) -> Split:
    """Train on what came before the last days, measure on what is new to a user in them."""
    start = microseconds(cutoff - timedelta(days=days))  # local days: 23 or 25 hours where the clocks change
    train = merge(log, log.events.take(log.events.timestamp < start), rules.duplicates)
    new = (pairs.first >= start) & (pairs.weight > 0)
    return measured(log, Split("days", start, core(log, train, rules), pairs.take(new), days, 0))


def last_items(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareSettings) -> Split:
    """Measure on each user's last items of interest, for users that have more than those."""
    return without(log, pairs, lasts(log, pairs, rules), "last", cutoff, rules)


def user_fold(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareSettings) -> Split:
    """The same for a random share of these users, of whom models learn nothing: strangers who bring their history."""
    held = lasts(log, pairs, rules)
    users = np.unique(pairs.user[held])
    n = max(1, round(rules.holdout_share * len(users)))
    unseen = np.sort(np.random.default_rng(rules.holdout_seed).permutation(users)[:n])
    held = held[np.isin(pairs.user[held], unseen)]
    return replace(without(log, pairs, held, "user-fold", cutoff, rules), unseen=unseen)


def lasts(log: Log, pairs: Rows, rules: PrepareSettings) -> Places:
    """The rows of each user's last items of interest, of users that have more than those."""
    of_interest = np.flatnonzero(pairs.weight > 0)
    user = pairs.user[of_interest]
    count = np.bincount(user, minlength=log.n_users)
    place = np.arange(len(user)) - (np.cumsum(count) - count)[user]  # 0 for a user's first item
    left = count[user] - rules.holdout_items
    rows: Places = of_interest[(left > 0) & (place >= left)]
    return rows


def at_random(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareSettings) -> Split:
    """Measure on a random share of all items of interest, whenever they came; a user's only item is never taken."""
    of_interest = np.flatnonzero(pairs.weight > 0)
    user = pairs.user[of_interest]
    drawn = np.random.default_rng(rules.holdout_seed).random(len(user))
    taken = drawn < rules.holdout_share
    largest = np.zeros(log.n_users)
    np.maximum.at(largest, user, drawn)
    taken &= drawn < largest[user]  # somebody who would lose everything keeps one
    return without(log, pairs, of_interest[taken], "random", cutoff, rules)


def without(log: Log, pairs: Rows, held_rows: Places, protocol: str, cutoff: datetime, rules: PrepareSettings) -> Split:
    """Train on all pairs but those held out."""
    held = np.zeros(len(pairs), np.bool_)
    held[held_rows] = True
    train = core(log, pairs.take(~held), rules)
    return measured(log, Split(protocol, microseconds(cutoff), train, pairs.take(held), None, 0))


def measured(log: Log, split: Split) -> Split:
    """The split with its holdout by user and item, and its warm users counted."""
    holdout = split.holdout.take(np.lexsort((split.holdout.item, split.holdout.user)))
    history, _ = log.learnt(split.train)
    warm = (history > 0) & (np.bincount(holdout.user, minlength=log.n_users) > 0)
    return replace(split, holdout=holdout, warm_users=int(warm.sum()))
