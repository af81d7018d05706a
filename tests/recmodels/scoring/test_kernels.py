"""Sparse matrices as the kernels take them."""

import numpy as np
from scipy import sparse

from recmodels.scoring import kernels


def test_wide_indices_are_narrow_so_that_there_is_one_machine_code() -> None:
    dense = np.array([[0, 2, 0], [1, 0, 3]], np.float32)
    narrow, wide = sparse.csr_array(dense), sparse.csr_array(dense)
    wide.indptr, wide.indices = wide.indptr.astype(np.int64), wide.indices.astype(np.int64)
    for matrix in (narrow, wide):
        indptr, indices, data = kernels.parts(matrix)
        assert indptr.dtype == indices.dtype == np.uint32
        assert (indptr.tolist(), indices.tolist(), data.tolist()) == ([0, 1, 3], [1, 0, 2], [2, 1, 3])
    assert wide.indices.dtype == np.int64  # the matrix itself is as it was
