"""Two models in one list, so that each user compares them (team draft; Radlinski, Kurup & Joachims 2008)."""

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
FIRST, SECOND = 0, 1


def team_draft(
    first: NDArray[np.integer], second: NDArray[np.integer], k: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Interleave two lists of each user.

    The team with fewer picks is next, by lot where they have as many; it takes its best item that the list lacks. Where
    it has none left, the other one takes its place.

    Args:
        first: items, best first, -1 after the last one, `[n_users, n]`.
        second: the other model's, `[n_users, m]`.
        k: the length of the lists.
        random: for the lots.

    Returns:
        The items `[n_users, k]`, and which team's they are, 0 or 1 `[n_users, k]`; -1 in both after the last one.
    """
    users = np.arange(len(first))
    lists = [_padded(first), _padded(second)]
    items = np.full((len(first), k), NOBODY, np.int64)
    teams = np.full((len(first), k), NOBODY, np.int8)
    picks = np.zeros((2, len(first)), np.int64)
    for place in range(k):
        lot = random.integers(2, size=len(first))
        turn = np.where(picks[0] == picks[1], lot, picks[0] > picks[1])
        best = np.stack([_next(one, items) for one in lists])  # [2, n_users]
        turn = np.where(best[turn, users] == NOBODY, 1 - turn, turn)
        items[:, place] = best[turn, users]
        taken = items[:, place] != NOBODY
        teams[taken, place] = turn[taken]
        picks[turn[taken], users[taken]] += 1
    return items, teams


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
    residuals = difference - value * total
    return value, float(np.sqrt((residuals**2).sum() * said / (said - 1)) / total.sum())


def _padded(items: NDArray[np.integer]) -> NDArray[np.int64]:
    """Lists with an empty place at their end, so that there is a next one for everybody."""
    return np.pad(items.astype(np.int64), ((0, 0), (0, 1)), constant_values=NOBODY)


def _next(wanted: NDArray[np.int64], taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each user's best item that is not taken; -1 where there is none, `[n_users]`."""
    free = (wanted != NOBODY) & ~(wanted[:, :, None] == taken[:, None, :]).any(axis=2)
    return np.where(free.any(axis=1), wanted[np.arange(len(wanted)), free.argmax(axis=1)], NOBODY)
