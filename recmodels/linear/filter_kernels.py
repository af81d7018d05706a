"""Lists of a low-rank and a sparse part together, compiled: few of the products of the low-rank part are computed."""

import numpy as np

from recmodels.compute.jit import inlined_fast_jit, jit
from recmodels.data.arrays import Doubles, Floats, Ints
from recmodels.ranking.topk_kernels import push, rank, worse
from recmodels.scoring.kernels import TASKS, Flags, Sparse, accumulate, select

ROUNDING = np.float32(1e-5)
"""By what share of its terms a bound may be too low: what float32 makes of a few sums and products."""

FIRST = 4
"""How many times as many items as a list has are looked at first."""


@inlined_fast_jit
def _product(left: Doubles, rights: Floats, row: int) -> float:
    """The product of a vector and a row of vectors, summed up in float64."""
    total = 0.0
    for at in range(len(left)):
        total += left[at] * rights[row, at]
    return total


@jit
def filter_lists(
    spectrum: Doubles,
    lengths: Floats,
    history: Sparse,
    near: Sparse,
    vectors: Floats,
    norms: Floats,
    scale: Floats,
    listed: Flags,
    seen: Sparse,
    items: Ints,
    scores: Floats,
    task: int,
) -> None:
    """The k best items of every TASKS-th row of (spectrum vectorsᵀ + history near) scale, best first.

    The product of a row of `spectrum` [b, r] of length lengths_b and an item's vector [n, r] of length norms_i is at
    most that of their lengths. So the sparse part, which is computed for all items, tells which of them can be in the
    list: first come those with the highest bounds, then all that reach the worst of these. Only items that are `listed`
    [n] take part, and none that row b of `seen` stores. Fills `items` and `scores` [b, k], which hold -1 and -inf.
    """
    if task >= len(items):
        return
    n = len(scale)
    values, bounds = np.zeros(n, np.float32), np.empty(n, np.float32)
    most = min(n, FIRST * items.shape[1])
    first, highest = np.empty(most, np.int32), np.empty(most, np.float32)
    for row in range(task, len(items), TASKS):
        accumulate(row, history, near, values)
        length = lengths[row] * (np.float32(1) + ROUNDING)
        for column in range(n):
            value = values[column]
            bound = (length * norms[column] + value + ROUNDING * abs(value)) * scale[column]
            bounds[column] = bound if listed[column] else -np.float32(np.inf)
        for at in range(seen[0][row], seen[0][row + 1]):
            bounds[seen[1][at]] = -np.float32(np.inf)
        filled = 0
        for place in range(select(bounds, first, highest)):
            column = first[place]
            score = (np.float32(_product(spectrum[row], vectors, column)) + values[column]) * scale[column]
            if filled < items.shape[1] or worse(scores[row, 0], items[row, 0], score, column):
                filled = push(items[row], scores[row], filled, column, score)
            bounds[column] = -np.float32(np.inf)
        if filled == items.shape[1]:
            floor = scores[row, 0]
            for column in range(n):
                if bounds[column] < floor:
                    continue
                score = (np.float32(_product(spectrum[row], vectors, column)) + values[column]) * scale[column]
                if worse(scores[row, 0], items[row, 0], score, column):
                    push(items[row], scores[row], filled, column, score)
                    floor = scores[row, 0]
        rank(items[row], scores[row], filled)
        values[:] = 0
