"""Sparse products of which only the k largest values of each row are kept: compiled, one pass, a thread many rows.

A row is summed up in a dense accumulator that stays in the processor's cache (4 bytes a column, one accumulator a
task), so memory does not grow with the number of rows, and the product itself is never stored. Each row is computed by
one task, in the order in which its entries are stored: results do not depend on the number of threads.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recmodels.compute.jit import fast_jit, jit
from recmodels.compute.prefetch import LINE, prefetch
from recmodels.data.arrays import Csr, Doubles, Floats, Ints

Sparse: TypeAlias = tuple[NDArray[Any], NDArray[Any], Floats]  # indptr and indices, unsigned, and data
Flags: TypeAlias = NDArray[np.bool_]

DOT, JACCARD, PEARSON = 0, 1, 2
LANES, HALVINGS = 1024, 16  # parts whose maxima bound the k-th largest value from below, and steps to the bound
BLOCK = 64  # columns that are compared with the k-th best so far at once, before any of them is looked at
TASKS = 64  # parts into which rows are divided, row r going to part r % TASKS: more than there are threads
NARROW = 8  # a row of fewer products than columns / NARROW notes the columns it touches rather than scan all

AHEAD, LINES = 4, 8  # the first lines of a row are asked of memory so many rows before it is added


def parts(matrix: Csr) -> Sparse:
    """A sparse matrix as the kernels take it: unsigned indices spare a look whether they are negative.

    Wide ones become narrow where that holds them: each width has machine code of its own.
    """
    indptr, indices = matrix.indptr, matrix.indices
    if max(matrix.nnz, *matrix.shape) <= np.iinfo(np.int32).max:
        indptr, indices = indptr.astype(np.int32, copy=False), indices.astype(np.int32, copy=False)
    return indptr.view(f"u{indptr.itemsize}"), indices.view(f"u{indices.itemsize}"), matrix.data


@jit
def _worse(score: np.float32, item: int, than_score: np.float32, than_item: int) -> bool:
    return bool(score < than_score or (score == than_score and item > than_item))


@jit
def _push(items: Ints, scores: Floats, filled: int, item: int, score: np.float32) -> int:
    """Put an entry into a heap whose root is the worst (ties: the larger index); a full one drops its root."""
    if filled < len(items):
        at = filled
        while at > 0 and _worse(score, item, scores[(at - 1) // 2], items[(at - 1) // 2]):
            items[at], scores[at] = items[(at - 1) // 2], scores[(at - 1) // 2]
            at = (at - 1) // 2
        items[at], scores[at] = item, score
        return filled + 1
    _sift(items, scores, filled, item, score)
    return filled


@jit
def _sift(items: Ints, scores: Floats, filled: int, item: int, score: np.float32) -> None:
    """Replace the root of a heap of `filled` entries."""
    at = 0
    while 2 * at + 1 < filled:
        child = 2 * at + 1
        if child + 1 < filled and _worse(scores[child + 1], items[child + 1], scores[child], items[child]):
            child += 1
        if not _worse(scores[child], items[child], score, item):
            break
        items[at], scores[at] = items[child], scores[child]
        at = child
    items[at], scores[at] = item, score


@jit
def _ranked(items: Ints, scores: Floats, filled: int) -> None:
    """Turn the heap into a list, best first."""
    for last in range(filled - 1, 0, -1):
        item, score = items[last], scores[last]
        items[last], scores[last] = items[0], scores[0]
        _sift(items, scores, last, item, score)


@jit
def _floor(values: Floats, k: int) -> np.float32:
    """A number, at least 0, that at least k of the values exceed, and hardly more: the others need no look.

    It lies just below the k-th largest of the maxima of LANES parts; it is 0 where k is not small beside LANES.
    """
    n = min(LANES, len(values) // 8)
    if 2 * k > n:
        return np.float32(0)
    lanes = np.zeros(n, np.float32)
    for first in range(0, len(values) - n + 1, n):
        part = values[first : first + n]
        for at in range(n):
            lanes[at] = part[at] if part[at] > lanes[at] else lanes[at]
    low, high = np.float32(0), np.float32(lanes.max())
    for _ in range(HALVINGS):
        middle = low + np.float32(0.5) * (high - low)
        exceeding = np.int32(0)
        for at in range(n):
            exceeding += np.int32(lanes[at] > middle)
        if exceeding >= k:
            low = middle
        else:
            high = middle
    return low


@jit
def select(values: Floats, items: Ints, scores: Floats) -> int:
    """The largest values above 0, as a heap; how many there are."""
    filled = 0
    floor = _floor(values, len(items))
    for first in range(0, len(values), BLOCK):
        part = values[first : first + BLOCK]  # of its own: no index could be negative, or the loop does not vectorize
        reach = np.int32(0)
        if len(part) == BLOCK:
            for at in range(BLOCK):
                reach += np.int32(part[at] > floor)  # no branch: a few vector instructions
        else:
            reach = np.int32(1)
        if reach:
            for at in range(len(part)):
                if part[at] > floor:
                    filled = _push(items, scores, filled, first + at, part[at])
                    if filled == len(items):
                        floor = scores[0]
    return filled


@jit
def _select_of(values: Floats, columns: Ints, items: Ints, scores: Floats) -> int:
    """The same of the values of some columns, in whatever order."""
    filled = 0
    floor = _floor(values, len(items))
    for at in range(len(values)):
        value, column = values[at], columns[at]
        if value > floor and (filled < len(items) or _worse(scores[0], items[0], value, column)):
            filled = _push(items, scores, filled, column, value)
    return filled


@jit
def _products(row: int, matrix: Sparse, other: Sparse) -> int:
    """How many products of stored values a row of the product of two matrices takes."""
    total = 0
    for at in range(matrix[0][row], matrix[0][row + 1]):
        total += other[0][matrix[1][at] + 1] - other[0][matrix[1][at]]
    return total


@jit
def ask_ahead(at: int, indices: NDArray[Any], other: Sparse) -> None:
    """Ask memory for the row of a matrix that is read AHEAD rows after indices[at]: rows come in any order."""
    if at + AHEAD < len(indices):
        row = indices[at + AHEAD]
        start, stop = np.int64(other[0][row]), np.int64(other[0][row + 1])
        for place in range(start, min(stop, start + LINES * LINE), LINE):
            prefetch(other[1], place)
            prefetch(other[2], place)


@jit
def accumulate(row: int, matrix: Sparse, other: Sparse, values: Floats) -> None:
    """Add a row of the product of two matrices to `values`."""
    indptr, indices, data = matrix
    other_indptr, other_indices, other_data = other
    for at in range(indptr[row], indptr[row + 1]):
        ask_ahead(at, indices, other)
        weight = data[at]
        for place in range(other_indptr[indices[at]], other_indptr[indices[at] + 1]):
            values[other_indices[place]] += weight * other_data[place]


@jit
def add_product(matrix: Sparse, other: Sparse, out: Floats, part: int) -> None:
    """Add the product of two sparse matrices to a dense one, in the rows of a part."""
    values = np.zeros(out.shape[1], np.float32)
    for row in range(part, len(out), TASKS):
        accumulate(row, matrix, other, values)
        for column in range(len(values)):
            out[row, column] += values[column]
            values[column] = 0


@fast_jit
def dense_products(left: Doubles, right: Floats, out: Floats, first: int, last: int) -> None:
    """The products of a few rows [b, f] with rows `first` to `last` of others [n, f], summed up in float64: [b, n]."""
    for i in range(first, min(last, len(right))):
        for row in range(len(left)):
            total = 0.0
            for f in range(left.shape[1]):
                total += left[row, f] * right[i, f]
            out[row, i] = total


@jit
def _accumulate_noted(row: int, matrix: Sparse, other: Sparse, values: Floats, noted: Flags, columns: Ints) -> int:
    """The same, with the columns that were touched; how many they are."""
    indptr, indices, data = matrix
    other_indptr, other_indices, other_data = other
    n_columns = 0
    for at in range(indptr[row], indptr[row + 1]):
        ask_ahead(at, indices, other)
        weight = data[at]
        for place in range(other_indptr[indices[at]], other_indptr[indices[at] + 1]):
            column = other_indices[place]
            values[column] += weight * other_data[place]
            columns[n_columns] = column  # one place more than there are columns: no branch
            n_columns += int(not noted[column])
            noted[column] = True
    return n_columns


@jit
def product_lists(
    matrix: Sparse, other: Sparse, seen: Sparse, scale: Floats, items: Ints, scores: Floats, task: int
) -> None:
    """The k best columns of every TASKS-th row of (A B) scale, best first, among values above 0.

    A is [n, l], B is [l, m], and `scale` [m] multiplies each column: 0 leaves it out. Row r also leaves out the columns
    that row r of `seen` stores. Fills `items` and `scores` [n, k], which hold -1 and -inf.
    """
    if task >= len(items):
        return
    m = len(scale)
    values = np.zeros(m, np.float32)
    noted = np.zeros(m, np.bool_)
    columns, found = np.empty(m + 1, np.int32), np.empty(m, np.float32)
    for row in range(task, len(items), TASKS):
        few = _products(row, matrix, other) * NARROW < m
        n_columns = 0
        if few:
            n_columns = _accumulate_noted(row, matrix, other, values, noted, columns)
        else:
            accumulate(row, matrix, other, values)
        for at in range(seen[0][row], seen[0][row + 1]):
            values[seen[1][at]] = 0
        if few:
            for at in range(n_columns):
                column = columns[at]
                found[at] = values[column] * scale[column]
                values[column] = 0
                noted[column] = False
            filled = _select_of(found[:n_columns], columns, items[row], scores[row])
        else:
            for column in range(m):
                values[column] *= scale[column]
            filled = select(values, items[row], scores[row])
            values[:] = 0
        _ranked(items[row], scores[row], filled)


@jit
def similar_rows(
    order: NDArray[Any],
    matrix: Sparse,
    other: Sparse,
    left: Floats,
    right: Floats,
    shrinkage: np.float32,
    kind: int,
    first: int,
    items: Ints,
    scores: Floats,
    filled: Ints,
    task: int,
) -> None:
    """The k rows most similar to every TASKS-th row of A [m, l], given Bᵀ [n, l], by columns ascending.

    Row r of A is row first + r of B. With d = A B: DOT d_ij / (left_i right_j + shrinkage), JACCARD d_ij / (left_i +
    right_j - d_ij + shrinkage), `left` and `right` [n] being of the rows of B. `order` names the rows of A by falling
    cost, so that all tasks have as much to do. Fills `items` and `scores` [m, k], and in `filled` [m] how many places
    of each row; a row is never its own neighbor.
    """
    n = len(right)
    if task >= len(order):
        return
    values = np.zeros(n, np.float32)
    noted = np.zeros(n, np.bool_)
    columns, found = np.empty(n + 1, np.int32), np.empty(n, np.float32)
    for at in range(task, len(order), TASKS):
        row = order[at]
        own = first + row
        if _products(row, matrix, other) * NARROW < n:
            n_columns = _accumulate_noted(row, matrix, other, values, noted, columns)
            values[own] = 0
            for touched in range(n_columns):
                column = columns[touched]
                found[touched] = _similarity(values[column], left[own], right[column], shrinkage, kind)
                values[column] = 0
                noted[column] = False
            filled[row] = _select_of(found[:n_columns], columns, items[row], scores[row])
        else:
            accumulate(row, matrix, other, values)
            values[own] = 0
            if kind == DOT:  # two loops, each of which vectorizes
                for column in range(n):
                    values[column] = values[column] / (left[own] * right[column] + shrinkage)
            else:
                for column in range(n):
                    values[column] = values[column] / (left[own] + right[column] - values[column] + shrinkage)
            filled[row] = select(values, items[row], scores[row])
            values[:] = 0
        _by_column(items[row, : filled[row]], scores[row, : filled[row]])


@jit
def largest_of_both(one: Sparse, other: Sparse, items: Ints, scores: Floats, filled: Ints, task: int) -> None:
    """The k largest values above 0 of every TASKS-th row of two matrices that share no entries, by columns ascending.

    Fills `items` and `scores` [m, k], and in `filled` [m] how many places of each row.
    """
    for row in range(task, len(filled), TASKS):
        filled[row] = _push_row(one, row, items[row], scores[row], 0)
        filled[row] = _push_row(other, row, items[row], scores[row], filled[row])
        _by_column(items[row, : filled[row]], scores[row, : filled[row]])


@jit
def _push_row(matrix: Sparse, row: int, items: Ints, scores: Floats, filled: int) -> int:
    """Put the values above 0 of a row into a heap; how many it has then."""
    indptr, indices, data = matrix
    for at in range(indptr[row], indptr[row + 1]):
        column, value = int(np.int64(indices[at])), data[at]
        if value > 0 and (filled < len(items) or _worse(scores[0], items[0], value, column)):
            filled = _push(items, scores, filled, column, value)
    return filled


@jit
def _similarity(
    product: np.float32, left: np.float32, right: np.float32, shrinkage: np.float32, kind: int
) -> np.float32:
    if kind == DOT:
        return product / (left * right + shrinkage)
    return product / (left + right - product + shrinkage)


@jit
def _by_column(items: Ints, scores: Floats) -> None:
    by = np.argsort(items)
    items[:], scores[:] = items[by], scores[by]


@jit
def supported_rows(
    order: NDArray[Any],
    matrix: Sparse,
    other: Sparse,
    left: Floats,
    right: Floats,
    shrinkage: np.float32,
    kind: int,
    min_support: int,
    first: int,
    items: Ints,
    scores: Floats,
    filled: Ints,
    task: int,
) -> None:
    """`similar_rows` that also counts what supports each pair, and leaves out pairs with less than `min_support`.

    PEARSON: Σxy / √(Σx² Σy²) over the columns that both rows store, times (s - 1) / (s - 1 + shrinkage) for s of them
    (Koren, 2010); 0 where either is constant there, or where s is 1: any two numbers are perfectly correlated.
    """
    n = len(right)
    indptr, indices, data = matrix
    other_indptr, other_indices, other_data = other
    sums = np.zeros((n, 4), np.float32)  # for each other row: Σxy, Σx², Σy², how many
    values = np.zeros(n, np.float32)
    for place in range(task, len(order), TASKS):
        row = order[place]
        own = first + row
        for at in range(indptr[row], indptr[row + 1]):
            x = data[at]
            for entry in range(other_indptr[indices[at]], other_indptr[indices[at] + 1]):
                y = other_data[entry]
                column = other_indices[entry]
                sums[column, 0] += x * y
                sums[column, 1] += x * x
                sums[column, 2] += y * y
                sums[column, 3] += np.float32(1)
        for column in range(n):
            product, support = sums[column, 0], sums[column, 3]
            values[column] = 0
            if support < min_support or column == own or product <= 0:
                continue
            if kind == PEARSON:
                if support > 1:
                    spread = np.sqrt(sums[column, 1]) * np.sqrt(sums[column, 2])
                    trust = (support - np.float32(1)) / (support - np.float32(1) + shrinkage)
                    values[column] = min(product / spread, np.float32(1)) * trust
            elif kind == JACCARD:
                values[column] = _similarity(support, left[own], right[column], shrinkage, JACCARD)
            else:
                values[column] = _similarity(product, left[own], right[column], shrinkage, DOT)
        sums[:] = 0
        filled[row] = select(values, items[row], scores[row])
        _by_column(items[row, : filled[row]], scores[row, : filled[row]])
