"""The holdout: which interactions are kept from training, to measure the candidates on."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from tasks.pairs import Log, PrepareRules, Rows, core, merge


@dataclass(frozen=True)
class Split:
    """What is trained on and what is measured."""

    protocol: str
    start: int  # µs; every training row is earlier (except under "last")
    train: Rows
    holdout: Rows
    days: int | None
    warm_users: int  # that can be measured and have a history to learn from


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def hold_out(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareRules) -> Split:
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
    return last_item(log, pairs, cutoff, rules)


def last_days(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareRules, days: int) -> Split:
    """Train on what came before the last days, measure on what is new to a user in them."""
    start = microseconds(cutoff - timedelta(days=days))  # local days: 23 or 25 hours where the clocks change
    train = merge(log, log.events.take(log.events.timestamp < start), rules.duplicates)
    new = (pairs.first >= start) & (pairs.weight > 0)
    return measured(log, Split("days", start, core(log, train, rules), pairs.take(new), days, 0))


def last_item(log: Log, pairs: Rows, cutoff: datetime, rules: PrepareRules) -> Split:
    """Measure on each user's last item of interest, for users that have at least two."""
    of_interest = np.flatnonzero(pairs.weight > 0)
    user = pairs.user[of_interest]
    is_last = np.ones(len(user), np.bool_)
    is_last[:-1] = user[1:] != user[:-1]
    is_last &= np.bincount(user, minlength=log.n_users)[user] > 1
    held = np.zeros(len(pairs), np.bool_)
    held[of_interest[is_last]] = True
    train = core(log, pairs.take(~held), rules)
    return measured(log, Split("last", microseconds(cutoff), train, pairs.take(held), None, 0))


def measured(log: Log, split: Split) -> Split:
    """The split with its holdout by user and item, and its warm users counted."""
    holdout = split.holdout.take(np.lexsort((split.holdout.item, split.holdout.user)))
    history, _ = log.learnt(split.train)
    warm = (history > 0) & (np.bincount(holdout.user, minlength=log.n_users) > 0)
    return replace(split, holdout=holdout, warm_users=int(warm.sum()))
