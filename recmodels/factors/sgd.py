"""Stochastic gradient descent over (user, item) pairs in parallel, with results that no number of threads changes.

Users and items are cut at random, anew each epoch, into B blocks each, and so the pairs into B² cells. Cells that share
neither users nor items touch different parameters: B of them at a time are worked through in parallel, without locks
and without races (distributed SGD: Gemulla et al., KDD 2011). A cell's vectors also fit the processor's
cache better than those of everybody. Each cell draws its own random numbers, from the seed, the epoch and its number.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.compute.jit import fast_jit, inlined_fast_jit, jit, parallel_for
from recmodels.data.arrays import Floats, Ints, Longs

Blocks: TypeAlias = NDArray[np.int8]

MAX_BLOCKS = 16  # of users and of items, whatever the number of threads: more threads than this would stand idle
MIN_BLOCK = 64  # users or items of a block on average, so that there are negatives to draw
MAX_DRAWS = 32  # after which a user's history is taken to hold every item of the block
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the step of SplitMix64


def each_cell(work: Callable[[int], object], blocks: int) -> None:
    """Call `work` with the number of every cell: `blocks` of them that share nothing in parallel, then the next."""
    for shift in range(blocks):
        parallel_for(work, (block * blocks + (block + shift) % blocks for block in range(blocks)))


def blocks_for(n_users: int, n_items: int) -> int:
    """Into how many blocks users and items are cut."""
    return max(1, min(MAX_BLOCKS, n_users // MIN_BLOCK, n_items // MIN_BLOCK))


@jit
def _mixed(state: np.uint64) -> np.uint64:
    """One step of SplitMix64 (Steele et al., 2014): a number without pattern for each state."""
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@jit
def _drawn(state: np.uint64, n: int) -> int:
    """A number below n (n < 2³²), from the upper half of the bits."""
    return int(((_mixed(state) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@jit
def _drawn_by_probability(state: np.uint64, ends: NDArray[np.float64], first: int, size: int) -> int:
    """One of `size` places from `first` on, drawn by probability; `ends` are the cumulative sums over all places."""
    below = ends[first - 1] if first else 0.0
    share = (_mixed(state) >> np.uint64(11)) / np.float64(2**53)
    wanted = below + share * (ends[first + size - 1] - below)
    start, stop = first, first + size - 1
    while start < stop:
        middle = (start + stop) // 2
        if ends[middle] <= wanted:
            start = middle + 1
        else:
            stop = middle
    return start


@jit
def cells(
    users: Ints, items: Ints, user_block: Blocks, item_block: Blocks, blocks: int
) -> tuple[Ints, Ints, Ints, Longs]:
    """The pairs cell by cell, in their order within each: users, items, places in the input, starts [blocks² + 1]."""
    counts = np.zeros(blocks * blocks + 1, np.int64)
    for at in range(len(users)):
        counts[np.int64(user_block[users[at]]) * blocks + item_block[items[at]] + 1] += 1
    starts = np.cumsum(counts)
    free = starts.copy()
    by_user, by_item = np.empty(len(users), np.int32), np.empty(len(users), np.int32)
    source = np.empty(len(users), np.int32)
    for at in range(len(users)):
        cell = np.int64(user_block[users[at]]) * blocks + item_block[items[at]]
        place = free[cell]
        free[cell] += 1
        by_user[place], by_item[place], source[place] = users[at], items[at], at
    return by_user, by_item, source, starts


@jit
def _holds(indices: Ints, start: int, stop: int, wanted: int) -> bool:
    """Whether `indices`, which ascend between `start` and `stop`, hold a number there."""
    end = stop
    while start < stop:
        middle = (start + stop) // 2
        if indices[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start < end and indices[start] == wanted


@inlined_fast_jit
def _dot(left: Floats, right: Floats) -> np.float32:
    total = np.float32(0)
    for f in range(len(left)):
        total += left[f] * right[f]
    return total


@fast_jit
def bpr_cell(
    by_user: Ints,
    by_item: Ints,
    weights: Floats,
    starts: Longs,
    members: Ints,
    member_starts: Longs,
    ends: NDArray[np.float64],
    indptr: NDArray[Any],
    indices: Ints,
    U: Floats,
    V: Floats,
    bias: Floats,
    rate: np.float32,
    reg: np.float32,
    candidates: int,
    seed: int,
    cell: int,
) -> None:
    """One pass over the pairs of a cell, each against an item of its block outside the user's history (`indices`).

    Of `candidates` such items the one with the highest score is taken. `members` lists the items block by block, `ends`
    are the cumulative sums of their sampling probabilities (empty: uniform). Where MAX_DRAWS items are all of the
    user's history, the pair is left out of this epoch. `weights` are those of the pairs, cell by cell (empty: 1).
    """
    block = cell % (len(member_starts) - 1)
    first, size = member_starts[block], member_starts[block + 1] - member_starts[block]
    state = _mixed(np.uint64(seed) + np.uint64(cell + 1) * GOLDEN)
    for at in range(starts[cell], starts[cell + 1]):
        user, item = by_user[at], by_item[at]
        u, v = U[user], V[item]
        negative, drawn = -1, 0
        best = np.float32(0)
        for _ in range(MAX_DRAWS):
            state += GOLDEN
            place = _drawn_by_probability(state, ends, first, size) if len(ends) else first + _drawn(state, size)
            candidate = members[place]
            if _holds(indices, indptr[user], indptr[user + 1], candidate):
                continue
            score = best if candidates == 1 else bias[candidate] + _dot(u, V[candidate])
            if negative < 0 or score > best:
                negative, best = candidate, score
            drawn += 1
            if drawn == candidates:
                break
        if negative < 0:
            continue
        w = V[negative]
        margin = bias[item] - bias[negative] + _dot(u, v) - _dot(u, w)
        pull = (weights[at] if len(weights) else np.float32(1)) / (np.float32(1) + np.exp(margin))
        for f in range(len(u)):
            a, b, c = u[f], v[f], w[f]
            u[f] += rate * (pull * (b - c) - reg * a)
            v[f] += rate * (pull * a - reg * b)
            w[f] += rate * (-pull * a - reg * c)
        bias[item] += rate * (pull - reg * bias[item])
        bias[negative] += rate * (-pull - reg * bias[negative])


@fast_jit
def mf_cell(
    by_user: Ints,
    by_item: Ints,
    ratings: Floats,
    starts: Longs,
    mean: np.float32,
    U: Floats,
    V: Floats,
    user_bias: Floats,
    item_bias: Floats,
    rate: np.float32,
    reg: np.float32,
    bias_reg: np.float32,
    cell: int,
) -> None:
    """One pass over the ratings of a cell; `ratings` lie cell by cell."""
    for at in range(starts[cell], starts[cell + 1]):
        user, item = by_user[at], by_item[at]
        u, v = U[user], V[item]
        error = ratings[at] - mean - user_bias[user] - item_bias[item] - _dot(u, v)
        for f in range(len(u)):
            a, b = u[f], v[f]
            u[f] += rate * (error * b - reg * a)
            v[f] += rate * (error * a - reg * b)
        user_bias[user] += rate * (error - bias_reg * user_bias[user])
        item_bias[item] += rate * (error - bias_reg * item_bias[item])
