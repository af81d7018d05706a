import numpy as np
import pytest

from recmodels.compute import device
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.factors.als import ALS
from recmodels.options import FitOptions, WarmStart
from recmodels.popularity import Popularity
from recmodels.testing import (
    COMPLETIST,
    N_ITEMS,
    N_USERS,
    NEWCOMER,
    RecommenderContract,
    assert_same,
    small_site,
)
from tests.recmodels.renumbered import shuffled

EVERYBODY = np.arange(N_USERS)


class TestALS(RecommenderContract):
    def make(self) -> ALS:
        return ALS(factors=8)


class TestALSWithMoreFactorsThanItems(RecommenderContract):
    def make(self) -> ALS:
        return ALS(factors=40)


def weighted_site() -> Dataset:
    data, rng = small_site(), np.random.default_rng(7)
    return Dataset.from_arrays(
        data.user_index, data.item_index, weight=rng.integers(1, 4, len(data)), n_users=N_USERS, n_items=N_ITEMS
    )


def loss(model: ALS, data: Dataset, users: np.ndarray, items: np.ndarray) -> float:
    """The objective of the class's docstring, written out."""
    weights, a = data.matrix.toarray().astype(np.float64), model.unobserved_weight_
    scores = users.astype(np.float64) @ items.T.astype(np.float64)
    n_known = weights.any(axis=1).sum()  # who has nothing does not count
    n_user, n_item = weights.sum(axis=1) + a * N_ITEMS, weights.sum(axis=0) + a * n_known
    of_user, of_item = (
        model.regularization * mean * (n / mean) ** model.frequency_power
        for n, mean in ((n_user, n_user[weights.any(axis=1)].mean()), (n_item, n_item.mean()))
    )
    penalty = of_user @ (users**2).sum(axis=1) + of_item @ (items**2).sum(axis=1)
    return float((weights * (1 - scores) ** 2).sum() + a * (scores**2).sum() + penalty)


def test_a_users_vector_minimizes_the_objective() -> None:
    data = weighted_site()
    model = ALS(factors=6, alpha=0.5, frequency_power=0.5, iterations=3).fit(data)
    known = np.setdiff1d(EVERYBODY, [NEWCOMER])
    users = np.zeros((N_USERS, 6))
    users[known] = model._user_vectors(data, known.astype(np.int32))
    best = loss(model, data, users, model.item_vectors_)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2):
        for _ in range(20):
            moved = users + size * rng.normal(size=users.shape) * (users != 0)
            assert loss(model, data, moved, model.item_vectors_) > best


def test_iterations_lower_the_objective() -> None:
    data = weighted_site()
    known = np.setdiff1d(EVERYBODY, [NEWCOMER]).astype(np.int32)
    losses = []
    for iterations in (1, 2, 4, 8, 16):
        model = ALS(factors=6, iterations=iterations, regularization=0.01).fit(data)
        users = np.zeros((N_USERS, 6))
        users[known] = model._user_vectors(data, known)
        losses.append(loss(model, data, users, model.item_vectors_))
    assert losses == sorted(losses, reverse=True)


def test_a_warm_start_goes_on_where_the_earlier_model_was() -> None:
    """Under other numbers, with users and items more, that have no interactions."""
    data = small_site()
    other, rows = shuffled(data)
    long = ALS(factors=6, iterations=16).fit(data)
    start = FitOptions(warm_start=WarmStart(long, rows))
    users, items = (np.flatnonzero(rows[part] >= 0).astype(np.int32) for part in ("users", "items"))
    expected = long._score(data, rows["users"][users])[:, rows["items"][items]]
    known = np.isfinite(expected)
    warm, cold = ALS(factors=6).fit(other, start), ALS(factors=6, iterations=1).fit(other)
    off = [np.abs(model._score(other, users)[:, items][known] - expected[known]).mean() for model in (warm, cold)]
    assert off[0] < off[1] / 5
    again = ALS(factors=6).fit(other, start)
    np.testing.assert_array_equal(again.item_vectors_, warm.item_vectors_)


def test_a_new_item_gets_a_vector_and_another_model_is_no_start() -> None:
    data = small_site()
    rows = {"items": np.arange(N_ITEMS, dtype=np.int32)}
    rows["items"][7] = -1
    before, whole = ALS(factors=6).fit(data), ALS(factors=6, iterations=9).fit(data)
    warm = ALS(factors=6).fit(data, FitOptions(warm_start=WarmStart(before, rows)))
    users = np.flatnonzero(np.diff(data.indptr)).astype(np.int32)
    one, other = (model._score(data, users)[:, 7] for model in (warm, whole))
    assert np.corrcoef(one, other)[0, 1] > 0.9
    for another in (ALS(factors=5).fit(data), Popularity().fit(data)):
        model = ALS(factors=6).fit(data, FitOptions(warm_start=WarmStart(another, rows)))
        np.testing.assert_array_equal(model.item_vectors_, before.item_vectors_)


