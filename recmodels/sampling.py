"""The few items with most of the interactions: propensity weights, and the sampling of negatives.

Inverse propensity weights make up for what users were shown rather than chose; popularity to a power stands for the
propensity (Steck, "Item popularity and recommendation accuracy", RecSys 2011; Saito et al., WSDM 2020).
"""

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset


def propensity_weights(data: Dataset, exponent: float, *, weighted: bool) -> Floats:
    """How much each interaction counts in a loss: float32 [n], on average 1 whatever the exponent.

    It is popularity^-exponent of its item, times its own weight where `weighted`; popularity is a number of users.
    """
    popularity = np.bincount(data.item_index, minlength=data.n_items)
    counts = np.maximum(popularity, 1.0) ** -exponent
    weights = counts[data.item_index] * (data.weight if weighted else 1)
    return np.asarray(weights / weights.mean(), np.float32)


def sampling_probabilities(data: Dataset, exponent: float) -> NDArray[np.float64]:
    """For each item as a negative: popularity^exponent over its sum, 0 without interactions: float64 [n_items]."""
    popularity = np.bincount(data.item_index, minlength=data.n_items).astype(np.float64)
    powers = np.where(popularity > 0, np.maximum(popularity, 1) ** exponent, 0)
    return np.asarray(powers / powers.sum(), np.float64)
