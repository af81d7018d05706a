import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recmodels.compute import memory
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.linear import ease, gram_inverse
from recmodels.linear.ease import EASE
from recmodels.options import FitOptions, WarmStart
from recmodels.testing import N_ITEMS, RecommenderContract, assert_same, small_site
from tests.recmodels.renumbered import same_rows, shuffled

ROOT = Path(__file__).parents[3]


class TestEase(RecommenderContract):
    rounding = 1e-5  # LAPACK and BLAS divide sums as there are threads

    def make(self) -> EASE:
        return EASE(regularization=10)


class TestApproximateEase(RecommenderContract):
    def make(self) -> EASE:
        return EASE(regularization=10, method="approximate", neighbors=8)


@pytest.mark.parametrize("block", [7, 512])
def test_scores_are_those_of_the_closed_form(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gram_inverse, "BLOCK", block)
    data = small_site()
    X = data.matrix.toarray().astype(np.float64)
    P = np.linalg.inv(X.T @ X + 10 * np.eye(N_ITEMS))
    B = -P / np.diag(P)  # column j divided by P_jj
    np.fill_diagonal(B, 0)
    model = EASE(regularization=10).fit(data)
    np.testing.assert_allclose(model.weights_, B, atol=1e-5)
    top = model.recommend(data, np.array([0]), N_ITEMS)
    listed = top.items[0][top.items[0] >= 0]
    np.testing.assert_allclose(top.scores[0, : len(listed)], (X @ B)[0, listed], atol=1e-5)


def test_each_column_solves_ridge_regression_on_the_other_items() -> None:
    data = small_site()
    X = data.matrix.toarray().astype(np.float64)
    others = np.delete(X, 3, axis=1)
    expected = np.linalg.solve(others.T @ others + 10 * np.eye(N_ITEMS - 1), others.T @ X[:, 3])
    np.testing.assert_allclose(np.delete(EASE(regularization=10).fit(data).weights_[:, 3], 3), expected, atol=1e-5)


def test_a_history_of_unknown_items_is_no_evidence() -> None:
    train = Dataset.from_arrays([0, 0, 1, 1], [0, 1, 0, 1], n_users=3, n_items=3)
    later = Dataset.from_arrays([2], [2], n_users=3, n_items=3)
    assert (EASE().fit(train).recommend(later, np.array([2]), 3).items == -1).all()


def test_too_many_items_are_refused_with_the_memory_it_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2**20)
    with pytest.raises(
        NightrecError, match=r"ease needs about \d\.\d GiB of memory for 30 items, 0\.0 GiB are available"
    ):
        EASE().fit(small_site())


def test_the_approximation_solves_ridge_regression_on_the_nearest_items() -> None:
    data = small_site()
    X = data.matrix.toarray().astype(np.float64)
    B = EASE(regularization=10, method="approximate", neighbors=6).fit(data).sparse_weights_.toarray()
    norms = np.linalg.norm(X, axis=0)
    cosines = X.T @ X / np.where(norms > 0, np.outer(norms, norms), np.inf)
    np.fill_diagonal(cosines, 0)
    for item in range(N_ITEMS):
        nearest = np.lexsort((np.arange(N_ITEMS), -cosines[item].round(6)))[:6]
        nearest = nearest[cosines[item, nearest] > 0]
        expected = np.zeros(N_ITEMS)
        if len(nearest):
            some = X[:, nearest]
            expected[nearest] = np.linalg.solve(some.T @ some + 10 * np.eye(len(nearest)), some.T @ X[:, item])
        np.testing.assert_allclose(B[:, item], expected, atol=1e-4)


def test_weights_of_interactions_count_in_the_approximation() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(1, 5, (30, 8)) * (rng.random((30, 8)) < 0.7)
    users, items = np.nonzero(X)
    data = Dataset.from_arrays(users, items, weight=X[users, items].astype(np.float32), n_users=30, n_items=8)
    exact, near = (EASE(regularization=10, method=method).fit(data) for method in ("exact", "approximate"))
    np.testing.assert_allclose(near.sparse_weights_.toarray(), exact.weights_, atol=1e-4)  # everything is near
    sources, targets = np.array([3, 4, 5], np.int32), np.array([4, 7, 5], np.int32)
    np.testing.assert_allclose(exact._affinity(sources, targets), near._affinity(sources, targets), atol=1e-4)
    items = np.arange(8)
    np.testing.assert_array_equal(exact.similar_items(items, 3).items, near.similar_items(items, 3).items)


def test_the_approximation_needs_a_regularization_above_0() -> None:
    with pytest.raises(NightrecError, match=r"regularization 0"):
        EASE(regularization=0, method="approximate").fit(small_site())


def test_a_large_catalogue_is_approximated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "EXACT_ITEMS", N_ITEMS)
    assert EASE().fit(small_site()).method_ == "exact"
    monkeypatch.setattr(ease, "EXACT_ITEMS", N_ITEMS - 1)
    assert EASE().fit(small_site()).method_ == "approximate"
    assert EASE(method="exact").fit(small_site()).method_ == "exact"


