"""The network of the transformer: causal self-attention over a user's history, and what may stand in front of it.

Nothing in it knows an absolute position: a state looks back, and an item's place is counted from the item that the
state stands at, 0 for the most recent one. So the states of one pass over a history are those of all its prefixes, each
as if it came alone, and whatever comes after an item (padding too) changes nothing.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recmodels.data.arrays import Floats, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.transformer.config import Shape
from recmodels.transformer.sequences import padded_histories

CROSS_LAYERS = 2
USER_DROPOUT = 0.1  # how often a user counts as unknown while training: so that unknown ones can be served
SCORED = {"cpu": 2**10, "cuda": 2**16}  # positions of histories whose states are computed at a time


class Dropout(nn.Module):
    """Each number is 0 with probability p, in steps of 1 / 256, and else divided by 1 - p.

    On a processor drawing takes longer than anything else that is done with these numbers; so a random byte decides on
    each, not a whole number of its own.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p, self.dropped = p, round(256 * p)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda or not self.training or self.dropped == 0:
            return functional.dropout(x, self.p, self.training)
        draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = draws.view(torch.uint8)[: x.numel()].view(x.shape) >= self.dropped
        return x * kept.to(x.dtype).mul_(256 / (256 - self.dropped))


class Attention(nn.Module):
    """Causal multi-head attention with a learnt bias for each distance: x [b, t, d] to [b, t, d]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.dropout = shape.heads, shape.dropout
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.bias_at = nn.Parameter(torch.zeros(shape.length, shape.heads))

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # [b, h, t, d / h]
        future = self.bias_at.new_full((t - 1, self.heads), -torch.inf)
        reversed_ = torch.cat((self.bias_at[:t].flip(0), future))  # [2 t - 1, h]: the state's own place in the middle
        bias = reversed_.T.unfold(1, t, 1).flip(1).to(q.dtype)  # [h, t, t]
        p = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=p)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(b, t, d))
        return out


class Filter(nn.Module):
    """BSARec's frequency layer: low frequencies of the history as they are, high ones times a learnt β².

    An ideal low-pass filter over the `length` items that end at a state is, at that state, a fixed sum over the items
    before it: Σ_s h_s x_(t-s) with h_s = (1 + 2 Σ_(f=1..c/2) cos 2πfs/N) / N. In this form it is causal: all states are
    filtered in one product with a triangular matrix, where the paper transforms each prefix anew.
    """

    kernel: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.beta_root = nn.Parameter(torch.randn(shape.width))
        s, frequencies = torch.arange(shape.length), torch.arange(1, shape.cutoff // 2 + 1)
        waves = torch.cos(2 * torch.pi * frequencies[:, None] * s / shape.length)  # [c / 2, length]
        self.register_buffer("kernel", (1 + 2 * waves.sum(dim=0)) / shape.length, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        distance = _distances(x.shape[1], x.device)
        low = torch.where(distance >= 0, self.kernel[distance.clamp(min=0)], 0).to(x.dtype) @ x
        out: Tensor = low + self.beta_root**2 * (x - low)
        return out


class SASRec(nn.Module):
    """Attention, then a layer of each position by itself, normalised before and added to what comes in (pre-norm)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)
        self.attention, self.wide = Attention(shape), _wide(shape)
        self.drop = Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.first(x)))
        out: Tensor = x + self.drop(self.wide(self.second(x)))
        return out


class LiGR(SASRec):
    """As `SASRec`, each addition weighed by a gate that looks at what comes in (Borisyuk et al., "LiGR", 2025)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.gates = nn.ModuleList(nn.Linear(shape.width, shape.width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.gates[0](x).sigmoid() * self.drop(self.attention(self.first(x)))
        out: Tensor = x + self.gates[1](x).sigmoid() * self.drop(self.wide(self.second(x)))
        return out


class BSARec(nn.Module):
    """A frequency filter and attention side by side, mixed (Shin et al., "BSARec", AAAI 2024); post-norm as there."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.mix = shape.mix
        self.filter, self.attention, self.wide = Filter(shape), Attention(shape), _wide(shape)
        self.filtered, self.attended, self.widened = (nn.LayerNorm(shape.width) for _ in range(3))
        self.drop = Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        filtered = self.filtered(x + self.drop(self.filter(x)))
        attended = self.attended(x + self.drop(self.attention(x)))
        x = self.mix * filtered + (1 - self.mix) * attended
        out: Tensor = self.widened(x + self.drop(self.wide(x)))
        return out


