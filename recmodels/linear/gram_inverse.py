"""The inverse of a Gram matrix, XᵀX + λI, in place: by LAPACK on the processor, by torch beyond what that can do."""

import numpy as np
from scipy.linalg import cholesky, lapack, solve_triangular

from recmodels.base import SCORE_BYTES
from recmodels.compute.device import require_torch
from recmodels.data.arrays import Csr, Floats
from recmodels.errors import NightrecError
from recmodels.linear.gram_rows import BLOCK, gram_rows

LAPACK_ITEMS = 25_000
"""SciPy's OpenBLAS crashes in the Cholesky decomposition of matrices somewhat larger than this; torch's does not."""

FEWER = 8
"""Users are few where there are so many times as many items."""

LARGEST_NORM = 100_000
"""Their way is taken where no item's column has a squared norm above so many times λ: float32 would lose the rest."""


def memory_needed(n_items: int, n_interactions: int) -> int:
    """Bytes that the inversion, and then scoring with the inverse, take at their peak."""
    matrices = 1 if n_items <= LAPACK_ITEMS else 3  # for torch: the matrix, its Cholesky factor, the inverse
    block = 16 * BLOCK * n_items  # of the Gram matrix: a sparse product at up to 12 bytes a number, and as numbers
    copies = 32 * n_interactions  # X by user and by item, at 8 bytes an entry each, and twice while they are made
    scores = 3 * SCORE_BYTES  # of a batch of users: a dense product, its place among all items, what is masked
    return 4 * matrices * n_items**2 + block + copies + scores


def device_for(n_items: int) -> str:
    """Where a matrix of so many items is inverted: on CUDA if that has room for it, three times over."""
    from recmodels.compute import device

    if not device.cuda():
        return "cpu"
    import torch

    return "cuda" if 12 * n_items**2 <= torch.cuda.mem_get_info()[0] else "cpu"


def few_users(n_users: int, n_items: int) -> bool:
    """Whether a matrix of the users is so much smaller than one of the items that it is inverted instead."""
    return FEWER * n_users <= n_items


def inverse_of_gram(matrix: Csr, regularization: float) -> Floats:
    """(XᵀX + λI)⁻¹: float32 [m, m]."""
    m = matrix.shape[1]
    known: Csr = matrix[np.diff(matrix.indptr) > 0]
    norms: Floats = known.multiply(known).sum(axis=0)
    if few_users(known.shape[0], m) and norms.max(initial=0) <= LARGEST_NORM * regularization:
        return _by_rows(known, regularization)
    return inverse_of(gram_rows(matrix.T.tocsr(), matrix), regularization)


def inverse_of(gram: Floats, regularization: float) -> Floats:
    """(G + λI)⁻¹ of a Gram matrix G, in its place.

    Raises:
        NightrecError: it has none.
    """
    m = len(gram)
    gram[np.diag_indices(m)] += np.float32(regularization)
    where = device_for(m)
    by_lapack = where == "cpu" and m <= LAPACK_ITEMS
    if not (invert(gram) if by_lapack else invert_by_torch(gram, where)):
        raise NightrecError(f"EASE cannot invert its matrix with regularization {regularization}; give a larger one.")
    return gram


def _by_rows(matrix: Csr, regularization: float) -> Floats:
    """The same for n rows that are few: (I - Xᵀ(XXᵀ + λI)⁻¹X) / λ, by Woodbury's identity, inverts [n, n] alone."""
    gram = (matrix @ matrix.T).toarray().astype(np.float64)
    gram[np.diag_indices(len(gram))] += regularization
    factor = cholesky(gram, lower=True).astype(np.float32)
    dense = matrix.toarray().astype(np.float32)
    half: Floats = np.asarray(solve_triangular(factor, dense, lower=True, overwrite_b=True), np.float32)  # [n, m]
    inverse: Floats = half.T @ half
    inverse *= np.float32(-1 / regularization)
    inverse[np.diag_indices(len(inverse))] += np.float32(1 / regularization)
    return inverse


def invert(gram: Floats) -> bool:
    """Invert a symmetric matrix in place by Cholesky (LAPACK); False where it is not positive definite."""
    # A symmetric matrix is its own transpose: LAPACK's column-major lower triangle is our upper one.
    factor, info = lapack.spotrf(gram.T, lower=1, clean=0, overwrite_a=1)
    if info == 0:
        _, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        return False
    for i in range(0, len(gram), BLOCK):  # mirror the upper triangle
        gram[i + BLOCK :, i : i + BLOCK] = gram[i : i + BLOCK, i + BLOCK :].T
        corner = gram[i : i + BLOCK, i : i + BLOCK]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
    return True


def invert_by_torch(gram: Floats, device: str) -> bool:
    """The same on a device of torch; the inverse comes back into `gram`."""
    require_torch(f"EASE with the exact inverse for more than {LAPACK_ITEMS:,} items")
    import torch

    host = torch.from_numpy(gram)
    matrix = host.to(device)
    factor, info = torch.linalg.cholesky_ex(matrix)
    del matrix
    if info.item() != 0:
        return False
    host.copy_(torch.cholesky_inverse(factor))
    return True
