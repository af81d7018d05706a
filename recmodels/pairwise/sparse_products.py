"""Products of sparse matrices with parameters, in torch: their gradients are products of sparse matrices again."""

import warnings
from typing import Any

import torch
from torch import Tensor

from recmodels.data.arrays import Csr


class Sparse:
    """A sparse matrix [n, m] on a device, and its transpose.

    On the processor SciPy multiplies by the transpose: it reads the matrix row by row and adds to rows of the result,
    which are few where columns are terms and stay in the cache. PyTorch takes seven times as long.
    """

    def __init__(self, matrix: Csr, device: str) -> None:
        self.matrix = _torch(matrix, device)
        self.transposed = matrix.T if device == "cpu" else _torch(matrix.T.tocsr(), device)

    def times(self, dense: Tensor) -> Tensor:
        """The product with a dense matrix [m, d], which gradients flow back to: [n, d]."""
        product: Tensor = _Product.apply(dense, self)  # type: ignore[no-untyped-call]
        return product

    def transposed_times(self, dense: Tensor) -> Tensor:
        """The product of the transpose with a dense matrix [n, d]: [m, d]."""
        if isinstance(self.transposed, Tensor):
            return self.transposed @ dense
        return torch.from_numpy(self.transposed @ dense.numpy())


def pair_products(left: Tensor, right: Tensor, rows: Tensor, columns: Tensor, starts: Tensor) -> Tensor:
    """left[rows] · right[columns] for pairs in order of their rows, those of row r from starts[r]: [n]."""
    products: Tensor = _Pairs.apply(left, right, rows, columns, starts)  # type: ignore[no-untyped-call]
    return products


def _torch(matrix: Csr, device: str) -> Tensor:
    indptr, indices, data = (torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data))
    return _csr(indptr, indices, data, matrix.shape).to(device)


def _csr(indptr: Tensor, indices: Tensor, data: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(indptr, indices, data, size=shape, check_invariants=False)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, sparse: Sparse) -> Tensor:
        ctx.sparse = sparse
        return sparse.matrix @ dense

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.sparse.transposed_times(gradients[0].contiguous()), None


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, rows: Tensor, columns: Tensor, starts: Tensor) -> Tensor:
        ctx.save_for_backward(left, right, rows, columns, starts)
        pairs = _csr(starts, columns, left.new_zeros(len(columns)), (len(left), len(right)))
        products: Tensor = torch.sparse.sampled_addmm(pairs, left, right.T, beta=0).values()
        return products

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        left, right, rows, columns, starts = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        matrix = _csr(starts, columns, gradient, (len(left), len(right)))
        order = torch.argsort(columns, stable=True)
        ends = torch.bincount(columns, minlength=len(right)).cumsum(0)
        begins = torch.cat((ends.new_zeros(1), ends))
        transposed = _csr(begins, rows[order], gradient[order], (len(right), len(left)))
        return matrix @ right, transposed @ left, None, None, None
