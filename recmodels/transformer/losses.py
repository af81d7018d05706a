"""Losses of the transformer: the target's score against those of all items, or of sampled negatives.

All take states [m, d], the item embeddings [n, d], targets [m] and their weights [m], and return the weighted sum of
the m losses. Scores that are `masked`, given by their rows (in ascending order) and columns, are no negatives.
"""

import itertools
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from recmodels.compute.device import LOGIT_BYTES

Positions: TypeAlias = tuple[Tensor, Tensor]


def cross_entropy(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, masked: Positions | None = None
) -> Tensor:
    r"""Σ_i w_i (ln Σ_j exp s_i·e_j - s_i·e_target): the softmax over the whole catalogue, in parts that fit a cache.

    Loss and gradients come from the same pass over the scores, which are never kept: one part after the other is
    computed, turned into probabilities, and multiplied into both gradients.
    """
    loss: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        states, table, targets, weights, LOGIT_BYTES[states.device.type], masked
    )
    return loss


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, budget: int,
        masked: Positions | None = None,
    ) -> Tensor:  # fmt: skip
        rows = max(1, budget // (4 * len(table)))
        positives = table[targets]  # [m, d]
        loss = -(weights * (states * positives).sum(dim=1)).sum()
        grad_states, grad_table = torch.empty_like(states), torch.zeros_like(table)
        buffer = states.new_empty(min(rows, len(states)), len(table))
        starts = range(0, len(states), rows)
        masks = [None] * len(starts) if masked is None else _by_part(masked, rows, len(starts))
        for start, mask in zip(starts, masks, strict=True):
            part, own = states[start : start + rows], weights[start : start + rows, None]
            scores = torch.mm(part, table.T, out=buffer[: len(part)])
            if mask is not None:
                scores[mask] = -torch.inf
            highest = scores.amax(dim=1, keepdim=True)
            total = scores.sub_(highest).exp_().sum(dim=1, keepdim=True)
            loss += (own * (total.log() + highest)).sum()
            torch.mm(scores, table, out=grad_states[start : start + rows])
            grad_states[start : start + rows] *= own / total  # here, and below: [., d] is divided, and not [., n]
            grad_table.addmm_(scores.T, part * (own / total))
        grad_table.index_add_(0, targets, states * weights[:, None], alpha=-1)
        ctx.save_for_backward(grad_states - positives * weights[:, None], grad_table)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        grad_states, grad_table = ctx.saved_tensors
        return gradients[0] * grad_states, gradients[0] * grad_table, None, None, None, None


def _by_part(positions: Positions, rows: int, parts: int) -> list[Positions]:
    """The positions within each part of `rows` rows, counted from the part's first row."""
    row, column = positions
    ends = torch.searchsorted(row, rows * torch.arange(1, parts + 1, device=row.device)).tolist()
    sizes = [end - start for start, end in itertools.pairwise((0, *ends))]
    return list(zip(torch.split(row % rows, sizes), torch.split(column, sizes), strict=True))


def sampled_softmax(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, negatives: Tensor, expected_counts: Tensor,
    masked: Positions | None = None,
) -> Tensor:  # fmt: skip
    r"""The softmax over the target and `negatives` [k], which all states share; j is expected expected_counts_j times.

    Each is weighed by 1 / expected_counts_j, which makes the sum of exponentials that of the whole catalogue in
    expectation (the logQ correction: Bengio and Senécal, 2008; the target is certain, and so not corrected). A target
    that was drawn too does not count twice.
    """
    scores = states @ functional.embedding(negatives, table).T - expected_counts.log()  # [m, k]
    scores = scores.masked_fill(_no_negatives(negatives, targets, masked), -torch.inf)
    scores = torch.cat(((states * functional.embedding(targets, table)).sum(dim=1, keepdim=True), scores), dim=1)
    return (weights * functional.cross_entropy(scores, torch.zeros_like(targets), reduction="none")).sum()


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
