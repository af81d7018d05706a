import numpy as np
import pytest

from recmodels import ease, memory
from recmodels.dataset import Dataset
from recmodels.ease import Ease
from recmodels.errors import NightrecError
from tests.recmodels.contract import N_ITEMS, RecommenderContract, small_site


class TestEase(RecommenderContract):
    def make(self) -> Ease:
        return Ease(regularization=10)


@pytest.mark.parametrize("block", [7, 512])
def test_scores_are_those_of_the_closed_form(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "BLOCK", block)
    data = small_site()
    X = data.matrix.toarray().astype(np.float64)
    P = np.linalg.inv(X.T @ X + 10 * np.eye(N_ITEMS))
    B = -P / np.diag(P)  # column j divided by P_jj
    np.fill_diagonal(B, 0)
    model = Ease(regularization=10).fit(data)
    np.testing.assert_allclose(model.weights_, B, atol=1e-5)
    top = model.recommend(data, np.array([0]), N_ITEMS)
    listed = top.items[0][top.items[0] >= 0]
    np.testing.assert_allclose(top.scores[0, : len(listed)], (X @ B)[0, listed], atol=1e-5)


def test_each_column_solves_ridge_regression_on_the_other_items() -> None:
    data = small_site()
    X = data.matrix.toarray().astype(np.float64)
    others = np.delete(X, 3, axis=1)
    expected = np.linalg.solve(others.T @ others + 10 * np.eye(N_ITEMS - 1), others.T @ X[:, 3])
    np.testing.assert_allclose(np.delete(Ease(regularization=10).fit(data).weights_[:, 3], 3), expected, atol=1e-5)


def test_a_history_of_unknown_items_is_no_evidence() -> None:
    train = Dataset.from_arrays([0, 0, 1, 1], [0, 1, 0, 1], n_users=3, n_items=3)
    later = Dataset.from_arrays([2], [2], n_users=3, n_items=3)
    assert (Ease().fit(train).recommend(later, np.array([2]), 3).items == -1).all()


def test_too_many_items_are_refused_with_the_memory_it_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2**20)
    with pytest.raises(
        NightrecError, match=r"ease needs about \d\.\d GiB of memory for 30 items, 0\.0 GiB are available"
    ):
        Ease().fit(small_site())


def test_an_indefinite_matrix_is_refused() -> None:
    with pytest.raises(NightrecError, match="regularization -5"):
        Ease(regularization=-5).fit(small_site())
