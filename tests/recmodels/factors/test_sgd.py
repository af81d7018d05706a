"""Cells of pairs, negatives and single steps of gradient descent."""

import numpy as np
import pytest

from recmodels.factors import sgd
from tests.recmodels.factors.test_bpr import two_tastes


def test_a_negative_is_never_an_item_of_the_history() -> None:
    """The one item that a user does not have is the only negative: it alone is pushed down, the others only up."""
    n_items = 5
    U, V, bias = np.ones((1, 2), np.float32), np.zeros((n_items, 2), np.float32), np.zeros(n_items, np.float32)
    own = np.array([0, 1, 3, 4], np.int32)
    ones, starts = np.zeros(4, np.int32), np.array([0, 4])
    for seed in range(20):
        sgd.bpr_cell(
            ones, own, np.empty(0, np.float32), starts, np.arange(n_items, dtype=np.int32), np.array([0, n_items]),
            np.empty(0), np.array([0, 4], np.int32),
            own, U, V, bias, np.float32(0.1), np.float32(0), 1, seed, 0,
        )  # fmt: skip
    assert (bias[own] > 0).all() and bias[2] < 0
    assert bias.sum() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("weights", [[], [2.5]])
def test_one_step_of_bpr_follows_the_gradient_worked_by_hand(weights: list[float]) -> None:
    """User (1, 0), item (0, 1), negative (1, 0): x_ui - x_uj = -1, each is pulled by weight / (1 + e^-1)."""
    U = np.array([[1, 0]], np.float32)
    V = np.array([[0, 1], [1, 0]], np.float32)
    bias = np.zeros(2, np.float32)
    one = np.zeros(1, np.int32)
    sgd.bpr_cell(
        one, one, np.array(weights, np.float32), np.array([0, 1]), np.array([0, 1], np.int32), np.array([0, 2]),
        np.empty(0), np.array([0, 1], np.int32), one, U, V, bias, np.float32(0.1), np.float32(0.01), 1, 3, 0,
    )  # fmt: skip
    pull = (weights or [1])[0] / (1 + np.exp(-1.0))
    np.testing.assert_allclose(U[0], [1 + 0.1 * (-pull - 0.01), 0.1 * pull], rtol=1e-5)
    np.testing.assert_allclose(V[0], [0.1 * pull, 1 - 0.001], rtol=1e-5)
    np.testing.assert_allclose(V[1], [1 + 0.1 * (-pull - 0.01), 0], rtol=1e-5)
    np.testing.assert_allclose(bias, [0.1 * pull, -0.1 * pull], rtol=1e-5)


def test_negatives_are_drawn_by_sampling_probability_within_the_block() -> None:
    ends = np.cumsum([0.1, 0.2, 0.0, 0.3, 0.4])
    states = np.arange(1, 20_001, dtype=np.uint64) * sgd.GOLDEN
    drawn = np.bincount([sgd._drawn_by_probability(state, ends, 1, 4) for state in states], minlength=5)
    np.testing.assert_allclose(drawn / len(states), np.array([0, 0.2, 0, 0.3, 0.4]) / 0.9, atol=0.012)
    assert drawn[2] == 0


def test_every_pair_lies_in_the_cell_of_its_blocks_once() -> None:
    data, _ = two_tastes()
    rng = np.random.default_rng(0)
    user_block, item_block = (rng.integers(0, 3, n).astype(np.int8) for n in (data.n_users, data.n_items))
    users, items, source, starts = sgd.cells(data.user_index, data.item_index, user_block, item_block, 3)
    np.testing.assert_array_equal(np.sort(source), np.arange(len(data)))
    np.testing.assert_array_equal(users, data.user_index[source])
    np.testing.assert_array_equal(items, data.item_index[source])
    cell = np.repeat(np.arange(9), np.diff(starts))
    np.testing.assert_array_equal(user_block[users] * 3 + item_block[items], cell)


def test_one_rating_of_mf_moves_biases_and_factors_as_the_gradient_says() -> None:
    U, V = np.array([[1, 2]], np.float32), np.array([[3, -1]], np.float32)
    b_u, b_i = np.array([0.5], np.float32), np.array([-0.5], np.float32)
    one = np.zeros(1, np.int32)
    sgd.mf_cell(
        one, one, np.array([5], np.float32), np.array([0, 1]), np.float32(3), U, V, b_u, b_i,
        np.float32(0.1), np.float32(0.01), np.float32(0.02), 0,
    )  # fmt: skip
    error = 5 - (3 + 0.5 - 0.5 + (1 * 3 + 2 * -1))  # 1
    np.testing.assert_allclose(U[0], [1 + 0.1 * (error * 3 - 0.01 * 1), 2 + 0.1 * (error * -1 - 0.01 * 2)], rtol=1e-6)
    np.testing.assert_allclose(V[0], [3 + 0.1 * (error * 1 - 0.01 * 3), -1 + 0.1 * (error * 2 + 0.01 * 1)], rtol=1e-6)
    np.testing.assert_allclose([b_u[0], b_i[0]], [0.5 + 0.1 * (1 - 0.01), -0.5 + 0.1 * (1 + 0.01)], rtol=1e-6)
