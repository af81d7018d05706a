"""The network of the transformer: causal self-attention over a user's history, in blocks of three kinds.

Positions are relative: an item's is its distance from the item that a state belongs to, 0 for the most recent one. So
one pass over a history gives the states of all its prefixes, each as if it had come alone, and what follows an item
(padding too) changes nothing.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recmodels.data.arrays import Floats, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.transformer.config import NetworkConfig
from recmodels.transformer.described import first_vectors
from recmodels.transformer.sequences import padded_histories

CROSS_LAYERS = 2
USER_DROPOUT = 0.1  # share of users who train as the unknown user, whose embedding later serves cold-start users
ONCE_IN = 1e-9  # items of histories: what is rarer does not happen
INFERENCE_POSITIONS = {"cpu": 2**10, "cuda": 2**16}  # positions of histories whose states are computed at a time


class Dropout(nn.Module):
    """Dropout with p rounded to steps of 1 / 256.

    On a CPU drawing random numbers takes longer than anything else in dropout: a random byte decides on each element,
    where torch draws a whole number.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p, self.threshold = p, min(round(256 * p), 255)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda or not self.training or self.threshold == 0:
            return functional.dropout(x, self.p, self.training)
        draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = draws.view(torch.uint8)[: x.numel()].view(x.shape) >= self.threshold
        return x * kept.to(x.dtype).mul_(256 / (256 - self.threshold))


class InputDropout(Dropout):
    """Dropout of an item's vector that never drops all of it, as would happen to one of few numbers now and then.

    Of a vector of zeros layer normalization has a gradient that is larger than all others together.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config.dropout)
        self.may_drop_all = self.p**config.dim > ONCE_IN

    def forward(self, x: Tensor) -> Tensor:
        dropped = super().forward(x)
        if not (self.training and self.may_drop_all):
            return dropped
        return torch.where((dropped == 0).all(dim=-1, keepdim=True), x, dropped)


class CausalSelfAttention(nn.Module):
    """Causal multi-head attention with a trained bias for each distance and head: x [b, t, d] to [b, t, d]."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.proj = nn.Linear(config.dim, config.dim)
        self.relative_bias = nn.Parameter(torch.zeros(config.max_length, config.heads))

    def forward(self, x: Tensor) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # [b, h, t, d / h]
        distance = _distances(t, x.device)  # of state i and item j: their bias is relative_bias[i - j], -inf for j > i
        bias = functional.embedding(distance.clamp(min=0), self.relative_bias)  # [t, t, h]
        bias = bias.masked_fill(distance[..., None] < 0, -torch.inf).permute(2, 0, 1).to(q.dtype).contiguous()
        p = self.dropout if self.training else 0.0
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=p)
        out: Tensor = self.proj(y.transpose(1, 2).reshape(b, t, d))
        return out


