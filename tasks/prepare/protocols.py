"""Protocols of holdouts: which of a range's pairs are trained on, and which are held out."""

from dataclasses import dataclass

import numpy as np

from recmodels.data.arrays import Bools
from tasks.prepare.interactions import Places, Rows
from tasks.prepare.settings import PrepareSettings


@dataclass(frozen=True)
class Protocol:
    """How a range's pairs are parted into training and holdout."""

    name: str
    start: int  # µs; every training row is earlier (under "days")
    days: int | None = None
    unseen: Places | None = None  # users held out of training; their lists are made from their history


def parted(
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


def by_item(held: Rows) -> Rows:
    """What is held out, by user, then item."""
    return held.take(np.lexsort((held.item, held.user)))


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
