"""What a model could have learned from a little other data: it is fitted on half of the users, who count twice.

The double-or-nothing bootstrap (Owen & Eckles, *Bootstrapping data arrays of arbitrary order*, 2012): each user has
weight 0 or 2, by a fair coin. Mean and variance of the weights are 1, as in the ordinary bootstrap, and every user is
drawn whole, as what one user does hangs together. To show what such a replicate ranks highest is Thompson sampling
(Eckles & Kaptein, *Thompson sampling with the online bootstrap*, 2014; Osband & Van Roy, *Bootstrapped Thompson
sampling and deep exploration*, 2015): an item is proposed as often as it may be the best.

A weight above 0 is the same for all, so models that take no weights are drawn as widely as those that do.
"""

from dataclasses import replace
from hashlib import sha256

import numpy as np
from scipy import sparse

from recmodels.data.arrays import Csr, Ints
from recmodels.data.dataset import Dataset


def seed_of(seed: int, day: str, number: int) -> int:
    """What the users of a night's replicate are drawn by."""
    return int.from_bytes(sha256(f"replicate {number} {day} {seed}".encode()).digest()[:6])


def left_out(n_users: int, seed: int) -> Ints:
    """The users of weight 0: their indices, ascending."""
    return np.flatnonzero(np.random.default_rng(seed).random(n_users) < 0.5).astype(np.int32)


def replicate_of(data: Dataset, seed: int) -> Dataset:
    """The data with the weights of a replicate: without the users of weight 0, all others' interactions doubled."""
    half = data.without(left_out(data.n_users, seed))
    seen: Csr = sparse.csr_array((half.seen.data * 2, half.seen.indices, half.seen.indptr), shape=half.seen.shape)
    return replace(half, weight=half.weight * 2, seen=seen)
