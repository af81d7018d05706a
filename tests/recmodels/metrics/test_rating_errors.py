"""RMSE and MAE are those of their definitions."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from recmodels.metrics.rating_errors import mae, rmse


def test_rmse_and_mae_worked_by_hand() -> None:
    predicted, ratings = np.array([3, 4, 1], np.float32), np.array([4, 4, 3], np.float32)
    assert rmse(predicted, ratings) == pytest.approx(np.sqrt(5 / 3))
    assert mae(predicted, ratings) == pytest.approx(1)


def test_rmse_and_mae_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    predicted, ratings = rng.uniform(1, 5, 500).astype(np.float32), rng.integers(1, 6, 500).astype(np.float32)
    assert rmse(predicted, ratings) == pytest.approx(root_mean_squared_error(ratings, predicted))
    assert mae(predicted, ratings) == pytest.approx(mean_absolute_error(ratings, predicted))
