"""Products AᵀA V: of a sparse matrix in memory, and on an engine by ranges of its rows, added up in their order."""

from itertools import count

import numpy as np

from recmodels.data.arrays import Csr, Floats
from recmodels.engine.work import Bucket, Work
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr
from recmodels.parted.sums import SUMMED, summed, write_sums
from recmodels.parted.training import PartedTraining, ranges

ROWS_AT_A_TIME = 2**16  # rows of A at a time
COLUMNS_A_TASK = 64  # columns of a basis that a thread multiplies at a time


def applied_to(matrix: Csr, basis: Floats) -> Floats:
    """AᵀA basis, some columns of the basis on each thread, some rows of A at a time."""
    from recmodels.compute.jit import parallel_for

    total = np.empty_like(basis)

    def apply(start: int) -> None:
        columns = slice(start, start + COLUMNS_A_TASK)
        own = np.ascontiguousarray(basis[:, columns])
        image = np.zeros_like(own)
        for i in range(0, matrix.shape[0], ROWS_AT_A_TIME):
            part = matrix[i : i + ROWS_AT_A_TIME]
            image += part.T @ (part @ own)
        total[:, columns] = image

    parallel_for(apply, range(0, basis.shape[1], COLUMNS_A_TASK))
    return total


class Products:
    """Multiplies by AᵀA, one basis after the other.

    Args:
        training: where the parts of A lie.
        matrix: A [n_users, n_items].
    """

    def __init__(self, training: PartedTraining, matrix: Csr) -> None:
        self.training, self.numbers = training, count()
        found = enumerate(ranges(matrix.indptr, matrix.nnz, SUMMED))
        self.parts = [
            training.keep(f"matrix-{number}", lambda first=first, last=last: csr_arrays(matrix[first:last]))  # type: ignore[misc]
            for number, (first, last) in found
        ]

    def __call__(self, basis: Floats) -> Floats:
        """AᵀA V for a basis V [n_items, r]."""
        step = f"applied-{next(self.numbers)}"
        vectors = self.training.keep(f"{step}-basis", lambda: {"basis": basis})
        buckets = [Bucket(f"{i:04}", {"matrix": part, "basis": vectors}) for i, part in enumerate(self.parts)]
        product: Floats = summed(self.training, apply, buckets, step, len(basis), basis.shape[1] * basis.itemsize)
        self.training.drop(f"{step}-basis")
        return product


def apply(work: Work) -> None:
    """AᵀA V of some rows of A: those rows of the product that are not all zeros."""
    from recmodels.compute.jit import one_blas_thread

    matrix, basis = mapped_csr(work.inputs["matrix"]), mapped(work.inputs["basis"], "basis")
    items = np.unique(matrix.indices)
    own: Csr = matrix[:, items]
    with one_blas_thread():
        write_sums(work.out, items, applied_to(own, basis[items]), work.arguments["edges"])
