"""What a pair of a user and an item is asked for: to score above items that all users of a step share as rivals.

All take the scores [n] of the pairs, the user's row [n] of each, the rivals' scores [b, m], MASKED where the user has
the rival, and weights [n]; they return the weighted sum of the n losses.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from recmodels.compute.device import LOGIT_BYTES

MASKED = -1e9  # no infinity: the gradient of a user who has all rivals would not be a number
TRIES = 16  # rivals that WARP looks at for each pair
AGAINST = 4  # rivals of each pair in the binary cross-entropy, as in the paper


def softmax(scores: Tensor, rows: Tensor, rivals: Tensor, weights: Tensor, log_counts: Tensor) -> Tensor:
    r"""-ln of exp(s_ui) in its sum with Σ_j exp(s_uj) / counts_j over the rivals j.

    Rival j is expected counts_j times among those drawn, so that the sum is that of the whole catalogue in expectation
    (the logQ correction: Bengio and Senécal, 2008). It is one number a user, whatever the number of pairs; the user's
    other items are no rivals.
    """
    total = torch.logsumexp(rivals - log_counts, dim=1)  # [b]
    return (weights * functional.softplus(total[rows] - scores)).sum()


def softmax_of_products(
    scores: Tensor,
    rows: Tensor,
    users: Tensor,
    rivals: Tensor,
    own: tuple[Tensor, Tensor],
    weights: Tensor,
    log_counts: Tensor,
) -> Tensor:
    """`softmax`, where the rivals' scores are products of vectors users [b, d] and rivals [m, d], but for their `own`.

    Those are places (user, rival), ascending by user. Loss and gradients come from the same pass over the products,
    which are never kept: some users' at a time, which fit a cache.
    """
    loss: Tensor = _SoftmaxOfProducts.apply(scores, rows, users, rivals, own, weights, log_counts)  # type: ignore[no-untyped-call]
    return loss


class _SoftmaxOfProducts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        rows: Tensor,
        users: Tensor,
        rivals: Tensor,
        own: tuple[Tensor, Tensor],
        weights: Tensor,
        log_counts: Tensor,
    ) -> Tensor:
        b, m = len(users), len(rivals)
        step = max(1, min(b, LOGIT_BYTES[users.device.type] // (4 * m)))
        starts = list(range(0, b, step))
        ends = torch.searchsorted(own[0], own[0].new_tensor([*starts, b])).tolist()
        masked = own[0] % step * m + own[1]  # within their part
        room, to_users, to_rivals = users.new_empty(step, m), torch.empty_like(users), torch.zeros_like(rivals)
        losses, to_scores = torch.empty_like(scores), torch.empty_like(scores)
        pairs = torch.searchsorted(rows, rows.new_tensor([*starts, b])).tolist()
        for i, start in enumerate(starts):
            part = users[start : start + step]
            products = torch.addmm(log_counts, part, rivals.T, beta=-1, out=room[: len(part)])
            products.view(-1).index_fill_(0, masked[ends[i] : ends[i + 1]], MASKED)
            highest = products.amax(dim=1, keepdim=True)
            total = products.sub_(highest).exp_().sum(dim=1)
            mine = slice(pairs[i], pairs[i + 1])
            row = rows[mine] - start
            margin = (total.log() + highest[:, 0])[row] - scores[mine]
            losses[mine] = weights[mine] * functional.softplus(margin)
            to_scores[mine] = -weights[mine] * torch.sigmoid(margin)
            pull = (-torch.zeros_like(total).index_add_(0, row, to_scores[mine]) / total)[:, None]
            torch.mm(products, rivals, out=to_users[start : start + step])
            to_users[start : start + step] *= pull
            to_rivals.addmm_(products.T, part * pull)
        ctx.save_for_backward(to_scores, to_users, to_rivals)
        return losses.sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        to_scores, to_users, to_rivals = (gradients[0] * saved for saved in ctx.saved_tensors)
        return to_scores, None, to_users, to_rivals, None, None, None


def bpr(scores: Tensor, rows: Tensor, rivals: Tensor, weights: Tensor, drawn: Tensor) -> Tensor:
    r"""-ln sigmoid(s_ui - s_uj) for one rival j = drawn [n] of each pair (Rendle et al., "BPR", UAI 2009)."""
    return (weights * functional.softplus(rivals[rows, drawn] - scores)).sum()


def bce(scores: Tensor, rows: Tensor, rivals: Tensor, weights: Tensor, drawn: Tensor) -> Tensor:
    r"""-ln sigmoid(s_ui) - Σ_j ln sigmoid(-s_uj) over the rivals drawn [n, t] of each pair (He et al., WWW 2017)."""
    others = functional.softplus(rivals[rows[:, None], drawn]).sum(dim=1)
    return (weights * (functional.softplus(-scores) + others)).sum()


def warp(scores: Tensor, rows: Tensor, rivals: Tensor, weights: Tensor, tried: Tensor, n_items: int) -> Tensor:
    r"""ln(rank) (1 - s_ui + s_uj) for the first of the rivals tried [n, t] with s_uj > s_ui - 1; 0 where there is none.

    The rank is taken to be (n_items - 1) / tries, at least 1 (Weston et al., "WSABIE", IJCAI 2011).
    """
    violated = rivals.detach()[rows[:, None], tried] > scores.detach()[:, None] - 1  # [n, t]
    first = violated.int().argmax(dim=1)
    rank = torch.clamp((n_items - 1) // (first + 1), min=1).to(scores.dtype)
    price = weights * torch.log(rank) * violated.any(dim=1)
    rival = rivals[rows, tried.gather(1, first[:, None])[:, 0]]
    return (price * functional.relu(1 - scores + rival)).sum()
