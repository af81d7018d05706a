"""The least-squares problems of ALS, compiled: one of f unknowns for each row, by preconditioned conjugate gradients.

Row r's matrix is diag(gram_diagonal + penalty[r]) + Σ_j w_j y_j y_jᵀ and its right side Σ_j w_j y_j, over the entries j
of the row with weights w_j and vectors y_j. The matrix is never formed: a step multiplies by its parts.
"""

import numpy as np

from recmodels.compute.jit import fast_jit, inlined_fast_jit
from recmodels.compute.prefetch import LINE, prefetch
from recmodels.data.arrays import Floats, Ints

PANEL = 512
"""Vectors that are copied side by side: at 128 factors 256 KiB, which stay in a core's own cache between the steps."""

AHEAD = 8  # so many vectors before one is copied, memory is asked for it

TINY = np.float32(1e-30)


@inlined_fast_jit
def _dot(left: Floats, right: Floats) -> np.float32:
    total = np.float32(0)
    for q in range(len(left)):
        total += left[q] * right[q]
    return total


@fast_jit
def _gather(start: int, stop: int, indices: Ints, vectors: Floats, panel: Floats) -> None:
    """Copy the vectors of some entries: each is read several times, and they lie far apart."""
    for at in range(start, stop):
        coming, row = vectors[indices[min(at + AHEAD, len(indices) - 1)]], indices[at]
        for q in range(0, len(coming), LINE):
            prefetch(coming, q)
        for q in range(vectors.shape[1]):
            panel[at - start, q] = vectors[row, q]


@inlined_fast_jit
def _add_products(panel: Floats, weights: Floats, d: Floats, one: np.float32, sign: np.float32, out: Floats) -> None:
    """Add Σ_j w_j (one + sign y_j·d) y_j to `out`, four vectors at a time, so that d and out are read less often."""
    n, f = len(weights), len(d)
    at = 0
    while at + 4 <= n:
        a = b = c = g = np.float32(0)
        for q in range(f):
            a += panel[at, q] * d[q]
            b += panel[at + 1, q] * d[q]
            c += panel[at + 2, q] * d[q]
            g += panel[at + 3, q] * d[q]
        a, b = weights[at] * (one + sign * a), weights[at + 1] * (one + sign * b)
        c, g = weights[at + 2] * (one + sign * c), weights[at + 3] * (one + sign * g)
        for q in range(f):
            out[q] += (a * panel[at, q] + b * panel[at + 1, q]) + (c * panel[at + 2, q] + g * panel[at + 3, q])
        at += 4
    while at < n:
        a = weights[at] * (one + sign * _dot(panel[at], d))
        for q in range(f):
            out[q] += a * panel[at, q]
        at += 1


@fast_jit
def solve(  # noqa: PLR0912 -- one kernel, so that the vectors stay in the cache
    first: int,
    last: int,
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    vectors: Floats,
    gram_diagonal: Floats,
    penalty: Floats,
    x: Floats,
    steps: int,
    tolerance: np.float32,
) -> None:
    """Improve the solutions x [n, f] of the rows from `first` to before `last`, in `steps` steps at most.

    Stops early where the residual falls below the tolerance, relative to the right side. Rows without entries get 0.
    """
    f = len(gram_diagonal)
    zero, one = np.float32(0), np.float32(1)
    residual, direction, product = np.empty(f, np.float32), np.empty(f, np.float32), np.empty(f, np.float32)
    scale, scaled = np.empty(f, np.float32), np.empty(f, np.float32)
    panel = np.empty((PANEL, f), np.float32)
    for row in range(first, last):
        start, stop = indptr[row], indptr[row + 1]
        solution = x[row]
        if start == stop:
            solution[:] = 0
            continue
        for q in range(f):
            scale[q] = gram_diagonal[q] + penalty[row]
            residual[q] = -scale[q] * solution[q]
        for part in range(start, stop, PANEL):
            end = min(part + PANEL, stop)
            _gather(part, end, indices, vectors, panel)
            _add_products(panel, weights[part:end], solution, one, -one, residual)
        for q in range(f):
            scaled[q] = residual[q] / scale[q]
            direction[q] = scaled[q]
        power = _dot(residual, scaled)
        size = zero  # with the residual about that of the right side
        for q in range(f):
            size += scale[q] * solution[q] * solution[q]
        enough = max(tolerance * tolerance * (power + size), TINY)
        for _ in range(steps):
            if not power > enough:
                break
            for q in range(f):
                product[q] = scale[q] * direction[q]
            for part in range(start, stop, PANEL):
                end = min(part + PANEL, stop)
                if stop - start > PANEL:  # else they are there from before
                    _gather(part, end, indices, vectors, panel)
                _add_products(panel, weights[part:end], direction, zero, one, product)
            length = power / _dot(direction, product)
            for q in range(f):
                solution[q] += length * direction[q]
                residual[q] -= length * product[q]
                scaled[q] = residual[q] / scale[q]
            before = power
            power = _dot(residual, scaled)
            for q in range(f):
                direction[q] = scaled[q] + power / before * direction[q]


