"""The losses of the transformer, against their definitions and torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from recmodels.transformer import losses
from tests.recmodels.tensors import assert_close


def some_scores(m: int = 7, n: int = 11, d: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, a table and targets, in double precision."""
    generator = torch.Generator().manual_seed(0)
    states, table = (torch.randn(size, d, generator=generator, dtype=torch.float64) for size in (m, n))
    return states.requires_grad_(), table.requires_grad_(), torch.arange(m) % n


@pytest.mark.parametrize("budget", [1, 3 * 4 * 11, 2**20])  # one row at a time, three, all
def test_full_cross_entropy_is_that_of_torch_and_so_are_its_gradients(budget: int) -> None:
    states, table, targets = some_scores()
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    expected = (weights * functional.cross_entropy(states @ table.T, targets, reduction="none")).sum()
    ours = losses._CrossEntropy.apply(states, table, targets, weights, budget)
    assert_close(ours, expected)
    for one, other in zip(
        torch.autograd.grad(2 * ours, (states, table)),
        torch.autograd.grad(2 * expected, (states, table)),
        strict=True,
    ):
        assert_close(one, other)


MASKED = (torch.tensor([0, 0, 2, 3, 6, 6]), torch.tensor([4, 9, 10, 0, 1, 2]))  # rows and columns of scores


@pytest.mark.parametrize("budget", [1, 3 * 4 * 11, 2**20])
def test_masked_scores_are_no_negatives(budget: int) -> None:
    states, table, targets = some_scores()
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    scores = (states @ table.T).index_put(MASKED, torch.tensor(-torch.inf, dtype=torch.float64))
    expected = (weights * functional.cross_entropy(scores, targets, reduction="none")).sum()
    ours = losses._CrossEntropy.apply(states, table, targets, weights, budget, MASKED)
    assert_close(ours, expected)
    gradients = (torch.autograd.grad(loss, (states, table)) for loss in (ours, expected))
    assert_close(*gradients)
    even = torch.ones(11, dtype=torch.float64)
    sampled = losses.sampled_softmax(states, table, targets, weights, torch.arange(11), even, MASKED)
    assert_close(sampled, expected)


@pytest.mark.parametrize("masked", [None, MASKED])
@pytest.mark.parametrize("budget", [1, 3 * 4 * 11, 2**20])
def test_a_lesson_is_learned_to_its_share(budget: int, masked: losses.Positions | None) -> None:
    """Against torch's cross entropy with probabilities as targets; what is masked has none."""
    states, table, targets = some_scores()
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    lesson = losses.Lesson(states.detach().roll(1, dims=1) + 1, table.detach() ** 2, 0.3)
    scores, taught = states @ table.T, lesson.states @ lesson.table.T
    if masked is not None:
        never = torch.tensor(-1e9, dtype=torch.float64)  # and not -inf, which torch multiplies by 0
        scores, taught = scores.index_put(masked, never), taught.index_put(masked, never)
    wanted = 0.7 * functional.one_hot(targets, 11) + 0.3 * taught.softmax(dim=1)
    expected = (weights * functional.cross_entropy(scores, wanted, reduction="none")).sum()
    ours = losses._CrossEntropy.apply(states, table, targets, weights, budget, masked, lesson)
    even = torch.ones(11, dtype=torch.float64)
    sampled = losses.sampled_softmax(states, table, targets, weights, torch.arange(11), even, masked, lesson)
    gradients = [torch.autograd.grad(loss, (states, table)) for loss in (expected, ours, sampled)]
    for loss, found in zip((ours, sampled), gradients[1:], strict=True):
        assert_close(loss, expected)
        assert_close(found, gradients[0])


def test_sampled_softmax_with_every_item_once_is_the_full_one() -> None:
    states, table, targets = some_scores()
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    even = torch.ones(11, dtype=torch.float64)
    sampled = losses.sampled_softmax(states, table, targets, weights, torch.arange(11), even)
    assert_close(sampled, losses.cross_entropy(states, table, targets, weights))


def test_an_item_expected_twice_weighs_half() -> None:
    states, table = torch.tensor([[1.0]]), torch.tensor([[0.5], [0.25], [-1.0]])
    drawn, counts = torch.tensor([1, 2, 0]), torch.tensor([2.0, 1, 1])
    loss = losses.sampled_softmax(states, table, torch.tensor([0]), torch.ones(1), drawn, counts)
    total = np.exp(0.5) + np.exp(0.25) / 2 + np.exp(-1.0)  # the target, drawn too, counts once
    assert float(loss) == pytest.approx(np.log(total) - 0.5)


@pytest.mark.parametrize("t", [0.0, 0.75, 1.0])
def test_gbce_follows_its_definition(t: float) -> None:
    states, table, targets = some_scores()
    drawn = torch.tensor([8, 9, 10])
    a = 3 / 10
    beta = a * (t * (1 - 1 / a) + 1 / a)
    positive = torch.sigmoid((states * table[targets]).sum(dim=1))
    negative = torch.sigmoid(states @ table[drawn].T)
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    expected = -(weights * (beta * positive.log() + (1 - negative).log().sum(dim=1))).sum() / 4
    assert_close(losses.gbce(states, table, targets, weights, drawn, t), expected)


def test_gbce_without_masked_scores_is_less_by_their_terms() -> None:
    states, table, targets = some_scores()
    weights = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    drawn, masked = torch.tensor([8, 9, 10]), (torch.tensor([1, 4]), torch.tensor([0, 2]))
    whole, less = (losses.gbce(states, table, targets, weights, drawn, 0.75, out) for out in (None, masked))
    scores = (states @ table[drawn].T)[masked]
    assert_close(whole - less, (weights[masked[0]] * functional.softplus(scores)).sum() / 4)
