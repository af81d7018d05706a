"""Products of sparse matrices and their gradients, against those of dense ones."""

import numpy as np
import torch
from scipy import sparse

from recmodels.pairwise.sparse_products import Sparse, pair_products
from tests.recmodels.tensors import assert_close

torch.set_num_threads(1)


def test_products_and_their_gradients_are_those_of_dense_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(n, 4, generator=generator, requires_grad=True) for n in (3, 6))
    matrix = sparse.random_array((3, 6), density=0.5, rng=np.random.default_rng(0), dtype=np.float32).tocsr()
    rows, columns = torch.tensor([0, 0, 2, 2, 2]), torch.tensor([5, 1, 0, 5, 3])
    pull = torch.tensor([1.0, -2.0, 0.5, 3.0, 1.0])
    ours = (pair_products(left, right, rows, columns, torch.tensor([0, 2, 2, 5])) * pull).sum()
    ours = ours + (Sparse(matrix, "cpu").times(right) ** 2).sum()
    dense = ((left[rows] * right[columns]).sum(dim=1) * pull).sum()
    dense = dense + ((torch.from_numpy(matrix.toarray()) @ right) ** 2).sum()
    assert_close(ours, dense)
    for one, other in zip(
        torch.autograd.grad(ours, (left, right)), torch.autograd.grad(dense, (left, right)), strict=True
    ):
        assert_close(one, other)
