"""What the training of a network leaves."""

from typing import NamedTuple

from recmodels.data.arrays import Floats


class Trained(NamedTuple):
    """What a training returns."""

    parameters: dict[str, Floats]
    """Of the network, by name."""
    item_vectors: Floats
    """float32 [n_items, d]."""
    epochs: list[dict[str, float]]
    """A record of each epoch: its loss, validation NDCG, seconds and share of padding."""
    tables: dict[str, Floats]
    """What a warm start needs besides the parameters; empty where there is to be none."""
