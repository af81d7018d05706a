"""The losses of pairs, against their definitions."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from recmodels.pairwise import losses
from tests.recmodels.tensors import assert_close

torch.set_num_threads(1)

ROWS = torch.tensor([0, 0, 1])
SCORES = torch.tensor([0.3, -0.2, 1.0])
NEGATIVES = torch.tensor([[0.1, 2.0, losses.MASKED_SCORE], [-3.0, 0.5, 0.2]])
WEIGHTS = torch.tensor([1.0, 2.0, 0.5])


def test_softmax_over_all_that_a_user_lacks_is_the_cross_entropy() -> None:
    expected = 0.0
    for score, row, weight in zip(SCORES, ROWS, WEIGHTS, strict=True):
        everything = torch.cat((score[None], NEGATIVES[row]))
        expected += float(weight * functional.cross_entropy(everything, torch.tensor(0)))
    assert float(losses.softmax(SCORES, ROWS, NEGATIVES, WEIGHTS, torch.zeros(3))) == pytest.approx(expected)


def test_a_negative_expected_twice_weighs_half() -> None:
    loss = losses.softmax(SCORES[2:], ROWS[:1], NEGATIVES[1:, :2], torch.ones(1), torch.tensor([2.0, 1.0]).log())
    total = np.exp(1.0) + np.exp(-3.0) / 2 + np.exp(0.5)
    assert float(loss) == pytest.approx(np.log(total) - 1)


@pytest.mark.slow
def test_sampled_totals_are_those_of_the_catalogue_on_average() -> None:
    rng = np.random.default_rng(0)
    scores, probabilities = rng.normal(size=50), rng.dirichlet(np.ones(50))
    sums = []
    for _ in range(4000):
        drawn, times = np.unique(rng.choice(50, 20, p=probabilities), return_counts=True)
        sums.append((np.exp(scores[drawn]) * times / (20 * probabilities[drawn])).sum())
    assert np.mean(sums) == pytest.approx(np.exp(scores).sum(), rel=0.1)


def test_bpr_and_binary_cross_entropy_follow_their_definitions() -> None:
    def sigmoid(x: float) -> float:
        return float(1 / (1 + np.exp(-x)))

    loss = losses.bpr(SCORES, ROWS, NEGATIVES, WEIGHTS, torch.tensor([0, 2, 1]))
    expected = -np.log(sigmoid(0.3 - 0.1)) - 0.5 * np.log(sigmoid(1.0 - 0.5))  # the second pair's negative is masked
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    loss = losses.bce(SCORES[2:], ROWS[2:], NEGATIVES, WEIGHTS[2:], torch.tensor([[0, 1]]))
    expected = -0.5 * (np.log(sigmoid(1.0)) + np.log(sigmoid(3.0)) + np.log(sigmoid(-0.5)))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_warp_takes_the_first_negative_within_the_margin_and_its_rank() -> None:
    tried = torch.tensor([[2, 0, 1], [2, 2, 2], [0, 1, 2]])
    loss = losses.warp(SCORES, ROWS, NEGATIVES, WEIGHTS, tried, 101)
    # pair 0: the second try, rank 50, 1 - 0.3 + 0.1; pair 1: none; pair 2: the second, 1 - 1.0 + 0.5
    assert float(loss) == pytest.approx(np.log(50) * 0.8 + 0.5 * np.log(50) * 0.5, rel=1e-5)


def test_a_user_who_has_every_negative_learns_nothing_and_stays_finite() -> None:
    vectors = torch.ones(1, 2, requires_grad=True)
    negatives = (vectors @ torch.ones(2, 3)).index_put(
        (torch.zeros(3, dtype=torch.long), torch.arange(3)), torch.tensor(losses.MASKED_SCORE)
    )
    losses.softmax(vectors.sum(dim=1), ROWS[:1], negatives, torch.ones(1), torch.zeros(3)).backward()
    assert_close(vectors.grad, torch.zeros(1, 2))
    every = torch.zeros(3, dtype=torch.long), torch.arange(3)
    losses.softmax_of_products(
        vectors.sum(dim=1), ROWS[:1], vectors, torch.ones(3, 2), every, torch.ones(1), torch.zeros(3)
    ).backward()
    assert_close(vectors.grad, torch.zeros(1, 2))


@pytest.mark.parametrize("cells", [2**22, 48, 12])
def test_softmax_of_products_is_that_of_their_scores(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setitem(losses.LOGIT_BYTES, "cpu", cells)  # all users at a time, two, one
    generator = torch.Generator().manual_seed(0)
    users, negatives = (torch.randn(n, 4, generator=generator) for n in (5, 6))
    scores, weights, log_counts = (torch.randn(n, generator=generator) for n in (7, 7, 6))
    rows, masked = torch.tensor([0, 0, 1, 1, 1, 3, 4]), (torch.tensor([0, 1, 1, 3, 4]), torch.tensor([2, 0, 5, 3, 1]))
    parameters = [tensor.requires_grad_() for tensor in (scores, users, negatives)]
    loss = losses.softmax_of_products(scores, rows, users, negatives, masked, weights.exp(), log_counts)
    gradients = torch.autograd.grad(3 * loss, parameters)
    scored = (users @ negatives.T).index_put(masked, torch.tensor(losses.MASKED_SCORE))
    expected = losses.softmax(scores, rows, scored, weights.exp(), log_counts)
    assert_close(loss, expected)
    assert_close(gradients, torch.autograd.grad(3 * expected, parameters))
