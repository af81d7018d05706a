"""The few items with most of the interactions: propensity weights, and the sampling of negatives.

Inverse propensity weights make up for what users were shown rather than chose; popularity to a power stands for the
propensity (Steck, "Item popularity and recommendation accuracy", RecSys 2011; Saito et al., WSDM 2020).
"""

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Doubles, Floats
from recmodels.data.dataset import ROWS_AT_A_TIME, Dataset


def propensity_weights(data: Dataset, exponent: float, *, weighted: bool) -> Floats:
    """How much each interaction counts in a loss: float32 [n], on average 1 whatever the exponent.

    It is popularity^-exponent of its item, times its own weight where `weighted`; popularity is a number of users.
    """
    counts = np.maximum(data.item_counts, 1.0) ** -exponent

    def of(rows: slice) -> Doubles:
        return counts[data.item_index[rows]] * (data.weight[rows] if weighted else 1)

    parts = [slice(start, start + ROWS_AT_A_TIME) for start in range(0, len(data), ROWS_AT_A_TIME)]
    mean = sum(float(of(rows).sum()) for rows in parts) / max(1, len(data))
    weights = np.empty(len(data), np.float32)
    for rows in parts:
        weights[rows] = of(rows) / mean
    return weights


def sampling_probabilities(data: Dataset, exponent: float) -> NDArray[np.float64]:
    """For each item as a negative: popularity^exponent over its sum, 0 without interactions: float64 [n_items]."""
    popularity = data.item_counts.astype(np.float64)
    powers = np.where(popularity > 0, np.maximum(popularity, 1) ** exponent, 0)
    return np.asarray(powers / powers.sum(), np.float64)


def normal_rows(rng: np.random.Generator, deviation: float, n: int, width: int) -> Floats:
    """Normal numbers as float32 [n, width]: those of `rng.normal`, whose float64 are never there all at once."""
    values = np.empty((n, width), np.float32)
    step = max(1, ROWS_AT_A_TIME // width)
    for start in range(0, n, step):
        part = values[start : start + step]
        part[:] = rng.normal(0, deviation, part.shape)
    return values