def test_the_items_gram_matrix_is_diagonal_as_stored() -> None:
    model = ALS(factors=6).fit(weighted_site())
    gram = model.item_vectors_.T @ model.item_vectors_
    np.testing.assert_allclose(model.unobserved_weight_ * gram, np.diag(model.gram_diagonal_), atol=1e-5 * gram.max())


@pytest.mark.parametrize("factors", [6, 40])  # fewer and more than a history holds: two ways to compute the same
def test_reasons_are_the_largest_part_of_a_score_and_the_parts_add_up_to_it(factors: int) -> None:
    data = weighted_site()
    model = ALS(factors=factors, alpha=0.5).fit(data)
    users = np.setdiff1d(EVERYBODY, [NEWCOMER, COMPLETIST]).astype(np.int32)
    top = model.recommend(data, users, 5)
    reasons = model.explain(data, users, top)
    items, weights = model.item_vectors_.astype(np.float64), data.matrix.toarray().astype(np.float64)
    mean = (weights.sum(axis=1) + model.unobserved_weight_ * N_ITEMS)[weights.any(axis=1)].mean()
    for user, row, scores, reason in zip(users, top.items, top.scores, reasons, strict=True):
        share = (weights[user].sum() + model.unobserved_weight_ * N_ITEMS) / mean
        penalty = model.regularization * mean * share**model.frequency_power
        matrix = model.unobserved_weight_ * items.T @ items + items.T @ np.diag(weights[user]) @ items
        inverse = np.linalg.inv(matrix + penalty * np.eye(factors))
        parts = items[row] @ inverse @ items.T * weights[user]  # [k, n_items]
        np.testing.assert_allclose(parts.sum(axis=1), scores, rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(reason, parts.argmax(axis=1))


def test_a_user_who_came_after_fitting_is_served_from_their_history() -> None:
    data = small_site()
    model = ALS(factors=8).fit(data)
    newcomer = data.item_index[data.indptr[3] : data.indptr[4]]
    grown = Dataset.from_arrays(
        np.concatenate((data.user_index, np.full(len(newcomer), N_USERS))),
        np.concatenate((data.item_index, newcomer)),
        n_items=N_ITEMS,
    )
    left, right = model.recommend(grown, np.array([3]), 9), model.recommend(grown, np.array([N_USERS]), 9)
    np.testing.assert_array_equal(left.items, right.items)


@pytest.mark.parametrize("entries", [7, 2**19])
def test_torch_solves_as_the_compiled_kernel_does(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from recmodels.factors import als_torch

    data, users = weighted_site(), EVERYBODY.astype(np.int32)
    compiled = ALS(factors=12, iterations=5).fit(data)
    scores = compiled._user_vectors(data, users) @ compiled.item_vectors_.T
    monkeypatch.setattr(als_torch, "ENTRIES", entries)
    monkeypatch.setattr(device, "cuda", lambda: True)
    monkeypatch.setattr(device, "name", lambda: "cpu")
    torch = ALS(factors=12, iterations=5).fit(data)
    np.testing.assert_allclose(torch._user_vectors(data, users) @ torch.item_vectors_.T, scores, atol=1e-3)


def test_items_without_interactions_change_no_list() -> None:
    data = small_site()
    larger = Dataset.from_arrays(data.user_index, data.item_index, n_users=N_USERS + 50, n_items=N_ITEMS + 1_000)
    small, large = (ALS(factors=40, iterations=40, cg_steps=10).fit(site) for site in (data, larger))
    left, right = small.recommend(data, EVERYBODY, 5), large.recommend(larger, EVERYBODY, 5)
    np.testing.assert_allclose(left.scores, right.scores, atol=0.01)


@pytest.mark.parametrize("name", ["regularization", "alpha"])
def test_what_must_be_above_0_is_checked(name: str) -> None:
    with pytest.raises(ConfigError, match=f"ALS: {name} is 0; give a number above 0"):
        ALS(**{name: 0}).fit(small_site())


def test_attributes_saved_under_their_former_names_are_understood() -> None:
    data = small_site()
    model = ALS(factors=6).fit(data)
    former = {now: then for then, now in ALS.renamed_attributes.items()}
    restored = ALS(factors=6)
    restored._restore({former.get(name, name): value for name, value in model._state().items()})
    assert_same(restored.recommend(data, EVERYBODY, 5), model.recommend(data, EVERYBODY, 5))
