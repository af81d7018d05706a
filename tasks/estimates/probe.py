"""How fast this machine is beside another one: a moment of what nights mostly do, sorting and gathering."""

import time

import numpy as np

from recmodels.data.arrays import Floats, Longs

N = 2**17  # numbers: more than the fastest caches have room for
TRIES = 3


def probe() -> float:
    """CPU seconds of one core; the least of a few tries, as others may be at work on it."""
    rng = np.random.default_rng(0)
    keys, values = rng.integers(0, N, N), rng.standard_normal(N).astype(np.float32)
    return min(_once(keys, values) for _ in range(TRIES))


def _once(keys: Longs, values: Floats) -> float:
    began = time.thread_time()
    order = np.argsort(keys, kind="stable")
    np.add.reduceat(values[order] * values[keys], np.arange(0, N, 64))
    return time.thread_time() - began
