"""Which item of a user's history explains what similar users recommend: compiled, a thread many users."""

import numpy as np

from recmodels.compute.jit import jit
from recmodels.data.arrays import Floats, Ints
from recmodels.scoring.kernels import Sparse

TASKS = 64  # parts into which users are divided, row r going to part r % TASKS: more than there are threads


@jit
def shared_reasons(
    users: Ints,
    lists: Ints,
    near: Sparse,
    value: Sparse,
    weight: Sparse,
    n_items: int,
    reasons: Ints,
    task: int,
) -> None:
    """The item of a user's history that adds most to the score of each listed item, for every TASKS-th user.

    Row r of `near` holds the neighbors of users[r]; the similarity of two users is a sum of products of their rows of
    `value` over their items in common, and a neighbor votes with its row of `weight`. Fills `reasons` [n, k], which
    hold -1.
    """
    n, k = lists.shape
    if task >= n:
        return
    own = np.zeros(n_items, np.float32)  # the user's values
    slot = np.full(n_items, -1, np.int32)  # the place of an item among the user's own
    place = np.full(n_items, -1, np.int32)  # the place of an item in the list
    for row in range(task, n, TASKS):
        user = users[row]
        start, stop = np.int64(weight[0][user]), np.int64(weight[0][user + 1])
        for at in range(start, stop):
            slot[weight[1][at]] = at - start
        for at in range(value[0][user], value[0][user + 1]):
            own[value[1][at]] = value[2][at]
        for at in range(k):
            if lists[row, at] >= 0:
                place[lists[row, at]] = at
        added = np.zeros((k, stop - start), np.float32)
        for neighbor in range(near[0][row], near[0][row + 1]):
            _add_shares(near[1][neighbor], near[2][neighbor], value, weight, own, slot, place, added)
        for at in range(k):
            if lists[row, at] >= 0 and stop > start:
                best = np.argmax(added[at])  # items ascend: the first of a tie has the smaller index
                if added[at, best] > 0:
                    reasons[row, at] = weight[1][start + best]
                place[lists[row, at]] = -1
        for at in range(start, stop):
            slot[weight[1][at]] = -1
        for at in range(value[0][user], value[0][user + 1]):
            own[value[1][at]] = 0


@jit
def _add_shares(
    other: int,
    similarity: np.float32,
    value: Sparse,
    weight: Sparse,
    own: Floats,
    slot: Ints,
    place: Ints,
    added: Floats,
) -> None:
    """Divide each vote of one neighbor among the items in common, by what they add to the similarity."""
    first, last = value[0][other], value[0][other + 1]
    total = np.float32(0)
    for at in range(first, last):
        total += own[value[1][at]] * value[2][at]
    if total <= 0:
        return
    for vote in range(weight[0][other], weight[0][other + 1]):
        listed = place[weight[1][vote]]
        if listed >= 0:
            share = similarity * weight[2][vote] / total
            for at in range(first, last):
                own_place = slot[value[1][at]]
                if own_place >= 0:
                    added[listed, own_place] += share * own[value[1][at]] * value[2][at]
