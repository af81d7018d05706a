"""Losses of the transformer: the target's score against those of all items, or of sampled negatives.

All take states [m, d], the item embeddings [n, d], targets [m] and their weights [m], and return the weighted sum of
the m losses. Scores that are `masked`, given by their rows (in ascending order) and columns, are no negatives.
"""

import itertools
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from recmodels.compute.device import LOGIT_BYTES

Positions: TypeAlias = tuple[Tensor, Tensor]


class Lesson(NamedTuple):
    """A distribution over the items that is learned besides the target: the softmax of a teacher's scores."""

    states: Tensor
    """[m, d']"""
    table: Tensor
    """[n, d']: the scores are products of both."""
    share: float
    """Of the distribution in what is learned."""


def cross_entropy(
    states: Tensor,
    table: Tensor,
    targets: Tensor,
    weights: Tensor,
    masked: Positions | None = None,
    lesson: Lesson | None = None,
) -> Tensor:
    r"""Σ_i w_i (ln Σ_j exp s_i·e_j - Σ_j q_ij s_i·e_j): the softmax over all items, in parts that fit a cache.

    q_i is 1 for the target; with a `lesson` it is (1 - share) for the target, and share times the lesson's
    distribution. Loss and gradients come from the same pass over the scores, which are never kept: one part after the
    other is computed, turned into probabilities, and multiplied into both gradients.
    """
    loss: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        states, table, targets, weights, LOGIT_BYTES[states.device.type], masked, lesson
    )
    return loss


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, budget: int,
        masked: Positions | None = None, lesson: Lesson | None = None,
    ) -> Tensor:  # fmt: skip
        rows = max(1, budget // (4 * len(table)))
        positives = table[targets]  # [m, d]
        sure = weights if lesson is None else (1 - lesson.share) * weights  # of the target
        loss = -(sure * (states * positives).sum(dim=1)).sum()
        grad_states, grad_table = torch.empty_like(states), torch.zeros_like(table)
        buffer = states.new_empty(min(rows, len(states)), len(table))
        starts = range(0, len(states), rows)
        masks = [None] * len(starts) if masked is None else _by_part(masked, rows, len(starts))
        for start, mask in zip(starts, masks, strict=True):
            part, own = states[start : start + rows], weights[start : start + rows, None]
            scores = torch.mm(part, table.T, out=buffer[: len(part)])
            if lesson is not None:
                taught = lesson.states[start : start + rows] @ lesson.table.T
                if mask is not None:
                    taught[mask] = -torch.inf
                taught = taught.softmax(dim=1).mul_(lesson.share)
                loss -= (own[:, 0] * torch.linalg.vecdot(taught, scores)).sum()
            if mask is not None:
                scores[mask] = -torch.inf
            highest = scores.amax(dim=1, keepdim=True)
            total = scores.sub_(highest).exp_().sum(dim=1, keepdim=True)
            loss += (own * (total.log() + highest)).sum()
            if lesson is not None:
                scores.sub_(taught.mul_(total))
            torch.mm(scores, table, out=grad_states[start : start + rows])
            grad_states[start : start + rows] *= own / total  # here, and below: [., d] is divided, and not [., n]
            grad_table.addmm_(scores.T, part * (own / total))
        grad_table.index_add_(0, targets, states * sure[:, None], alpha=-1)
        ctx.save_for_backward(grad_states - positives * sure[:, None], grad_table)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, None, None]:
        grad_states, grad_table = ctx.saved_tensors
        return gradients[0] * grad_states, gradients[0] * grad_table, None, None, None, None, None


def _by_part(positions: Positions, rows: int, parts: int) -> list[Positions]:
    """The positions within each part of `rows` rows, counted from the part's first row."""
    row, column = positions
    ends = torch.searchsorted(row, rows * torch.arange(1, parts + 1, device=row.device)).tolist()
    sizes = [end - start for start, end in itertools.pairwise((0, *ends))]
    return list(zip(torch.split(row % rows, sizes), torch.split(column, sizes), strict=True))


def sampled_softmax(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, negatives: Tensor, expected_counts: Tensor,
    masked: Positions | None = None, lesson: Lesson | None = None,
) -> Tensor:  # fmt: skip
    r"""The softmax over the target and `negatives` [k], which all states share; j is expected expected_counts_j times.

    Each is weighed by 1 / expected_counts_j, which makes the sum of exponentials that of the whole catalogue in
    expectation (the logQ correction: Bengio and Senécal, 2008; the target is certain, and so not corrected). A target
    that was drawn too does not count twice. A `lesson` is learned as in `cross_entropy`, by the same sample.
    """
    out = _no_negatives(negatives, targets, masked)

    def log_probabilities(states: Tensor, table: Tensor) -> Tensor:
        scores = states @ functional.embedding(negatives, table).T - expected_counts.log()  # [m, k]
        target = (states * functional.embedding(targets, table)).sum(dim=1, keepdim=True)
        return torch.cat((target, scores.masked_fill(out, -torch.inf)), dim=1).log_softmax(dim=1)

    found = log_probabilities(states, table)
    loss = -(weights * found[:, 0]).sum()
    if lesson is None:
        return loss
    taught = log_probabilities(lesson.states, lesson.table).exp()
    found = found.masked_fill(taught == 0, 0)  # and not 0 times the logarithm of 0
    return (1 - lesson.share) * loss - lesson.share * (weights * (taught * found).sum(dim=1)).sum()


def gbce(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, negatives: Tensor, t: float,
    masked: Positions | None = None, n_items: int | None = None,
) -> Tensor:  # fmt: skip
    r"""-Σ_i w_i (β ln sigmoid(s_i·e_target) + Σ_j ln sigmoid(-s_i·e_j)) / (k + 1) over k `negatives` drawn uniformly.

    β = a (t (1 - 1 / a) + 1 / a) with a = k / (n - 1) undoes the overconfidence that sampling brings, all of it at
    t = 1 (Petrov and Macdonald, "gSASRec", RecSys 2023). A target that was drawn is no negative. n is `n_items`, where
    the table has not all of them.
    """
    sampling_rate = min(1.0, len(negatives) / max(1, (n_items or len(table)) - 1))
    beta = sampling_rate * (t * (1 - 1 / sampling_rate) + 1 / sampling_rate)
    positive = (states * functional.embedding(targets, table)).sum(dim=1)
    losses = functional.softplus(states @ functional.embedding(negatives, table).T)  # [m, k]
    losses = losses.masked_fill(_no_negatives(negatives, targets, masked), 0)
    return (weights * (losses.sum(dim=1) - beta * functional.logsigmoid(positive))).sum() / (len(negatives) + 1)


def _no_negatives(negatives: Tensor, targets: Tensor, masked: Positions | None) -> Tensor:
    """Which scores of m states and `negatives` [k] do not count: those of targets, and `masked`: bool [m, k]."""
    out = negatives == targets[:, None]
    if masked is not None:
        out[masked] = True
    return out
