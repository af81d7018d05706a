"""Neighbors of items of which an earlier model knew most: only items whose interactions have changed are compared."""

from functools import partial

import numpy as np

from recmodels.data.arrays import Bools, Csr, entries_of
from recmodels.parted.training import PartedTraining
from recmodels.scoring.parted_similarity import nearest_by
from recmodels.scoring.similarity import Measure, packed
from recmodels.scoring.unchanged import Kept


def nearest_after(
    training: PartedTraining | None, rows: Csr, measure: Measure, k: int, kept: Kept | None, columns: Csr | None = None
) -> Csr:
    """`nearest_by`, where the similarities of two items that have both hardly changed are those that are `kept`.

    Those of an item that has changed are computed, with all others: its row is as `nearest` has it, and in the rows of
    the others it stands where it belongs today. So new items are neighbors at once.
    """
    if kept is None:
        return nearest_by(training, rows, measure, k, columns)
    columns = rows.T.tocsr() if columns is None else columns
    unchanged = ~kept.changed
    own = nearest_by(training, rows, measure, k, columns, kept.changed, "changed-")
    of_changed = only_columns(columns, kept.changed)
    others = nearest_by(training, rows, measure, k, of_changed, unchanged, "others-")
    return largest_of_both(own + others, only_columns(kept.rows, unchanged), k)


def only_columns(matrix: Csr, chosen: Bools) -> Csr:
    """The matrix with nothing in the columns that are not chosen."""
    return entries_of(matrix, chosen[matrix.indices])


def largest_of_both(one: Csr, other: Csr, k: int) -> Csr:
    """The k largest values above 0 of each row of two matrices [m, n] that have no entry in common."""
    from recmodels.compute.jit import parallel_for
    from recmodels.scoring import kernels

    (m, n), k = one.shape, max(1, min(k, one.shape[1] - 1))
    items, scores, filled = np.empty(m * k, np.int32), np.empty(m * k, np.float32), np.zeros(m, np.int32)
    given = kernels.parts(one), kernels.parts(other), items.reshape(m, k), scores.reshape(m, k), filled
    work = partial(kernels.largest_of_both, *given)
    parallel_for(work, range(kernels.TASKS))
    del work, given  # or the tables cannot be made shorter in place
    return packed(items, scores, filled, k, n)