@fast_jit
def products(
    first: int,
    last: int,
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    vectors: Floats,
    given: Floats,
    one: np.float32,
    sign: np.float32,
    places: Ints,
    out: Floats,
) -> None:
    """Add Σ_j w_j (one + sign y_j·d) y_j of each row from `first` to before `last` to a row of `out` [m, f].

    Row r's d is row places[r] of `given` [m, f], and so is its row of `out`.
    """
    panel = np.empty((PANEL, vectors.shape[1]), np.float32)
    for row in range(first, last):
        d, total = given[places[row]], out[places[row]]
        for part in range(indptr[row], indptr[row + 1], PANEL):
            end = min(part + PANEL, indptr[row + 1])
            _gather(part, end, indices, vectors, panel)
            _add_products(panel, weights[part:end], d, one, sign, total)


@inlined_fast_jit
def _solve_all(A: Floats, B: Floats) -> None:
    """Replace each row b of B [k, m] by A⁻¹ b, and the lower half of A [m, m] by its Cholesky factor."""
    m = len(A)
    for i in range(m):
        for j in range(i):
            A[i, j] = (A[i, j] - _dot(A[i, :j], A[j, :j])) / A[j, j]
        A[i, i] = np.sqrt(max(A[i, i] - _dot(A[i, :i], A[i, :i]), TINY))
    for b in B:
        for i in range(m):
            b[i] = (b[i] - _dot(A[i, :i], b[:i])) / A[i, i]
        for i in range(m - 1, -1, -1):
            b[i] /= A[i, i]
            for j in range(i):
                b[j] -= b[i] * A[i, j]


@inlined_fast_jit
def shares(  # noqa: PLR0912 -- two ways to the same
    history: Ints, weights: Floats, targets: Ints, vectors: Floats, diagonal: Floats
) -> Floats:
    """What each item of a history adds to the scores of the targets: float32 [k, n]; the scores are the sums of rows.

    A score is that of kernel regression: K_th (K_hh + diag(1 / w))⁻¹ 1, K being the products of the items' vectors
    over the diagonal; with more items than factors, the same by way of the f x f matrix.
    """
    n, k, f = len(history), len(targets), len(diagonal)
    half = np.float32(1) / np.sqrt(diagonal)
    H, T = np.empty((n, f), np.float32), np.empty((k, f), np.float32)
    for j in range(n):
        for q in range(f):
            H[j, q] = vectors[history[j], q] * half[q]
    for t in range(k):
        for q in range(f):
            T[t, q] = vectors[targets[t], q] * half[q]
    share = np.empty((k, n), np.float32)
    if n <= f:
        K = np.empty((n, n), np.float32)
        for i in range(n):
            for j in range(i + 1):
                K[i, j] = _dot(H[i], H[j])
            K[i, i] += np.float32(1) / weights[i]
        for t in range(k):
            for j in range(n):
                share[t, j] = _dot(T[t], H[j])
        _solve_all(K, share)
        return share
    A = np.zeros((f, f), np.float32)
    for q in range(f):
        A[q, q] = 1
    for j in range(n):
        for q in range(f):
            w = weights[j] * H[j, q]
            for p in range(q + 1):
                A[q, p] += w * H[j, p]
    _solve_all(A, T)
    for t in range(k):
        for j in range(n):
            share[t, j] = weights[j] * _dot(T[t], H[j])
    return share


@fast_jit
def reasons(
    first: int,
    last: int,
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    items: Ints,
    vectors: Floats,
    gram_diagonal: Floats,
    penalty: Floats,
    found: Ints,
) -> None:
    """For the lists items[first:last] the item of each history that adds most, of equals the first; -1 for none."""
    for row in range(first, last):
        start, stop = indptr[row], indptr[row + 1]
        k = 0
        while k < items.shape[1] and items[row, k] >= 0:
            k += 1
        if start == stop or k == 0:
            continue
        share = shares(indices[start:stop], weights[start:stop], items[row, :k], vectors, gram_diagonal + penalty[row])
        for t in range(k):
            most = np.float32(0)
            for j in range(stop - start):
                if share[t, j] > most:
                    most = share[t, j]
                    found[row, t] = indices[start + j]
