"""Two models in one list, so that each user compares them (team draft; Radlinski, Kurup & Joachims 2008)."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
FIRST, SECOND = 0, 1
FEW = 30
"""Users, below which it is not known by them alone how much they differ."""


class Room(Protocol):
    """What still fits into the lists, of which less and less does."""

    def fits(self, users: NDArray[np.integer], items: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which items the lists of these users may take, `[n]`."""

    def take(self, users: NDArray[np.integer], items: NDArray[np.integer]) -> None:
        """These items are taken."""


def team_draft(
    first: NDArray[np.integer],
    second: NDArray[np.integer],
    k: int,
    lots: NDArray[np.integer],
    room: Room | None = None,
    within: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Interleave two lists of each user.

    The team with fewer picks is next, by lot where they have as many; it takes its best item that the list lacks. Where
    it has none left, the other one takes its place.

    Args:
        first: items, best first, -1 after the last one, `[n_users, n]`.
        second: the other model's, `[n_users, m]`.
        k: the length of the lists.
        lots: which team is next where they have as many, 0 or 1 `[n_users, k]`.
        room: what fits into the first places; a team then takes its best item that does, and loses no turn.
        within: how many places these are.

    Returns:
        The items `[n_users, k]`, and which team's they are, 0 or 1 `[n_users, k]`; -1 in both after the last one.
    """
    users = np.arange(len(first))
    wanted = _padded(first, second)  # [2, n_users, m]
    elsewhere = np.stack([_places(wanted[0], wanted[1]), _places(wanted[1], wanted[0])])
    free = wanted != NOBODY  # [2, n_users, m]: what nobody has taken
    fits = free.copy()  # what of it fits into the place
    items = np.full((len(first), k), NOBODY, np.int64)
    teams = np.full((len(first), k), NOBODY, np.int8)
    picks = np.zeros((2, len(first)), np.int64)
    for place in range(k):
        within_room = room if place < within else None
        fits = fits & free if within_room else free
        best = _best(wanted, fits, within_room)  # [2, n_users]: the first that fits, if any does
        turn = np.where(picks[0] == picks[1], lots[:, place], picks[0] > picks[1])
        turn = np.where(fits[turn, users, best[turn, users]], turn, 1 - turn)
        at = best[turn, users]
        taken = np.flatnonzero(fits[turn, users, at])
        team, at = turn[taken], at[taken]
        items[taken, place], teams[taken, place] = wanted[team, taken, at], team
        free[team, taken, at] = False
        free[1 - team, taken, elsewhere[team, taken, at]] = False
        picks[team, taken] += 1
        if within_room:
            within_room.take(taken, items[taken, place])
    return items, teams


def _best(wanted: NDArray[np.int64], fits: NDArray[np.bool_], room: Room | None) -> NDArray[np.int64]:
    """The first item of each team that fits, `[2, n_users]`; what does not, never will, and is noted in `fits`."""
    best: NDArray[np.int64] = fits.argmax(axis=2)
    team, user = np.nonzero(fits.any(axis=2))
    while room is not None and len(user):
        at = best[team, user]
        out = ~room.fits(user, wanted[team, user, at])
        team, user = team[out], user[out]
        fits[team, user, at[out]] = False
        best[team, user] = fits[team, user].argmax(axis=1)
        some = fits[team, user].any(axis=1)
        team, user = team[some], user[some]
    return best


def preference(credit_first: NDArray[np.float64], credit_second: NDArray[np.float64]) -> tuple[float, float]:
    """How much more of the rewards went to the first model than to the second, from -1 to 1, and its standard error.

    Each user is compared with themselves, so that how active they are is no noise, and counts as one for the error.

    Args:
        credit_first: what each user rewarded of the first team's items, such as clicks, `[n_users]`.
        credit_second: of the second's, `[n_users]`.
    """
    difference, total = credit_first - credit_second, credit_first + credit_second
    said = np.count_nonzero(total)
    if said < 2:
        return 0.0, float("inf")
    value = float(difference.sum() / total.sum())
    squares = ((difference - value * total) ** 2).sum()
    if said < FEW:  # who all agree may do so by chance: it is as if no model were preferred
        squares = max(squares, (difference**2).sum())
    return value, float(np.sqrt(squares * said / (said - 1)) / total.sum())


def _padded(first: NDArray[np.integer], second: NDArray[np.integer]) -> NDArray[np.int64]:
    """Both lists of each user, as long as the longer one and an empty place more, `[2, n_users, m]`."""
    m = max(first.shape[1], second.shape[1]) + 1
    pads = (np.pad(one, ((0, 0), (0, m - one.shape[1])), constant_values=NOBODY) for one in (first, second))
    return np.stack([one.astype(np.int64) for one in pads])


def _places(items: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each item is in the other list of its user; at the empty place, where it is not, `[n_users, m]`."""
    n_users, m = items.shape
    size = int(max(items.max(initial=0), others.max(initial=0))) + 2
    row = np.arange(n_users)[:, None] * size + 1
    keys, sought = (others + row).ravel(), (items + row).ravel()
    order = np.argsort(keys, kind="stable")
    found = np.minimum(np.searchsorted(keys, sought, sorter=order), len(keys) - 1)
    at = order[found]
    there = (keys[at] == sought) & (sought % size != 0)
    places: NDArray[np.int64] = np.where(there, at % m, m - 1).reshape(n_users, m)
    return places
