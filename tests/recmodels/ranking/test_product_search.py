"""Maximum inner product search finds what sorting the whole matrix finds."""

import numpy as np
import pytest
from scipy import sparse

from recmodels.compute import device, matmul
from recmodels.data.arrays import Csr, Floats, Ints
from recmodels.ranking import product_search, topk_torch
from recmodels.ranking.product_search import top_products
from recmodels.ranking.topk import TopK, top_k


def small_numbers(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Whole numbers: their products are exact, and tie often."""
    return rng.integers(-2, 3, shape).astype(np.float32)


def normal_numbers(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.normal(size=shape) * rng.exponential(size=(shape[0], 1))).astype(np.float32)


def some_seen(rng: np.random.Generator, n: int, m: int) -> Csr:
    return sparse.csr_array((rng.random((n, m)) < rng.random((n, 1)) * 0.5).astype(np.float32))


def best_by_hand(users: Floats, vectors: Floats, k: int, choice: Ints, seen: Csr) -> TopK:
    scores = users @ vectors.T
    scores[:, np.setdiff1d(np.arange(len(vectors)), choice)] = -np.inf
    scores[seen.toarray() > 0] = -np.inf
    return top_k(scores, k)


SHAPES = [(1, 1, 1, 1), (5, 20, 3, 50), (1030, 700, 8, 10), (300, 6000, 16, 50), (40, 9000, 5, 1), (30, 5000, 6, 600)]


@pytest.fixture(params=["processor", "torch"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With "torch", the code that runs on CUDA runs here, in several batches."""
    if request.param == "torch":
        monkeypatch.setattr(device, "cuda", lambda: True)
        monkeypatch.setattr(device, "name", lambda: "cpu")
        monkeypatch.setattr(topk_torch, "DEVICE_SCORES", 100_000)
    return str(request.param)


@pytest.mark.parametrize(("n", "m", "f", "k"), SHAPES)
@pytest.mark.usefixtures("where")
def test_top_products_are_those_of_the_whole_matrix(n: int, m: int, f: int, k: int) -> None:
    rng = np.random.default_rng(m)
    users, vectors, seen = small_numbers(rng, (n, f)), small_numbers(rng, (m, f)), some_seen(rng, n, m)
    choice = np.flatnonzero(rng.random(m) < 0.8).astype(np.int32)
    top = top_products(users, vectors, k, choice=choice, seen=seen)
    expected = best_by_hand(users, vectors, k, choice, seen)
    np.testing.assert_array_equal(top.items, expected.items)
    np.testing.assert_array_equal(top.scores, expected.scores)


@pytest.mark.parametrize(("n", "m", "f", "k"), SHAPES)
@pytest.mark.usefixtures("where")
def test_top_products_of_any_numbers_are_right_to_within_rounding(n: int, m: int, f: int, k: int) -> None:
    rng = np.random.default_rng(m)
    users, vectors, seen = normal_numbers(rng, (n, f)), normal_numbers(rng, (m, f)), some_seen(rng, n, m)
    top = top_products(users, vectors, k, seen=seen)
    expected = best_by_hand(users, vectors, k, np.arange(m, dtype=np.int32), seen)
    np.testing.assert_array_equal(top.items >= 0, expected.items >= 0)
    np.testing.assert_allclose(top.scores, expected.scores, rtol=1e-4, atol=1e-4)
    listed = top.items >= 0
    own = (users[np.nonzero(listed)[0]].astype(np.float64) * vectors[top.items[listed]]).sum(axis=1)
    np.testing.assert_allclose(top.scores[listed], own, rtol=1e-4, atol=1e-4)  # each score is that of its item
    assert (top.scores[:, 1:] <= top.scores[:, :-1]).all()


def test_neither_batches_nor_threads_nor_devices_change_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    users, vectors = normal_numbers(rng, (700, 33)), normal_numbers(rng, (6000, 33))
    whole = top_products(users, vectors, 20)
    for rows in (slice(0, 1), slice(5, 7), slice(100, 650)):
        part = top_products(users[rows], vectors, 20)
        np.testing.assert_array_equal(part.items, whole.items[rows])
        np.testing.assert_array_equal(part.scores, whole.scores[rows])
    monkeypatch.setattr(product_search, "USER_TILE", 50)
    monkeypatch.setattr(matmul, "faster_product", lambda _: matmul.torch_product)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    again = top_products(users, vectors, 20)
    monkeypatch.setattr(device, "cuda", lambda: True)
    monkeypatch.setattr(device, "name", lambda: "cpu")
    there = top_products(users, vectors, 20)
    for other in (again, there):
        np.testing.assert_array_equal(other.items, whole.items)
        np.testing.assert_array_equal(other.scores, whole.scores)


def test_items_too_short_to_reach_a_list_are_not_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    users, vectors = normal_numbers(rng, (64, 8)), normal_numbers(rng, (20_000, 8))
    vectors[np.arange(20_000) % 10 > 0] *= 1e-3
    multiplied = 0

    def count(left: Floats, right: Floats, scores: Floats) -> None:
        nonlocal multiplied
        multiplied += len(left) * len(right)
        matmul.numpy_product(left, right, scores)

    monkeypatch.setattr(matmul, "faster_product", lambda _: count)
    top = top_products(users, vectors, 10)
    assert multiplied < 0.3 * 64 * 20_000
    expected = best_by_hand(users, vectors, 10, np.arange(20_000, dtype=np.int32), sparse.csr_array((64, 20_000)))
    np.testing.assert_array_equal(top.items, expected.items)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.usefixtures("where")
def test_vectors_that_are_not_numbers_are_refused(bad: float) -> None:
    vectors = np.ones((3, 4), np.float32)
    broken = vectors.copy()
    broken[1, 2] = bad
    with pytest.raises(ValueError, match="An item vector holds NaN or infinity"):
        top_products(vectors, broken, 2)
    with pytest.raises(ValueError, match="A user vector holds NaN or infinity"):
        top_products(broken, vectors, 2)


@pytest.mark.usefixtures("where")
def test_a_product_that_is_no_number_any_more_is_refused() -> None:
    users = np.array([[1, 1], [1e30, 1e30]], np.float32)
    with pytest.raises(ValueError, match="Row 1 of the scores"):
        top_products(users, np.full((3, 2), 1e30, np.float32), 2)


def test_no_users_or_no_items_no_lists() -> None:
    some, nothing = np.ones((2, 3), np.float32), np.empty((0, 3), np.float32)
    assert top_products(nothing, some, 4).items.shape == (0, 4)
    assert (top_products(some, nothing, 4).items == -1).all()
    assert (top_products(some, some, 4, choice=np.empty(0, np.int32)).items == -1).all()
