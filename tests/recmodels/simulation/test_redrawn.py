import numpy as np
import pytest

from recmodels.simulation import redrawn
from recmodels.simulation.redrawn import Redrawn


def test_means_are_over_the_users_that_have_a_value() -> None:
    values = np.array([[1.0, np.nan, 7], [3, 5, 7], [np.nan, np.nan, 7]])
    middle, means = Redrawn(3).means(values)
    assert middle.tolist() == [2, 5, 7]
    assert means.shape == (redrawn.DRAWS, 3)
    assert set(means[~np.isnan(means[:, 2]), 2]) == {7}  # a constant has no width


@pytest.mark.parametrize("groups", [10_000, 100])
def test_their_spread_is_the_standard_error(monkeypatch: pytest.MonkeyPatch, groups: int) -> None:
    monkeypatch.setattr(redrawn, "GROUPS", groups)
    values = np.random.default_rng(1).gamma(1.0, size=(800, 1))
    values[::3] = np.nan
    _, means = Redrawn(800, seed=2).means(values)
    known = values[~np.isnan(values)]
    assert means.std() == pytest.approx(known.std() / np.sqrt(len(known)), rel=0.2)


def test_nobody_has_no_mean() -> None:
    middle, means = Redrawn(4).means(np.full((4, 1), np.nan))
    assert np.isnan(middle).all() and np.isnan(means).all()
