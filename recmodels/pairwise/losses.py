"""Losses of pairs of a user and an item: the item is to score above negatives that a group of users shares.

All take the scores [n] of the pairs, the row [n] of each pair's user, the negatives' scores [b, m] (MASKED_SCORE where
the user has interacted with the negative) and weights [n]; they return the weighted sum of the n losses.
"""

from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from recmodels.compute.device import LOGIT_BYTES

Positions: TypeAlias = tuple[Tensor, Tensor]  # rows and columns

MASKED_SCORE = -1e9  # not infinite: the gradient of a user whose negatives are all masked would be NaN
WARP_TRIES = 16  # negatives that WARP looks at for each pair
BCE_NEGATIVES = 4  # of each pair in the binary cross-entropy, as in the paper


def softmax(scores: Tensor, rows: Tensor, negatives: Tensor, weights: Tensor, log_counts: Tensor) -> Tensor:
    r"""-ln of exp(s_ui) in its sum with Σ_j exp(s_uj) / counts_j over the negatives j.

    Negative j is expected counts_j times among those drawn, so that the sum is that of the whole catalogue in
    expectation (the logQ correction: Bengio and Senécal, 2008). It is one number a user, whatever the number of pairs;
    the user's other items are no negatives.
    """
    total = torch.logsumexp(negatives - log_counts, dim=1)  # [b]
    return (weights * functional.softplus(total[rows] - scores)).sum()


def softmax_of_products(
    scores: Tensor,
    rows: Tensor,
    users: Tensor,
    negatives: Tensor,
    masked: Positions,
    weights: Tensor,
    log_counts: Tensor,
) -> Tensor:
    """`softmax` where the negatives' scores are products of vectors, users [b, d] and negatives [m, d].

    `masked` are positions (row, negative) that take no part, ascending by row. Loss and gradients come from the same
    pass over the products, which are never kept: some users' at a time, which fit a cache.
    """
    loss: Tensor = _SoftmaxOfProducts.apply(scores, rows, users, negatives, masked, weights, log_counts)  # type: ignore[no-untyped-call]
    return loss


class _SoftmaxOfProducts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        rows: Tensor,
        users: Tensor,
        negatives: Tensor,
        masked: Positions,
        weights: Tensor,
        log_counts: Tensor,
    ) -> Tensor:
        b, m = len(users), len(negatives)
        step = max(1, min(b, LOGIT_BYTES[users.device.type] // (4 * m)))
        starts = list(range(0, b, step))
        ends = torch.searchsorted(masked[0], masked[0].new_tensor([*starts, b])).tolist()
        in_part = masked[0] % step * m + masked[1]
        buffer, losses, grad_scores = users.new_empty(step, m), torch.empty_like(scores), torch.empty_like(scores)
        grad_users, grad_negatives = torch.empty_like(users), torch.zeros_like(negatives)
        pairs = torch.searchsorted(rows, rows.new_tensor([*starts, b])).tolist()
        for i, start in enumerate(starts):
            part = users[start : start + step]
            products = torch.addmm(log_counts, part, negatives.T, beta=-1, out=buffer[: len(part)])
            products.view(-1).index_fill_(0, in_part[ends[i] : ends[i + 1]], MASKED_SCORE)
            highest = products.amax(dim=1, keepdim=True)
            total = products.sub_(highest).exp_().sum(dim=1)
            own = slice(pairs[i], pairs[i + 1])
            row = rows[own] - start
            margin = (total.log() + highest[:, 0])[row] - scores[own]
            losses[own] = weights[own] * functional.softplus(margin)
            grad_scores[own] = -weights[own] * torch.sigmoid(margin)
            pull = (-torch.zeros_like(total).index_add_(0, row, grad_scores[own]) / total)[:, None]
            torch.mm(products, negatives, out=grad_users[start : start + step])
            grad_users[start : start + step] *= pull
            grad_negatives.addmm_(products.T, part * pull)
        ctx.save_for_backward(grad_scores, grad_users, grad_negatives)
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        grad_scores, grad_users, grad_negatives = (gradients[0] * saved for saved in ctx.saved_tensors)
        return grad_scores, None, grad_users, grad_negatives, None, None, None


def bpr(scores: Tensor, rows: Tensor, negatives: Tensor, weights: Tensor, drawn: Tensor) -> Tensor:
    r"""-ln sigmoid(s_ui - s_uj) for one negative j = drawn [n] of each pair (Rendle et al., "BPR", UAI 2009)."""
    return (weights * functional.softplus(negatives[rows, drawn] - scores)).sum()


def bce(scores: Tensor, rows: Tensor, negatives: Tensor, weights: Tensor, drawn: Tensor) -> Tensor:
    r"""-ln sigmoid(s_ui) - Σ_j ln sigmoid(-s_uj) over the negatives drawn [n, t] of each pair (He et al., WWW 2017)."""
    others = functional.softplus(negatives[rows[:, None], drawn]).sum(dim=1)
    return (weights * (functional.softplus(-scores) + others)).sum()


def warp(scores: Tensor, rows: Tensor, negatives: Tensor, weights: Tensor, tried: Tensor, n_items: int) -> Tensor:
    r"""ln(rank) (1 - s_ui + s_uj) for the first negative tried [n, t] with s_uj > s_ui - 1, else 0.

    The rank is taken to be (n_items - 1) / tries, at least 1 (Weston et al., "WSABIE", IJCAI 2011).
    """
    violated = negatives.detach()[rows[:, None], tried] > scores.detach()[:, None] - 1  # [n, t]
    first = violated.int().argmax(dim=1)
    rank = torch.clamp((n_items - 1) // (first + 1), min=1).to(scores.dtype)
    price = weights * torch.log(rank) * violated.any(dim=1)
    negative = negatives[rows, tried.gather(1, first[:, None])[:, 0]]
    return (price * functional.relu(1 - scores + negative)).sum()
