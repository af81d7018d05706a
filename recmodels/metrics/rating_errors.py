"""Errors of predicted ratings."""

import numpy as np

from recmodels.data.arrays import Floats


def rmse(predicted: Floats, ratings: Floats) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted.astype(np.float64) - ratings) ** 2)))


def mae(predicted: Floats, ratings: Floats) -> float:
    """The mean absolute error."""
    return float(np.mean(np.abs(predicted.astype(np.float64) - ratings)))