def test_the_approximation_of_a_million_items_needs_no_square_of_them() -> None:
    needed = EASE().memory_needed(10**6, 10**6, 10**7)
    assert needed < 16 * 2**30
    assert EASE(method="exact").memory_needed(10**6, 10**6, 10**7) > 4 * 10**12


@pytest.mark.slow
def test_the_memory_that_is_announced_is_what_fitting_takes() -> None:
    """In a process of its own: 4,500 items, of which the exact inverse takes 81 MB."""
    code = """
import numpy as np
from recmodels.compute import memory
from recmodels.linear import spectral
from recmodels.scoring import kernels, similarity  # what is loaded already is not counted
from recmodels.data.dataset import Dataset
from recmodels.linear.ease import EASE
import scipy.linalg
pairs = np.unique(np.random.default_rng(0).integers(0, 2000 * 4500, 60_000))
data = Dataset.from_arrays(pairs // 4500, pairs % 4500, n_users=2000, n_items=4500)
data.matrix
before = memory.peak()
model = EASE(method="exact").fit(data)
model.recommend(data, np.arange(2000), 10)
print((memory.peak() - before) / model.memory_needed(2000, 4500, len(data)))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0.3 < float(ran.stdout) < 1.05


@pytest.mark.parametrize("method", ["exact", "approximate"])
@pytest.mark.slow
def test_trained_in_parts_it_is_the_same_to_the_last_bit(in_parts: FitOptions, method: str) -> None:
    data = small_site()
    one, other = (EASE(method=method, neighbors=7).fit(data, options) for options in (FitOptions(), in_parts))
    assert_same(one.recommend(data, k=5), other.recommend(data, k=5))


def with_more(data: Dataset, item: int, n: int) -> Dataset:
    """The same with n interactions more of an item."""
    others = np.setdiff1d(np.arange(data.n_users), data.user_index[data.item_index == item])[:n]
    users, items = np.append(data.user_index, others), np.append(data.item_index, np.full(len(others), item))
    return Dataset.from_arrays(users, items, n_users=data.n_users, n_items=data.n_items)


@pytest.mark.slow
def test_columns_of_items_that_have_hardly_changed_are_those_of_the_night_before(in_parts: FitOptions) -> None:
    data = small_site()
    kind = EASE(method="approximate", neighbors=7)
    before = replace(kind).fit(data)
    popular = int(data.item_counts.argmax())
    today = with_more(data, popular, 4)
    warm = WarmStart(before, same_rows(data))
    share = 4 / data.item_counts[popular]
    anew = replace(kind).fit(today).sparse_weights_.toarray()
    for most, column in ((share * 0.9, anew), (share * 1.1, before.sparse_weights_.toarray())):
        for options in (FitOptions(warm_start=warm), replace(in_parts, warm_start=warm)):
            model = replace(kind, warm_change=most).fit(today, options)
            found = model.sparse_weights_.toarray()
            np.testing.assert_array_equal(found[:, popular], column[:, popular])
            others = np.arange(data.n_items) != popular
            np.testing.assert_array_equal(found[:, others], before.sparse_weights_.toarray()[:, others])
            assert model.item_weights_[popular] == data.item_counts[popular] + (most < share) * 4


def test_an_item_whose_interactions_weigh_more_has_changed() -> None:
    data, kind = small_site(), EASE(method="approximate", neighbors=7)
    before = replace(kind).fit(data)
    item = int(data.item_counts.argmax())
    weight = np.where(data.item_index == item, 2, 1).astype(np.float32)
    heavier = Dataset.from_arrays(
        data.user_index, data.item_index, weight=weight, n_users=data.n_users, n_items=data.n_items
    )
    options = FitOptions(warm_start=WarmStart(before, same_rows(data)))
    warm, anew = (replace(kind).fit(heavier, one).sparse_weights_.toarray() for one in (options, FitOptions()))
    np.testing.assert_array_equal(warm[:, item], anew[:, item])
    assert (warm[:, item] != before.sparse_weights_.toarray()[:, item]).any()


def test_kept_columns_follow_their_items_to_other_numbers() -> None:
    data = small_site()
    before = EASE(method="approximate", neighbors=7).fit(data)
    other, rows = shuffled(data)
    after = EASE(method="approximate", neighbors=7).fit(other, FitOptions(warm_start=WarmStart(before, rows)))
    old = np.flatnonzero(rows["items"] >= 0)
    then = rows["items"][old]
    assert (
        after.sparse_weights_.toarray()[np.ix_(old, old)] == before.sparse_weights_.toarray()[np.ix_(then, then)]
    ).all()


def test_an_approximation_by_other_parameters_is_no_start() -> None:
    data = small_site()
    kind = EASE(method="approximate", neighbors=7)
    cold = replace(kind).fit(data).sparse_weights_
    for other in (replace(kind, neighbors=6), replace(kind, regularization=9), EASE(method="exact")):
        warm = WarmStart(other.fit(data), same_rows(data))
        assert (replace(kind).fit(data, FitOptions(warm_start=warm)).sparse_weights_ != cold).nnz == 0
