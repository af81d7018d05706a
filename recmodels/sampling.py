"""What to do about the few items that have most of the interactions: what each of these counts, and who is a rival.

Weights by inverse propensity make up for what users were shown rather than chose; popularity to a power stands for the
propensity (Steck, "Item popularity and recommendation accuracy", RecSys 2011; Saito et al., WSDM 2020).
"""

import numpy as np
from numpy.typing import NDArray

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset


def importance(data: Dataset, exponent: float, *, weighted: bool) -> Floats:
    """What each interaction counts in a loss: float32 [n], on average 1 whatever the exponent.

    It is popularity^-exponent of its item, times its own weight where `weighted`; popularity is a number of users.
    """
    popularity = np.bincount(data.item_index, minlength=data.n_items)
    counts = np.maximum(popularity, 1.0) ** -exponent
    weights = counts[data.item_index] * (data.weight if weighted else 1)
    return np.asarray(weights / weights.mean(), np.float32)


def odds(data: Dataset, exponent: float) -> NDArray[np.float64]:
    """How often each item is drawn as a rival: popularity^exponent over its sum, 0 without interactions: [n_items]."""
    popularity = np.bincount(data.item_index, minlength=data.n_items).astype(np.float64)
    wanted = np.where(popularity > 0, np.maximum(popularity, 1) ** exponent, 0)
    return np.asarray(wanted / wanted.sum(), np.float64)
