"""Distillation: one network that learns the scores of several, so that lists cost what those of one do.

It starts from the first of them, and goes on to learn two things at once: its targets, and the distribution over the
catalogue that the mean scores of all have by a softmax of temperature 1 (Hinton, Vinyals and Dean, "Distilling the
knowledge in a neural network", 2015). A single network may learn from itself so (Furlanello et al., "Born-again neural
networks", ICML 2018).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.transformer.config import NetworkConfig
from recmodels.transformer.network import Network
from recmodels.transformer.trained import Trained
from recmodels.transformer.warm_start import Start

SHARE = 0.5
"""Of the teachers' distribution in what is learned; the rest is the target's."""
VECTORS = "item_vectors"


class Teachers:
    """Networks that are trained, whose scores another one learns.

    Args:
        config: of each of the networks.
        n_users: of the data that they were trained on.
        arrays: parameters by name and the items' vectors [n_items, d], "0." before those of the first, and so on.
        known: the items that are learned from [n].
        device: that they compute on.
    """

    def __init__(
        self, config: NetworkConfig, n_users: int, arrays: Mapping[str, Floats], known: Ints, device: torch.device
    ) -> None:
        parts: dict[str, dict[str, Tensor]] = {}
        for key, array in arrays.items():
            number, _, name = key.partition(".")
            parts.setdefault(number, {})[name] = torch.from_numpy(array)
        rows = torch.from_numpy(known).long()
        self.tables = [own.pop(VECTORS)[rows].to(device) for own in parts.values()]
        self.networks = [Network(config, n_users).to(device).eval() for _ in parts]
        for network, own in zip(self.networks, parts.values(), strict=True):
            network.load_state_dict(own)
        self.table = torch.cat(self.tables, dim=1) / len(self.tables)
        """[n, k d]: the product with states of all teachers is the mean of their scores."""

    @torch.no_grad()
    def states(self, histories: Tensor, users: Tensor, asked: Tensor) -> Tensor:
        """After each item of histories [b, t] of `users` [b]; the `asked` [m] of them all: float32 [m, k d]."""
        found = []
        for network, table in zip(self.networks, self.tables, strict=True):
            with torch.autocast(table.device.type, torch.bfloat16, enabled=table.device.type == "cuda"):
                states = network(functional.embedding(histories, table), users)
            found.append(states.flatten(0, 1).float().index_select(0, asked))
        return torch.cat(found, dim=1)


def lesson(trained: Sequence[Trained], data: Dataset) -> Start:
    """What the training of one network starts from that is taught by all that were `trained` on the data."""
    teachers: dict[str, Floats] = {}
    for i, one in enumerate(trained):
        teachers |= {f"{i}.{name}": array for name, array in one.parameters.items()}
        teachers[f"{i}.{VECTORS}"] = one.item_vectors
    sizes = {"users": data.n_users, "items": data.n_items, "terms": data.terms.shape[1]}
    rows = {name: np.arange(size, dtype=np.int32) for name, size in sizes.items()}
    return Start(trained[0].parameters, trained[0].tables, rows, teachers=teachers)
