"""Candidates for exact lists, from matrix products in torch: on CUDA, and on any device the same lists in the end."""

from collections.abc import Iterator

import numpy as np
import torch

from recmodels.data.arrays import Bools, Csr, Floats, Ints

DEVICE_SCORES = 2**27
"""Scores that a device holds at a time: 512 MiB, and as much again while the best are selected."""

EXTRA_PROPOSALS = 14
"""How many items are proposed beyond the k of a list, so that close scores can be ranked exactly afterwards."""


def propose(
    users: Floats, vectors: Floats, k: int, places: Ints, seen: Csr, slacks: Floats, device: str
) -> Iterator[tuple[int, Ints, Bools]]:
    """Batch by batch: the first user, the rows of `vectors` that are proposed [b, p], and whether they are enough.

    Products are exact to within slacks [n]. `places` says which row of `vectors` an item has, -1 for none; `seen`
    [n, n_items] are not proposed. -1 stands for nothing. Enough: no other item can belong to the list.
    """
    items = torch.from_numpy(vectors).to(device)
    p = min(k + EXTRA_PROPOSALS, len(vectors))
    step = max(1, DEVICE_SCORES // len(vectors))
    for start in range(0, len(users), step):
        part = slice(start, min(start + step, len(users)))
        scores = torch.from_numpy(users[part]).to(device) @ items.T
        masked = seen[part]
        row, place = np.repeat(np.arange(masked.shape[0]), np.diff(masked.indptr)), places[masked.indices]
        there = place >= 0
        scores[torch.from_numpy(row[there]).to(device), torch.from_numpy(place[there]).to(device).long()] = -torch.inf
        best, proposed = torch.topk(scores, p, dim=1)
        proposed[best == -torch.inf] = -1
        last, least = best[:, -1], best[:, min(k, p) - 1]
        slack = torch.from_numpy(slacks[part]).to(device)
        enough = (last < least - 2 * slack) | (last == -torch.inf) | torch.full_like(last, p == len(vectors)).bool()
        yield start, proposed.int().cpu().numpy(), enough.cpu().numpy()
