"""The steps of ALS: to the basis in which a Gram matrix is diagonal, penalties, and a side solved for."""

from collections.abc import Callable

import numpy as np

from recmodels.compute import device
from recmodels.data.arrays import Csr, Doubles, Floats

ROW_PARTS = 64  # into how many parts the rows are divided, of about as many entries each, for dynamic scheduling
ROWS_AT_A_TIME = 2**14  # of dense vectors


def penalties(entries: Csr, unobserved: float, mean: float, regularization: float, power: float) -> Floats:
    """λ c for each row of `entries`: float32 [n].

    Args:
        entries: the weights of the interactions, a row a user (or an item).
        unobserved: weight of the unobserved pairs of a row.
        mean: n, over all users (or items), of their interactions and unobserved pairs.
        regularization: λ.
        power: e, see `ALS`.
    """
    weights: Doubles = entries.sum(axis=1, dtype=np.float64)
    return weighted_penalties(weights, unobserved, mean, regularization, power)


def weighted_penalties(weights: Doubles, unobserved: float, mean: float, regularization: float, power: float) -> Floats:
    """The same of rows whose interactions weigh so much together: float64 [n]."""
    share = (weights + unobserved) / mean
    penalty: Floats = (regularization * mean * share**power).astype(np.float32)
    return penalty


def eigenbasis(gram: Doubles) -> tuple[Doubles, Floats]:
    """The eigenvalues of a Gram matrix [f, f], at least 0, and the rotation to the basis in which it is diagonal."""
    values, basis = np.linalg.eigh(gram)
    return np.maximum(values, 0), np.ascontiguousarray(basis, dtype=np.float32)


def gram(vectors: Floats) -> Doubles:
    """YᵀY: float64 [f, f], each product of a block in float32."""
    from recmodels.compute.jit import parallel_for

    f = vectors.shape[1]
    starts = range(0, len(vectors), ROWS_AT_A_TIME)
    parts = np.empty((len(starts), f, f), np.float32)

    def multiply(start: int) -> None:
        block = vectors[start : start + ROWS_AT_A_TIME]
        np.matmul(block.T, block, out=parts[start // ROWS_AT_A_TIME])

    parallel_for(multiply, starts)
    total: Doubles = parts.sum(axis=0, dtype=np.float64)
    return total


def rotate(vectors: Floats, rotation: Floats) -> None:
    """Multiply the vectors by the rotation [f, f], in place."""
    from recmodels.compute.jit import parallel_for

    def turn(start: int) -> None:
        part = slice(start, start + ROWS_AT_A_TIME)
        vectors[part] = vectors[part] @ rotation

    parallel_for(turn, range(0, len(vectors), ROWS_AT_A_TIME))


def solve(
    vectors: Floats,
    fixed: Floats,
    entries: Csr,
    gram_diagonal: Floats,
    penalty: Floats,
    steps: int,
    tolerance: float,
) -> None:
    """Improve the vectors [n, f], one for each row of `entries` [n, m], given the `fixed` ones [m, f]."""
    if device.cuda():
        from recmodels.factors import als_torch

        als_torch.solve(entries, fixed, gram_diagonal, penalty, vectors, steps, tolerance, device.name())
    else:
        solve_on_cpu(vectors, fixed, entries, gram_diagonal, penalty, steps, tolerance)


def solve_on_cpu(
    vectors: Floats,
    fixed: Floats,
    entries: Csr,
    gram_diagonal: Floats,
    penalty: Floats,
    steps: int,
    tolerance: float,
) -> None:
    """The same where there is a GPU, too."""
    from recmodels.factors import als_kernels as kernels

    def some(first: int, last: int) -> None:
        kernels.solve(
            first, last, entries.indptr, entries.indices, entries.data, fixed, gram_diagonal, penalty, vectors, steps,
            np.float32(tolerance),
        )  # fmt: skip

    by_parts(entries, some)


def by_parts(entries: Csr, work: Callable[[int, int], None]) -> None:
    """Call `work` with ranges of the rows, of about as much work each."""
    from recmodels.compute.jit import parallel_for

    cost = entries.indptr + 8 * np.arange(len(entries.indptr), dtype=np.int64)  # of the rows before each
    ends = np.searchsorted(cost, np.linspace(0, cost[-1], ROW_PARTS + 1))
    ends[-1] = entries.shape[0]
    parallel_for(lambda part: work(ends[part], ends[part + 1]), range(ROW_PARTS))
