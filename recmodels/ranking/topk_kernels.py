"""Selecting the best of many scores, compiled: each score is read once, and few of them twice.

The k best so far of a row lie in a heap whose root is the worst of them (of equal scores, the larger index): what does
not reach the root is passed over, GROUP scores at a time.
"""

from typing import TypeAlias

import numpy as np

from recmodels.compute.jit import inlined_fast_jit, jit
from recmodels.data.arrays import Floats, Ints, Longs

Score: TypeAlias = float | np.float32

GROUP, PIECE = 64, 16  # scores compared with the worst of the best at once, before any of them is looked at
MAX_LANES, HALVINGS = 1024, 12
FIRST_CELLS = 8
LOWEST = np.float32(np.finfo(np.float32).min)


@jit
def worse(score: Score, item: int, than_score: Score, than_item: int) -> bool:
    """Whether an entry ranks below another one."""
    return bool(score < than_score or (score == than_score and item > than_item))


@jit
def push(items: Ints, scores: Floats, filled: int, item: int, score: Score) -> int:
    """Put an entry into the heap, in place of its root if it is full; how many entries there are then."""
    if filled < len(items):
        at = filled
        while at > 0 and worse(score, item, scores[(at - 1) // 2], items[(at - 1) // 2]):
            items[at], scores[at] = items[(at - 1) // 2], scores[(at - 1) // 2]
            at = (at - 1) // 2
        items[at], scores[at] = item, score
        return filled + 1
    sift(items, scores, filled, item, score)
    return filled


@jit
def sift(items: Ints, scores: Floats, filled: int, item: int, score: Score) -> None:
    """Replace the root of a heap of `filled` entries."""
    at = 0
    while 2 * at + 1 < filled:
        child = 2 * at + 1
        if child + 1 < filled and worse(scores[child + 1], items[child + 1], scores[child], items[child]):
            child += 1
        if not worse(scores[child], items[child], score, item):
            break
        items[at], scores[at] = items[child], scores[child]
        at = child
    items[at], scores[at] = item, score


@jit
def rank(items: Ints, scores: Floats, filled: int) -> None:
    """Turn the heap into a list, best first."""
    for last in range(filled - 1, 0, -1):
        item, score = items[last], scores[last]
        items[last], scores[last] = items[0], scores[0]
        sift(items, scores, last, item, score)


@jit
def holds(indices: Ints, start: int, stop: int, index: int) -> bool:
    """Whether an index is among ascending ones; halves without branches."""
    length = stop - start
    while length > 1:
        half = length // 2
        start += half * int(indices[start + half - 1] < index)
        length -= half
    return length == 1 and indices[start] == index


@inlined_fast_jit
def dot(left: Floats, rights: Floats, row: int) -> np.float32:
    """The product of a vector and a row of vectors, always summed up in the same order."""
    total = np.float32(0)
    for at in range(len(left)):
        total += left[at] * rights[row, at]
    return total


@jit
def lower_bound(line: Floats, rank: int, lanes: Floats) -> np.float32:
    """A score that at least `rank` of the line reach: not far below the rank-th largest of the maxima of its parts.

    `lanes` is working memory, a number a part; with fewer than twice as many parts as `rank`, the answer is LOWEST.
    """
    n = len(lanes)
    if 2 * rank > n:
        return LOWEST
    lanes[:] = LOWEST
    for turn in range(len(line) // n):
        part = line[turn * n : (turn + 1) * n]
        for at in range(n):
            lanes[at] = part[at] if part[at] > lanes[at] else lanes[at]
    high, low, finite = np.float32(lanes.max()), np.float32(np.inf), 0
    for at in range(n):
        if lanes[at] > LOWEST:
            low, finite = min(low, lanes[at]), finite + 1
    if finite < rank:
        return LOWEST
    for _ in range(HALVINGS):
        middle = np.float32(0.5) * low + np.float32(0.5) * high
        reaching = np.int32(0)
        for at in range(n):
            reaching += np.int32(lanes[at] >= middle)
        if reaching >= rank:
            low = middle
        else:
            high = middle
    return low


@jit
def select(  # noqa: PLR0912  # one loop: what a score costs is what is not done
    scores: Floats,
    rows: Ints,
    users: Floats,
    vectors: Floats,
    labels: Ints,
    slacks: Floats,
    indptr: Ints,
    seen: Ints,
    items: Ints,
    best: Floats,
    filled: Ints,
) -> int:
    """Go on with the lists of some rows of `users` [n, f], given rough scores [b, w] of these `rows` [b] for `vectors`.

    A rough score that comes within slacks[row] of the list is computed anew, so that lists do not depend on how the
    rough ones were. Item `labels[c]` [w] has the vector `vectors[c]` [w, f]. `items` and `best` [n, k] are the heaps of
    all rows, `filled` [n] how many entries each has. Row r leaves out the labels seen[indptr[r]:indptr[r + 1]], which
    ascend. Returns a row whose scores hold NaN or infinity, -1 where there is none.
    """
    k = items.shape[1]
    width = len(labels)
    lanes = np.empty(min(width // 8, MAX_LANES), np.float32)
    for place in range(len(rows)):
        row = rows[place]
        line, user, slack, count = scores[place], users[row], slacks[row], filled[row]
        listed, highest = items[row], best[row]
        begins, ends = indptr[row], indptr[row + 1]
        if count == k:
            floor = highest[0] - slack
        elif count == 0:
            floor = lower_bound(line, k + ends - begins, lanes) - slack
        else:
            floor = LOWEST
        for group in range((width + GROUP - 1) // GROUP):
            first = group * GROUP
            if first + GROUP <= width:
                reaching = np.int32(0)
                for at in range(GROUP):  # no branch, a few vector instructions; NaN counts
                    reaching += np.int32(not (line[first + at] < floor))
                if reaching == 0:
                    continue
            for piece in range(GROUP // PIECE):
                begin = first + piece * PIECE
                if begin + PIECE <= width:
                    reaching = np.int32(0)
                    for at in range(PIECE):
                        reaching += np.int32(not (line[begin + at] < floor))
                    if reaching == 0:
                        continue
                for column in range(begin, min(begin + PIECE, width)):
                    if line[column] < floor:
                        continue
                    label = labels[column]
                    if holds(seen, begins, ends, label):
                        continue
                    score = dot(user, vectors, column)
                    if not abs(score) < np.inf:
                        return int(row)
                    if count == k and not worse(highest[0], listed[0], score, label):
                        continue
                    count = push(listed, highest, count, label, score)
                    if count == k:
                        floor = highest[0] - slack
        filled[row] = count
    return -1


@jit
def select_rows(scores: Floats, first: int, last: int, items: Ints, best: Floats) -> int:
    """The lists of the rows from `first` to before `last` of the scores [n, m], into items and best [n, k].

    Returns a row that holds NaN or +inf, -1 where there is none. -inf is never listed.
    """
    k, width = items.shape[1], scores.shape[1]
    lanes = np.empty(min(width // 8, MAX_LANES), np.float32)
    for row in range(first, last):
        line, listed, highest = scores[row], items[row], best[row]
        count, floor = 0, lower_bound(line, k, lanes)
        for group in range((width + GROUP - 1) // GROUP):
            begin = group * GROUP
            if begin + GROUP <= width:
                reaching = np.int32(0)
                for at in range(GROUP):
                    reaching += np.int32(not (line[begin + at] < floor))
                if reaching == 0:
                    continue
            for column in range(begin, min(begin + GROUP, width)):
                score = line[column]
                if score < floor:
                    continue
                if not score < np.inf:
                    return row
                if count < k or score > highest[0]:  # an equal score with a larger index ranks below
                    count = push(listed, highest, count, column, score)
                    if count == k:
                        floor = highest[0]
        rank(listed, highest, count)
    return -1


@jit
def rank_proposed(
    rows: Ints, proposed: Ints, users: Floats, vectors: Floats, labels: Ints, items: Ints, best: Floats
) -> int:
    """Make the lists of some rows of items and best [n, k] from the proposed rows of `vectors` [b, p], -1 for none.

    Returns a row whose scores hold NaN or infinity, -1 where there is none.
    """
    for place in range(len(rows)):
        row, count = rows[place], 0
        listed, highest = items[row], best[row]
        for at in proposed[place]:
            if at < 0:
                continue
            score = dot(users[row], vectors, at)
            if not abs(score) < np.inf:
                return int(row)
            if count < len(listed) or worse(highest[0], listed[0], score, labels[at]):
                count = push(listed, highest, count, labels[at], score)
        rank(listed, highest, count)
    return -1


@jit
def bounds_of(user: Floats, turn: Floats, centers: Floats, radii: Floats, slack: Score, bounds: Floats) -> None:
    """What a user's products with the items of each cell rarely exceed, into bounds [c]; see `ranking.cells`."""
    inside = np.zeros(len(user), np.float32)
    for at in range(len(user)):
        for to in range(len(user)):
            inside[to] += user[at] * turn[at, to]
    length = np.sqrt(dot(inside, inside.reshape(1, -1), 0))
    for cell in range(len(centers)):
        bounds[cell] = dot(inside, centers, cell) + length * (radii[cell] + slack)


@jit
def visit(
    users: Floats,
    first: int,
    last: int,
    turn: Floats,
    centers: Floats,
    radii: Floats,
    slack: Score,
    starts: Longs,
    labels: Ints,
    vectors: Floats,
    indptr: Ints,
    seen: Ints,
    items: Ints,
    best: Floats,
) -> int:
    """Make the lists of users `first` to before `last` from the cells whose bounds reach them.

    The FIRST_CELLS with the highest bounds come first, so that few of the others have to be looked at, in their order.
    Returns a row whose scores hold NaN or infinity, -1 where there is none.
    """
    k, n_cells = items.shape[1], len(centers)
    bounds = np.empty(n_cells, np.float32)
    done = np.empty(n_cells, np.bool_)
    for row in range(first, last):
        user, listed, highest, count = users[row], items[row], best[row], 0
        bounds_of(user, turn, centers, radii, slack, bounds)
        done[:] = False
        for turn_ in range(FIRST_CELLS + n_cells):
            cell = turn_ - FIRST_CELLS
            if cell < 0:
                cell, most = 0, np.float32(-np.inf)
                for at in range(n_cells):
                    if bounds[at] > most and not done[at]:
                        cell, most = at, bounds[at]
            if done[cell] or (count == k and bounds[cell] < highest[0]):
                continue
            done[cell] = True
            for at in range(starts[cell], starts[cell + 1]):
                score = dot(user, vectors, at)
                if not abs(score) < np.inf:
                    return row
                if count == k and not worse(highest[0], listed[0], score, labels[at]):
                    continue
                if not holds(seen, indptr[row], indptr[row + 1], labels[at]):
                    count = push(listed, highest, count, labels[at], score)
        rank(listed, highest, count)
    return -1


@jit
def rank_some(rows: Ints, items: Ints, best: Floats, filled: Ints) -> None:
    """Turn the heaps of some rows into lists, best first."""
    for row in rows:
        rank(items[row], best[row], filled[row])
