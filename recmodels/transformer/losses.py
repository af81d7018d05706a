"""What the states of a transformer are asked for: to score the target above everything, or above many others.

All of them take states [m, d], the items' table [n, d], targets [m] and their weights [m], and return the weighted sum
of the m losses. Scores that are `absent`, given by their rows (in ascending order) and columns, take no part.
"""

import itertools
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Places: TypeAlias = tuple[Tensor, Tensor]

LOGITS = {"cpu": 2**22, "cuda": 2**29}  # bytes of scores that exist at a time, in the full cross-entropy


def cross_entropy(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, absent: Places | None = None
) -> Tensor:
    r"""Σ_i w_i (ln Σ_j exp s_i·e_j - s_i·e_target): the softmax over the whole catalogue, in parts that fit a cache.

    Loss and gradients come from the same pass over the scores, which are never kept: one part after the other is
    computed, turned into probabilities, and multiplied into both gradients.
    """
    loss: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        states, table, targets, weights, LOGITS[states.device.type], absent
    )
    return loss


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, budget: int,
        absent: Places | None = None,
    ) -> Tensor:  # fmt: skip
        rows = max(1, budget // (4 * len(table)))
        wanted = table[targets]  # [m, d]
        loss = -(weights * (states * wanted).sum(dim=1)).sum()
        to_states, to_table = torch.empty_like(states), torch.zeros_like(table)
        room = states.new_empty(min(rows, len(states)), len(table))
        starts = range(0, len(states), rows)
        absences = [None] * len(starts) if absent is None else _parted(absent, rows, len(starts))
        for start, missing in zip(starts, absences, strict=True):
            part, own = states[start : start + rows], weights[start : start + rows, None]
            scores = torch.mm(part, table.T, out=room[: len(part)])
            if missing is not None:
                scores[missing] = -torch.inf
            highest = scores.amax(dim=1, keepdim=True)
            total = scores.sub_(highest).exp_().sum(dim=1, keepdim=True)
            loss += (own * (total.log() + highest)).sum()
            torch.mm(scores, table, out=to_states[start : start + rows])
            to_states[start : start + rows] *= own / total  # here, and below: [., d] is divided, and not [., n]
            to_table.addmm_(scores.T, part * (own / total))
        to_table.index_add_(0, targets, states * weights[:, None], alpha=-1)
        ctx.save_for_backward(to_states - wanted * weights[:, None], to_table)
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None, None]:
        to_states, to_table = ctx.saved_tensors
        return gradients[0] * to_states, gradients[0] * to_table, None, None, None, None


def _parted(places: Places, rows: int, parts: int) -> list[Places]:
    """The places of each `rows` rows, counted from the first of them."""
    row, column = places
    ends = torch.searchsorted(row, rows * torch.arange(1, parts + 1, device=row.device)).tolist()
    sizes = [end - start for start, end in itertools.pairwise((0, *ends))]
    return list(zip(torch.split(row % rows, sizes), torch.split(column, sizes), strict=True))


def sampled_softmax(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, drawn: Tensor, counts: Tensor,
    absent: Places | None = None,
) -> Tensor:  # fmt: skip
    r"""The softmax over the target and items `drawn` [k] for all states alike, where item j is expected counts_j times.

    Each is weighed by 1 / counts_j, which makes the sum of exponentials that of the whole catalogue in expectation
    (the logQ correction: Bengio and Senécal, 2008; the target is certain, and so not corrected). A target that was
    drawn too does not count twice.
    """
    others = states @ functional.embedding(drawn, table).T - counts.log()  # [m, k]
    others = others.masked_fill(_left_out(drawn, targets, absent), -torch.inf)
    scores = torch.cat(((states * functional.embedding(targets, table)).sum(dim=1, keepdim=True), others), dim=1)
    return (weights * functional.cross_entropy(scores, torch.zeros_like(targets), reduction="none")).sum()


def gbce(
    states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, drawn: Tensor, calibration: float,
    absent: Places | None = None,
) -> Tensor:  # fmt: skip
    r"""-Σ_i w_i (β ln sigmoid(s_i·e_target) + Σ_j ln sigmoid(-s_i·e_j)) / (k + 1) over items j drawn evenly.

    β = a (t (1 - 1 / a) + 1 / a) with a = k / (n - 1) undoes the overconfidence that sampling brings, all of it at the
    calibration t = 1 (Petrov and Macdonald, "gSASRec", RecSys 2023). A target that was drawn is no negative.
    """
    share = min(1.0, len(drawn) / max(1, len(table) - 1))
    beta = share * (calibration * (1 - 1 / share) + 1 / share)
    wanted = (states * functional.embedding(targets, table)).sum(dim=1)
    others = functional.softplus(states @ functional.embedding(drawn, table).T)
    others = others.masked_fill(_left_out(drawn, targets, absent), 0)
    return (weights * (others.sum(dim=1) - beta * functional.logsigmoid(wanted))).sum() / (len(drawn) + 1)


def _left_out(drawn: Tensor, targets: Tensor, absent: Places | None) -> Tensor:
    """Of the scores of m states and the items `drawn` [k] those of targets, and the absent ones: bool [m, k]."""
    out = drawn == targets[:, None]
    if absent is not None:
        out[absent] = True
    return out
