"""One place of a list is drawn from what other models would put there; every propensity is exact.

Drawing from what the night's candidates propose, and not from the published list's own tail, is what makes each of them
measurable from the log afterwards: whatever a candidate proposes has a known chance of being shown.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recmodels.errors import ConfigError

NOBODY = -1


@dataclass(frozen=True)
class Explored:
    """Lists in which one place is drawn.

    Attributes:
        items: the items, best first, -1 after the last one, int64 `[n_users, k]`.
        explored: whether the place of a user was drawn from the proposals, whatever came of it, bool `[n_users]`.
        propensity: the probability with which each item came to its place, 1 outside the slot, float32 `[n_users, k]`.
        slot: the place of each user that is drawn, from 0; -1 for users without a proposal, int64 `[n_users]`.
        shares: how probable each proposal is where one is drawn, 0 for those that are none, float64
            `[n_users, n_proposers]`.
    """

    items: NDArray[np.int64]
    explored: NDArray[np.bool_]
    propensity: NDArray[np.float32]
    slot: NDArray[np.int64]
    shares: NDArray[np.float64]


def explore(
    lists: NDArray[np.integer],
    proposals: NDArray[np.integer],
    uniform: NDArray[np.float64],
    *,
    epsilon: float,
    slot: int | None = None,
    shares: NDArray[np.float64] | None = None,
) -> Explored:
    """Fill one place of each list with a proposal, for a share of the users.

    A list that is shorter than the slot is drawn at its last place. A proposal that is in the rest of the list already
    is none. Several proposals of one item add up: with `P(m)` the share of proposal m among those there are,

        propensity(item) = epsilon * sum of P(m) over the m that propose it + (1 - epsilon) * [it was there before]

    Args:
        lists: the items, best first, -1 after the last one, `[n_users, k]`.
        proposals: an item of each proposer that the list may show, -1 for none, `[n_users, n_proposers]`.
        uniform: a number in [0, 1) of each user, which decides for them, `[n_users]`.
        epsilon: the probability that a place is drawn.
        slot: the place, from 0; the last one by default.
        shares: how probable each proposer is, `[n_proposers]` or `[n_users, n_proposers]`; alike by default.

    Raises:
        ConfigError: where epsilon is not in [0, 1], or the slot not in the list.
    """
    n_users, k = lists.shape
    if not 0 <= epsilon <= 1:
        raise ConfigError(f"exploration.epsilon is {epsilon:g}; it must be between 0 and 1.")
    if slot is not None and not 0 <= slot < k:
        raise ConfigError(f"exploration.slot is {slot + 1}; lists have places 1 to {k}.")
    items = lists.astype(np.int64)
    users, length = np.arange(n_users), (items != NOBODY).sum(axis=1)
    place = np.minimum(k - 1 if slot is None else slot, length - 1)
    usual = np.where(length > 0, items[users, place], NOBODY)
    chances = _chances(items, usual, proposals, shares)
    drawn_from = (chances.sum(axis=1) > 0) & (length > 0)

    explored = drawn_from & (uniform < epsilon)
    within = np.divide(uniform, epsilon, out=np.zeros(n_users), where=explored)
    chosen = (chances.cumsum(axis=1) <= within[:, None]).sum(axis=1)
    chosen = np.minimum(chosen, chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(axis=1))  # rounding at the end
    shown = np.where(explored, proposals[users, chosen], usual)
    items[users[drawn_from], place[drawn_from]] = shown[drawn_from]

    proposed = (chances * (proposals == shown[:, None])).sum(axis=1)
    propensity = np.ones((n_users, k), np.float32)
    exact = epsilon * proposed + (1 - epsilon) * (shown == usual)
    propensity[users[drawn_from], place[drawn_from]] = exact[drawn_from]
    return Explored(items, explored, propensity, np.where(drawn_from, place, NOBODY), chances)


def _chances(
    items: NDArray[np.int64],
    usual: NDArray[np.int64],
    proposals: NDArray[np.integer],
    shares: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """The probability of each proposal where one is drawn, `[n_users, n_proposers]`; all 0 where there is none."""
    in_list = np.zeros(proposals.shape, np.bool_)
    for place in range(items.shape[1]):
        in_list |= proposals == items[:, place : place + 1]
    free = (proposals != NOBODY) & (~in_list | (proposals == usual[:, None]))
    chances = free * (np.ones(proposals.shape) if shares is None else np.broadcast_to(shares, proposals.shape))
    total = chances.sum(axis=1, keepdims=True)
    shares_of_all: NDArray[np.float64] = np.divide(chances, total, out=np.zeros(proposals.shape), where=total > 0)
    return shares_of_all
