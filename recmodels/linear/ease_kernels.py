"""EASE column by column, compiled: the ridge regression of each item on a few other items."""

import numpy as np

from recmodels.compute.jit import fast_jit, inlined_fast_jit
from recmodels.data.arrays import Floats, Ints
from recmodels.scoring.kernels import Sparse

TASKS = 64  # parts into which items are divided, item r of the order going to part r % TASKS
STEPS, TOLERANCE = 100, np.float32(1e-5)  # of conjugate gradients at most; of the residual


@inlined_fast_jit
def _gram(chosen: Ints, of_item: Sparse, head: Ints, links: Ints, places: Ints, weights: Floats, gram: Floats) -> None:
    """The products of the columns of X of the items `chosen` [m]: the lower half of gram[:m, :m].

    The entries of a user lie in a chain, which each further item of that user's is multiplied with.
    """
    indptr, indices, data = of_item
    n = 0
    for place in range(len(chosen)):
        row = gram[place]
        row[: place + 1] = 0
        item = chosen[place]
        for at in range(indptr[item], indptr[item + 1]):
            user, weight = indices[at], data[at]
            entry = head[user]
            while entry >= 0:
                row[places[entry]] += weight * weights[entry]
                entry = links[entry]
            row[place] += weight * weight
            links[n], places[n], weights[n] = head[user], place, weight
            head[user] = n
            n += 1
    for item in chosen:
        for at in range(indptr[item], indptr[item + 1]):
            head[indices[at]] = -1


@inlined_fast_jit
def _solve(gram: Floats, m: int, ridge: np.float32, x: Floats) -> None:
    """x[1:m] = (G + ridge I)^-1 g by conjugate gradients: G = gram[1:m, 1:m], whole; g = gram[1:m, 0]."""
    r, d, q = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    power = np.float32(0)
    for i in range(1, m):
        x[i] = 0
        r[i] = gram[i, 0]
        d[i] = r[i] / (gram[i, i] + ridge)
        power += r[i] * d[i]
    enough = TOLERANCE * TOLERANCE * power
    for _ in range(STEPS):
        if not power > enough:
            break
        along = np.float32(0)
        for i in range(1, m):
            total = np.float32(0)
            for j in range(1, m):
                total += gram[i, j] * d[j]
            q[i] = total + ridge * d[i]
            along += q[i] * d[i]
        length = power / along
        before = power
        power = np.float32(0)
        for i in range(1, m):
            x[i] += length * d[i]
            r[i] -= length * q[i]
            power += r[i] * r[i] / (gram[i, i] + ridge)
        for i in range(1, m):
            d[i] = r[i] / (gram[i, i] + ridge) + power / before * d[i]


@fast_jit
def regressions(
    part: int,
    order: Ints,
    of_item: Sparse,
    near: Sparse,
    ridge: np.float32,
    n_users: int,
    width: int,
    n_entries: int,
) -> None:
    """Replace the values of the rows `near` [n, n] of some items by their regression on the items of the row.

    `of_item` holds the columns of X [n, n_users]; no row and its item have more than `n_entries` interactions, nor are
    more than `width` items.
    """
    indptr, indices, data = near
    head = np.full(n_users, -1, np.int32)
    links, places, weights = (
        np.empty(n_entries, np.int32),
        np.empty(n_entries, np.int32),
        np.empty(n_entries, np.float32),
    )
    gram, x = np.empty((width, width), np.float32), np.empty(width, np.float32)
    chosen = np.empty(width, np.int32)
    for at in range(part, len(order), TASKS):
        item = order[at]
        start = indptr[item]
        m = int(indptr[item + 1] - start) + 1
        chosen[0] = item
        for i in range(1, m):
            chosen[i] = indices[start + i - 1]
        _gram(chosen[:m], of_item, head, links, places, weights, gram)
        for i in range(1, m):
            for j in range(1, i):
                gram[j, i] = gram[i, j]
        _solve(gram, m, ridge, x)
        for i in range(1, m):
            data[start + i - 1] = x[i]
