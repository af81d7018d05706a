"""What filters ask of a sparse A: of a matrix in memory, and on an engine by the parts of the data.

Products AᵀA V are then added up in the order of the parts.
"""

from functools import cached_property
from itertools import count

import numpy as np

from recmodels.data.arrays import Csr, Floats
from recmodels.engine.work import Work
from recmodels.parted.arrays import mapped
from recmodels.parted.sums import groups, summed, write_sums
from recmodels.scoring.item_parts import nearest_items
from recmodels.scoring.kept_neighbors import nearest_after
from recmodels.scoring.similarity import Measure, row_sums
from recmodels.scoring.unchanged import Kept
from recmodels.scoring.weighted_parts import Weighing, WeightedParts

ROWS_AT_A_TIME = 2**16  # rows of A at a time
COLUMNS_A_TASK = 64  # columns of a basis that a thread multiplies at a time
ENTRIES = Measure("dot", powers=(0, 0))  # of AᵀA, as they are


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


class Whole:
    """A in memory, as filters ask for it: products, squares, neighbors.

    Args:
        matrix: A [n_users, n_items].
    """

    def __init__(self, matrix: Csr) -> None:
        self.matrix, self.shape = matrix, matrix.shape

    def applied(self, basis: Floats) -> Floats:
        """AᵀA V for a basis V [n_items, r]."""
        return applied_to(self.matrix, basis)

    @cached_property
    def rows(self) -> Csr:
        """Aᵀ."""
        return self.matrix.T.tocsr()

    def squares(self) -> Floats:
        """The diagonal of AᵀA: [n_items]."""
        return row_sums(self.rows, lambda part: self.rows.data[part] ** 2).astype(np.float32)

    def nearest(self, k: int, kept: Kept | None) -> Csr:
        """The k largest entries of each row of AᵀA off its diagonal, or those that are `kept`."""
        return nearest_after(None, self.rows, ENTRIES, k, kept, columns=self.matrix)


class InParts:
    """A by the parts of the data, one basis after the other.

    Args:
        weighted: the entries of A.
    """

    def __init__(self, weighted: WeightedParts) -> None:
        self.weighted, self.numbers = weighted, count()
        self.shape = weighted.data.n_users, weighted.data.n_items

    def applied(self, basis: Floats) -> Floats:
        weighted, step = self.weighted, f"applied-{next(self.numbers)}"
        vectors = weighted.training.keep(f"{step}-basis", lambda: {"basis": basis})
        buckets = [
            weighted.bucket(f"{number:04}", group, {"basis": vectors})
            for number, group in enumerate(groups(len(weighted.parts)))
        ]
        row_bytes = basis.shape[1] * basis.itemsize
        product: Floats = summed(weighted.training, apply, buckets, step, len(basis), row_bytes)
        weighted.training.drop(f"{step}-basis")
        return product

    def squares(self) -> Floats:
        return self.weighted.totals[:, 2].astype(np.float32)

    def nearest(self, k: int, kept: Kept | None) -> Csr:
        return nearest_items(self.weighted, ENTRIES, k, kept)


def apply(work: Work) -> None:
    """AᵀA V of the users of some parts: those rows of the product that are not all zeros."""
    from recmodels.compute.jit import one_blas_thread

    weighing, basis = Weighing.of(work), mapped(work.inputs["basis"], "basis")
    items = np.unique(np.concatenate([own.items for own in weighing.parts()]))
    total = np.zeros((len(items), basis.shape[1]), basis.dtype)
    with one_blas_thread():
        for own in weighing.parts():
            total[np.searchsorted(items, own.items)] += applied_to(weighing.of_users(own), basis[own.items])
    write_sums(work.out, items, total, work.arguments["edges"])
