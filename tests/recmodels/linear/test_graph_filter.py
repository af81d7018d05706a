from dataclasses import replace

import numpy as np
import pytest

from recmodels.linear.graph_filter import GraphFilter
from recmodels.options import DEFAULTS, FitOptions, WarmStart
from recmodels.popularity import Popularity
from recmodels.testing import N_ITEMS, N_USERS, RecommenderContract, small_site
from tests.recmodels.renumbered import same_rows, shuffled


class TestGraphFilter(RecommenderContract):
    rounding = 1e-5  # LAPACK and BLAS divide sums as there are threads

    def make(self) -> GraphFilter:
        return GraphFilter(rank=8)


class TestWithFewNeighbors(RecommenderContract):
    rounding = 1e-5

    def make(self) -> GraphFilter:
        return GraphFilter(rank=4, neighbors=3)


def dense_filter(model: GraphFilter, R: np.ndarray) -> np.ndarray:
    """Scores of all users by dense matrices in float64, from the definition."""
    users, items = R.sum(axis=1), R.sum(axis=0)
    safe_users, safe_items = np.maximum(users, 1), np.maximum(items, 1)
    A = safe_users[:, None] ** -model.user_exponent * R * safe_items**-model.item_exponent
    values, V = np.linalg.eigh(A.T @ A)
    top = values.max()
    ridge = model.saturation * top
    last = np.sort(values)[::-1][model.rank - 1]
    f = np.where(values >= last, values / (values + ridge), model.remainder / (last + ridge) * values)
    return R * safe_items**-model.before @ (V * f) @ V.T * safe_items**model.after


@pytest.mark.parametrize("rank", [3, 8])
def test_scores_are_those_of_the_definition(rank: int) -> None:
    data = small_site()
    model = GraphFilter(rank=rank).fit(data)
    expected = dense_filter(model, data.matrix.toarray().astype(np.float64))
    known = np.diff(data.indptr) > 0
    scores = model._score(data, np.arange(N_USERS, dtype=np.int32))
    np.testing.assert_allclose(scores[known], expected[known], atol=2e-5)


def test_contributions_add_up_to_the_score() -> None:
    data = small_site()
    model = GraphFilter(rank=6, neighbors=5).fit(data)
    user, target = 0, 7
    history = data.item_index[data.indptr[user] : data.indptr[user + 1]]
    shares = model._affinity(history, np.full(len(history), target, np.int32))
    score = model._score(data, np.array([user], np.int32))[0, target]
    np.testing.assert_allclose(shares.sum(), score, rtol=1e-4)


def test_a_popular_item_is_favored_by_after() -> None:
    data = small_site()
    counts = np.bincount(data.item_index, minlength=N_ITEMS)

    def listed(after: float) -> float:
        top = GraphFilter(rank=8, after=after).fit(data).recommend(data, np.arange(30), 3)
        return float(counts[top.items].mean())

    assert listed(1.0) > listed(0.0) > listed(-1.0)


def test_a_warm_start_scores_as_a_training_from_nothing_does() -> None:
    data = small_site()
    other, rows = shuffled(data)
    options = FitOptions(warm_start=WarmStart(GraphFilter(rank=8).fit(data), rows))
    everybody = np.arange(other.n_users, dtype=np.int32)
    warm, cold = (GraphFilter(rank=8).fit(other, one)._score(other, everybody) for one in (options, DEFAULTS))
    known = np.isfinite(cold)
    np.testing.assert_array_equal(np.isfinite(warm), known)
    np.testing.assert_allclose(warm[known], cold[known], atol=2e-3)
    for another in (GraphFilter(rank=7).fit(data), Popularity().fit(data)):
        model = GraphFilter(rank=8).fit(other, FitOptions(warm_start=WarmStart(another, rows)))
        np.testing.assert_allclose(model._score(other, everybody)[known], cold[known], atol=1e-5)


def test_entries_of_items_that_have_hardly_changed_are_those_of_the_night_before() -> None:
    data, kind = small_site(), GraphFilter(rank=8, neighbors=7)
    before = replace(kind).fit(data)
    before.near_.data *= 3  # what is kept shows it, as the diagonal, which is no neighbor, does not
    warm = FitOptions(warm_start=WarmStart(before, same_rows(data)))
    cold, after = replace(kind).fit(data)._entries(), replace(kind).fit(data, warm)._entries()
    np.testing.assert_allclose(after.toarray(), 3 * cold.toarray(), rtol=1e-3)
    for change in ({"neighbors": 6}, {"user_exponent": 0.3}):
        model = replace(kind, **change)
        np.testing.assert_allclose(
            replace(model).fit(data, warm)._entries().toarray(), model.fit(data)._entries().toarray(), rtol=1e-3
        )


@pytest.mark.slow
def test_trained_in_parts_it_makes_the_same_scores(in_parts: FitOptions) -> None:
    data, everybody = small_site(), np.arange(N_USERS, dtype=np.int32)
    one, other = (GraphFilter(rank=8, neighbors=7).fit(data, options) for options in (FitOptions(), in_parts))
    np.testing.assert_array_equal(other.near_.indices, one.near_.indices)
    np.testing.assert_allclose(other._score(data, everybody), one._score(data, everybody), atol=1e-6)
