"""What the tests of the transformer share: small networks, and histories whose next item can be known."""

from dataclasses import replace

import numpy as np
import torch

from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.testing import N_ITEMS, small_site
from recmodels.transformer.config import NetworkConfig

torch.set_num_threads(1)  # tests run side by side: threads that wait for each other would take ten times as long

TINY = {
    "dim": 8,
    "heads": 2,
    "layers": 1,
    "max_length": 12,
    "epochs": 2,
    "batch": 128,
    "user_dim": 6,
    "final_epochs": 0,
}
BLOCKS = ("sasrec", "ligr", "bsarec")


def network_config(block: str = "bsarec", **changes: object) -> NetworkConfig:
    return replace(NetworkConfig(dim=8, heads=2, layers=2, max_length=12), block=block, **changes)


def two_domains() -> Dataset:
    """The small site as one of two domains, `a` and `b`: every third item is of the second."""
    return replace(small_site(), domains=Domains(("a", "b"), (np.arange(N_ITEMS) % 3 == 2).astype(np.int32)))


def successions(n_users: int = 200, n_items: int = 40) -> Dataset:
    """Whoever interacts with item i does so with item i + 1 next."""
    start = np.random.default_rng(0).integers(0, n_items, n_users)
    items = (start[:, None] + np.arange(6)) % n_items
    users = np.repeat(np.arange(n_users), 6)
    return Dataset.from_arrays(users, items.ravel(), timestamp=np.tile(np.arange(6), n_users), n_items=n_items)