class FrequencyFilter(nn.Module):
    """BSARec's frequency layer: low frequencies of the history as they are, high ones times a trained β².

    An ideal low-pass filter over the N = `max_length` places that end at a state is, at that state, a fixed sum over
    the places before it: Σ_s h_s x_(t-s) with h_s = (1 + 2 Σ_(f=1..c/2) cos 2πfs/N) / N, where f = N/2, the highest
    frequency that there is, counts once. In this form it is causal: all states are filtered in one product with a
    triangular matrix, where the paper transforms each prefix anew.

    Places before the history hold what `filter_padding` says. Each is zero or one of the history's items, so that they
    change the matrix alone.
    """

    low_pass: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.sqrt_beta = nn.Parameter(torch.randn(config.dim))
        n = config.max_length
        frequencies = torch.arange(1, min(config.cutoff, n) // 2 + 1)[:, None]
        back = torch.arange(n)  # s
        times = torch.where(2 * frequencies == n, 1, 2)
        h = (1 + (times * torch.cos(2 * torch.pi * frequencies * back / n)).sum(dim=0)) / n
        t = back[:, None]
        beyond, within = back // (t + 1), back % (t + 1)  # how often the history is over, of t + 1 items; place in it
        if config.filter_padding == "mirrored":
            within = torch.where(beyond % 2 == 1, t - within, within)
        if config.filter_padding == "zeros":
            h = torch.where(beyond == 0, h, 0)
        low_pass = torch.zeros(n, n).scatter_add_(1, t - within, h.expand(n, n))  # [t, i]: of item i in state t
        self.register_buffer("low_pass", low_pass, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        low = self.low_pass[:length, :length].to(x.dtype) @ x
        out: Tensor = low + self.sqrt_beta**2 * (x - low)
        return out


class SASRecBlock(nn.Module):
    """Attention, then an MLP, each on the layer-normalized input and added to it (pre-norm)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(config.dim), nn.LayerNorm(config.dim)
        self.attention, self.mlp = CausalSelfAttention(config), _mlp(config)
        self.drop = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.ln_1(x)))
        out: Tensor = x + self.drop(self.mlp(self.ln_2(x)))
        return out


class LiGRBlock(SASRecBlock):
    """As `SASRecBlock`, with a gate on each addition that reads its input (Borisyuk et al., "LiGR", 2025)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.gates = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.gates[0](x).sigmoid() * self.drop(self.attention(self.ln_1(x)))
        out: Tensor = x + self.gates[1](x).sigmoid() * self.drop(self.mlp(self.ln_2(x)))
        return out


class BSARecBlock(nn.Module):
    """A frequency filter and attention in parallel, then an MLP; post-norm (Shin et al., "BSARec", AAAI 2024)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.filter_weight = config.filter_weight
        self.filter, self.attention, self.mlp = FrequencyFilter(config), CausalSelfAttention(config), _mlp(config)
        self.ln_filter, self.ln_attention, self.ln_mlp = (nn.LayerNorm(config.dim) for _ in range(3))
        self.drop = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        filtered = self.ln_filter(x + self.drop(self.filter(x)))
        attended = self.ln_attention(x + self.drop(self.attention(x)))
        x = self.filter_weight * filtered + (1 - self.filter_weight) * attended
        out: Tensor = self.ln_mlp(x + self.drop(self.mlp(x)))
        return out


class UserCrossNetwork(nn.Module):
    """Adds to each item x of a history [b, t, d] what a DCN-v2 cross network makes of it and the user's embedding u.

    It returns x + W c_L with c_0 = [u; x]; each cross layer multiplies by c_0 again, element by element:
    c_(l+1) = c_0 ⊙ (A_l c_l + b_l) + c_l (Wang et al., "DCN V2", WWW 2021). Without `cross`, L = 0.
    """

    def __init__(self, config: NetworkConfig, n_users: int) -> None:
        super().__init__()
        dim = config.user_dim + config.dim
        self.user_embedding = nn.Embedding(n_users + 1, config.user_dim, padding_idx=n_users)  # last: unknown users
        self.cross_layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(CROSS_LAYERS * config.cross))
        self.proj = nn.Linear(dim, config.dim)

    def forward(self, x: Tensor, users: Tensor) -> Tensor:
        if self.training:
            unknown = torch.rand(len(users), device=users.device) < USER_DROPOUT
            users = users.masked_fill(unknown, self.user_embedding.num_embeddings - 1)
        c_0 = torch.cat((self.user_embedding(users)[:, None].expand(-1, x.shape[1], -1), x), dim=2)
        c = c_0
        for layer in self.cross_layers:
            c = c_0 * layer(c) + c
        out: Tensor = x + self.proj(c)
        return out


class Network(nn.Module):
    """From the vectors of a history's items [b, t, d] and the users [b] to a state after each item: [b, t, d]."""

    def __init__(self, config: NetworkConfig, n_users: int = 0) -> None:
        super().__init__()
        self.dim, self.max_length, self.temperature = config.dim, config.max_length, config.temperature
        block = {"sasrec": SASRecBlock, "ligr": LiGRBlock, "bsarec": BSARecBlock}[config.block]
        self.ln_in = nn.LayerNorm(config.dim)
        self.user_cross = UserCrossNetwork(config, n_users) if config.user_embedding else None
        self.drop = InputDropout(config)
        self.blocks = nn.Sequential(*(block(config) for _ in range(config.layers)))
        self.ln_f = nn.Identity() if config.block == "bsarec" else nn.LayerNorm(config.dim)
        self.apply(_init_weights)

    def forward(self, x: Tensor, users: Tensor) -> Tensor:
        x = self.ln_in(x)
        if self.user_cross is not None:
            x = self.user_cross(x, users)
        states: Tensor = self.ln_f(self.blocks(self.drop(x)))
        if self.temperature == 0:
            return states
        return functional.normalize(states.float(), dim=-1) / self.temperature


class ItemEmbedding(nn.Module):
    """The items' vectors, both input and output embedding (tied), plus their projected terms if `content`.

    With `domain_share` an item is 0 in the parts of other domains than its own: so a state scores it by the part that
    all share and by that of its domain, as if each domain had a projection of its own.
    """

    domains: Tensor
    parts: Tensor | None
    term_offsets: Tensor
    term_ids: Tensor
    term_weights: Tensor

    def __init__(self, data: Dataset, config: NetworkConfig) -> None:
        super().__init__()
        self.normalize = config.temperature > 0
        self.embedding, self.frozen = nn.Parameter(0.02 * torch.randn(data.n_items, config.dim)), False
        if config.vectors == "start" and data.item_vectors is not None:
            first = torch.from_numpy(first_vectors(data.item_vectors, config.dim))
            self.embedding.data = torch.where(first.any(dim=1, keepdim=True), first, self.embedding.data)
        if config.vectors == "frozen":
            self.embedding.data.zero_()
            self.frozen = True
        parts = None if data.domains is None else data.domains.parts(config.dim, config.domain_share)
        self.register_buffer("parts", None if parts is None else torch.from_numpy(parts), persistent=False)
        if data.domains is not None and parts is not None:
            self.register_buffer("domains", torch.tensor(data.domains.codes), persistent=False)
        projected = config.content or config.vectors in ("projected", "frozen")
        content, n_terms = projected and data.terms.shape[1] > 0, data.terms.shape[1]
        self.term_projection = nn.Parameter(0.02 * torch.randn(n_terms, config.dim)) if content else None
        if content:
            for name, part in (
                ("term_offsets", data.terms.indptr),
                ("term_ids", data.terms.indices),
                ("term_weights", data.terms.data),
            ):
                self.register_buffer(name, torch.from_numpy(part), persistent=False)

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """All items' vectors: float32 [n_items, d], of length 1 where scores are cosines.

        Without terms those of some `rows` [m] may be asked for: [m, d].
        """
        own = self.embedding.detach() if self.frozen else self.embedding
        table: Tensor = own if rows is None else functional.embedding(rows, own)
        if self.term_projection is not None:
            table = table + functional.embedding_bag(
                self.term_ids, self.term_projection, self.term_offsets, mode="sum",
                per_sample_weights=self.term_weights, include_last_offset=True,
            )  # fmt: skip
        if self.parts is not None:
            table = table * functional.embedding(self.domains if rows is None else self.domains[rows], self.parts)
        return functional.normalize(table, dim=-1) if self.normalize else table


@torch.no_grad()
def last_states(network: Network, table: Tensor, items: Ints, starts: Longs, ends: Longs, users: Ints) -> Floats:
    """The state after the last item of each history items[starts_i:ends_i]: float32 [n, d]; zeros for an empty one.

    Batch shapes depend on a history's own length alone, so that no other history changes a bit of its state.
    """
    network.eval()
    states = np.zeros((len(starts), network.dim), np.float32)
    positions = INFERENCE_POSITIONS[table.device.type]
    for chosen, padded, lengths in padded_histories(network.max_length, items, starts, ends, positions):
        filled = np.full(len(padded), users[chosen[0]], np.int64)
        filled[: len(chosen)] = users[chosen]
        inputs = functional.embedding(torch.from_numpy(padded).to(table.device), table)
        found = network(inputs, torch.from_numpy(filled).to(table.device))
        last = found[torch.arange(len(chosen)), torch.from_numpy(lengths) - 1]
        states[chosen] = last.float().cpu().numpy()
    return states


def _distances(t: int, device: torch.device) -> Tensor:
    """i - j, how far item j lies before state i (below 0: after it): [t, t]."""
    position = torch.arange(t, device=device)
    return position[:, None] - position


def _mlp(config: NetworkConfig) -> nn.Module:
    d = config.dim
    return nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), Dropout(config.dropout), nn.Linear(4 * d, d))


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.1)
        if module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])