class Fusion(nn.Module):
    """A user's embedding joins each item of the history: x [b, t, d] becomes x + W c, with c of width user + d.

    c starts as the two vectors side by side, c_0 = [u; x]; each cross layer multiplies them anew, element by element:
    c_(l+1) = c_0 ⊙ (A_l c_l + b_l) + c_l (Wang et al., "DCN V2", WWW 2021). Without `cross`, c = c_0.
    """

    def __init__(self, shape: Shape, n_users: int) -> None:
        super().__init__()
        both = shape.user_width + shape.width
        self.users = nn.Embedding(n_users + 1, shape.user_width, padding_idx=n_users)  # last: the unknown
        self.layers = nn.ModuleList(nn.Linear(both, both) for _ in range(CROSS_LAYERS * shape.cross))
        self.out = nn.Linear(both, shape.width)

    def forward(self, x: Tensor, users: Tensor) -> Tensor:
        if self.training:
            unknown = torch.rand(len(users), device=users.device) < USER_DROPOUT
            users = users.masked_fill(unknown, self.users.num_embeddings - 1)
        start = torch.cat((self.users(users)[:, None].expand(-1, x.shape[1], -1), x), dim=2)
        crossed = start
        for layer in self.layers:
            crossed = start * layer(crossed) + crossed
        out: Tensor = x + self.out(crossed)
        return out


class Network(nn.Module):
    """From the vectors of a history's items [b, t, d] and the users [b] to a state after each item: [b, t, d]."""

    def __init__(self, shape: Shape, n_users: int = 0) -> None:
        super().__init__()
        self.width, self.length, self.temperature = shape.width, shape.length, shape.temperature
        block = {"sasrec": SASRec, "ligr": LiGR, "bsarec": BSARec}[shape.block]
        self.first = nn.LayerNorm(shape.width)
        self.fusion = Fusion(shape, n_users) if shape.user_embedding else None
        self.drop = Dropout(shape.dropout)
        self.blocks = nn.Sequential(*(block(shape) for _ in range(shape.layers)))
        self.last = nn.Identity() if shape.block == "bsarec" else nn.LayerNorm(shape.width)
        self.apply(_start)

    def forward(self, x: Tensor, users: Tensor) -> Tensor:
        x = self.first(x)
        if self.fusion is not None:
            x = self.fusion(x, users)
        states: Tensor = self.last(self.blocks(self.drop(x)))
        if self.temperature == 0:
            return states
        return functional.normalize(states.float(), dim=-1) / self.temperature


class Items(nn.Module):
    """The table of the items' vectors, which come in and which score: embeddings, plus terms projected if `content`."""

    starts: Tensor
    terms: Tensor
    weights: Tensor

    def __init__(self, data: Dataset, shape: Shape) -> None:
        super().__init__()
        width, self.unit = shape.width, shape.temperature > 0
        self.embedding = nn.Parameter(0.02 * torch.randn(data.n_items, width))
        content = shape.content and data.terms.shape[1] > 0
        self.projection = nn.Parameter(0.02 * torch.randn(data.terms.shape[1], width)) if content else None
        if content:
            parts = {"starts": data.terms.indptr, "terms": data.terms.indices, "weights": data.terms.data}
            for name, part in parts.items():
                self.register_buffer(name, torch.from_numpy(part), persistent=False)

    def forward(self) -> Tensor:
        """float32 [n_items, d]; of length 1 where scores are cosines."""
        table: Tensor = self.embedding
        if self.projection is not None:
            table = table + functional.embedding_bag(
                self.terms, self.projection, self.starts, mode="sum", per_sample_weights=self.weights,
                include_last_offset=True,
            )  # fmt: skip
        return functional.normalize(table, dim=-1) if self.unit else table


@torch.no_grad()
def last_states(network: Network, table: Tensor, items: Ints, starts: Longs, ends: Longs, users: Ints) -> Floats:
    """The state after the last item of each history items[starts_i:ends_i]: float32 [n, d]; zeros for an empty one.

    The shapes that are computed with depend on a history's own length alone: so no other history changes a result.
    """
    network.eval()
    states = np.zeros((len(starts), network.width), np.float32)
    positions = SCORED[table.device.type]
    for chosen, padded, lengths in padded_histories(network.length, items, starts, ends, positions):
        filled = np.full(len(padded), users[chosen[0]], np.int64)
        filled[: len(chosen)] = users[chosen]
        inputs = functional.embedding(torch.from_numpy(padded).to(table.device), table)
        found = network(inputs, torch.from_numpy(filled).to(table.device))
        last = found[torch.arange(len(chosen)), torch.from_numpy(lengths) - 1]
        states[chosen] = last.float().cpu().numpy()
    return states


def _distances(t: int, device: torch.device) -> Tensor:
    """How far item j lies before state i, below 0 where it comes after it: [t, t]."""
    place = torch.arange(t, device=device)
    return place[:, None] - place


def _wide(shape: Shape) -> nn.Module:
    wide = 4 * shape.width
    return nn.Sequential(nn.Linear(shape.width, wide), nn.GELU(), Dropout(shape.dropout), nn.Linear(wide, shape.width))


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.1)
        if module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])
