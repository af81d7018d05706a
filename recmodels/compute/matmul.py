"""Matrix products by numpy or torch, whichever is faster on this machine."""

import sys
import time
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np

from recmodels.compute import device
from recmodels.data.arrays import Floats

Product: TypeAlias = Callable[[Floats, Floats, Floats], None]  # users [b, f], items [w, f], scores [b, w]: written

TIMED_FROM = 1e13
"""Floating point operations from which on it pays to load torch, to see whether its product is the faster one."""

TIMED_SHAPE = (1024, 512, 128)
"""Users, items and factors of the product that is timed."""


def numpy_product(users: Floats, items: Floats, scores: Floats) -> None:
    np.matmul(users, items.T, out=scores)


def torch_product(users: Floats, items: Floats, scores: Floats) -> None:
    import torch

    torch.mm(torch.from_numpy(users), torch.from_numpy(items).T, out=torch.from_numpy(scores))


def faster_product(operations: float) -> Product:
    """numpy's product or torch's, whichever is faster: timed once a process, where it pays."""
    pays = "torch" in sys.modules or operations > TIMED_FROM
    return timed_product() if pays and device.has_torch() else numpy_product


@cache
def timed_product() -> Product:
    """The one that was faster in the best of five runs."""
    from recmodels.compute.jit import one_blas_thread

    n_users, n_items, factors = TIMED_SHAPE
    users, items = np.ones((n_users, factors), np.float32), np.ones((n_items, factors), np.float32)
    scores = np.empty((n_users, n_items), np.float32)
    seconds: dict[Product, float] = {}
    with one_blas_thread():
        for product in (numpy_product, torch_product):
            for _ in range(5):
                start = time.perf_counter()
                product(users, items, scores)
                seconds[product] = min(time.perf_counter() - start, seconds.get(product, np.inf))
    return min(seconds, key=lambda product: seconds[product])
