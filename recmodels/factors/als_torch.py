"""The least-squares problems of ALS in torch, many rows at a time: for CUDA, and on any device the same results."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from recmodels.data.arrays import Csr, Floats, chunks

ENTRIES = 2**19
"""Entries of the rows that are solved for at a time: at 128 factors, 256 MiB a copy, of which there are three."""


def solve(
    entries: Csr,
    vectors: Floats,
    gram_diagonal: Floats,
    penalty: Floats,
    x: Floats,
    steps: int,
    tolerance: float,
    device: str,
) -> None:
    """As `als_kernels.solve`, of all rows of `entries` [n, m]: improves x [n, f] given `vectors` [m, f]."""
    on_device = torch.from_numpy(vectors).to(device)
    diagonal = torch.from_numpy(gram_diagonal).to(device)
    sizes = np.diff(entries.indptr).astype(np.int64)
    for first, last in chunks(sizes, ENTRIES):
        part = slice(entries.indptr[first], entries.indptr[last])
        indices, weights, lengths, ridge, start = (
            torch.from_numpy(np.ascontiguousarray(array)).to(device)
            for array in (
                entries.indices[part],
                entries.data[part],
                sizes[first:last],
                penalty[first:last],
                x[first:last],
            )
        )
        row = torch.repeat_interleave(torch.arange(last - first, device=device), lengths)
        gathered = on_device[indices.long()]  # [entries, f]

        def multiply(d: Tensor, one: float, sign: float) -> Tensor:
            """Σ_j w_j (one + sign y_j·d) y_j of each row: [b, f]; without atomic sums, which come in any order."""
            along = weights * (one + sign * (gathered * d[row]).sum(dim=1))  # noqa: B023
            return torch.segment_reduce(gathered * along[:, None], "sum", lengths=lengths, axis=0)  # noqa: B023

        solved = _conjugate_gradients(multiply, diagonal + ridge[:, None], start, steps, tolerance)
        x[first:last] = torch.where(lengths[:, None] > 0, solved, 0).cpu().numpy()


def _conjugate_gradients(
    multiply: Callable[[Tensor, float, float], Tensor], scale: Tensor, x: Tensor, steps: int, tolerance: float
) -> Tensor:
    """Steps from x [b, f], each row by itself: one that has converged stays."""
    residual = multiply(x, 1.0, -1.0) - scale * x
    direction = residual / scale
    power = (residual * direction).sum(dim=1, keepdim=True)
    stop_below = (tolerance**2 * power).clamp(min=1e-30)
    for _ in range(steps):
        going = power > stop_below
        if not going.any():
            break
        product = scale * direction + multiply(direction, 0.0, 1.0)
        length = torch.where(going, power / (direction * product).sum(dim=1, keepdim=True), 0)
        x = x + length * direction
        residual = residual - length * product
        before, power = power, torch.where(going, (residual**2 / scale).sum(dim=1, keepdim=True), power)
        direction = torch.where(going, residual / scale + power / before * direction, direction)
    return x
