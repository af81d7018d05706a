"""A transformer that reads a user's history and says what comes next (Kang and McAuley, "SASRec", ICDM 2018)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recmodels import device
from recmodels.base import SCORE_BYTES
from recmodels.dataset import Dataset, Floats, Ints
from recmodels.errors import ConfigError
from recmodels.factors import Factors
from recmodels.histories import Longs, padded_histories
from recmodels.recipe import Recipe, Shape
from recmodels.topk import TopK

if TYPE_CHECKING:  # torch takes seconds to load: only what computes with it does
    from recmodels.attention import Network

NETWORK = "network."  # before the names of the network's parameters, among what was learnt
EXPLAINED = 2**12  # histories that are gone through at a time, to say what moved a score


@dataclass
class Transformer(Recipe, Shape, Factors):
    r"""Score of item i = s_u·e_i, with s_u the last state of a network that has read the vectors of u's history.

    The items' vectors come in and score alike (tied). The network (`recmodels.attention`) is causal self-attention in
    blocks: `sasrec`; `ligr`, gated (Borisyuk et al., 2025); `bsarec`, mixed with a frequency filter (Shin et al., AAAI
    2024). It learns to score what came next, or in the days after, above everything else (`recmodels.losses`), and
    stops when lists of the latest part, which is held back from it, get no better (`recmodels.training`).

    States are computed from the history that the lists are asked for, so new interactions count at once. Where items
    have terms and `content` is set, their projection is added to the items' vectors, so that an item without
    interactions has one, and is ranked.
    """

    content: bool = False
    """Whether the items' terms are projected and added to their vectors."""

    uses_gpu: ClassVar[bool] = True

    def _fit(self, data: Dataset) -> None:
        self._check()
        import torch

        from recmodels.attention import Items, Network
        from recmodels.training import Training

        with torch.random.fork_rng():  # whoever else draws from torch's generator goes on as if nothing had been
            torch.manual_seed(self.seed)
            network = Network(self, data.n_users).to(device.name())
            items = Items(data, self.width, content=self.content).to(device.name())
            self.epochs_ = Training(self, network, items, data).run()
        for name, parameter in network.state_dict().items():
            vars(self)[f"{NETWORK}{name}_"] = parameter.cpu().numpy()
        self.item_vectors_ = items().detach().cpu().numpy()
        self._built = network.eval()

    def _check(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"transformer: width {self.width} is not a multiple of heads {self.heads}.")
        if self.cross and not self.user_embedding:
            raise ConfigError("transformer: cross multiplies the vectors of user and item; set user_embedding too.")
        if not (self.learning_rate > 0 and self.length > 0 and self.layers > 0 and 0 <= self.dropout < 1):
            raise ConfigError("transformer: learning_rate, length and layers are above 0, dropout from 0 to below 1.")
        for name, known in (
            ("block", ("sasrec", "ligr", "bsarec")), ("loss", ("full", "sampled", "gbce")),
            ("objective", ("next", "days")),
        ):  # fmt: skip
            if (given := getattr(self, name)) not in known:
                raise ConfigError(f"transformer: {name} {given!r}; there are: {', '.join(known)}.")

    def _network(self) -> "Network":
        if "_built" not in vars(self):
            import torch

            from recmodels.attention import Network

            state = {
                name.removeprefix(NETWORK).removesuffix("_"): torch.from_numpy(value)
                for name, value in vars(self).items()
                if name.startswith(NETWORK)
            }
            users = state.get("fusion.users.weight")
            network = Network(self, 0 if users is None else len(users) - 1)
            network.load_state_dict(state)
            self._built = network.to(device.name()).eval()
        return self._built

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        import torch

        from recmodels.attention import last_states

        table = torch.from_numpy(self.item_vectors_).to(device.name())
        starts, ends = data.indptr[users], data.indptr[users + 1]
        return last_states(self._network(), table, data.item_index, starts, ends, self._known(users))

    def _known(self, users: Ints) -> Ints:
        """The users' places among the embeddings; those who came later share that of the unknown."""
        embeddings = vars(self).get(f"{NETWORK}fusion.users.weight_")
        return users if embeddings is None else np.minimum(users, len(embeddings) - 1).astype(np.int32)

    def explain(self, data: Dataset, users: NDArray[np.integer[Any]], top: TopK) -> Ints:
        """As `Recommender.explain` says: the item with the largest gradient of the score times input, if above 0."""
        users = self._checked(data, users, 1, None)
        reasons = np.full(top.items.shape, -1, np.int32)
        row, place = np.nonzero(top.items >= 0)
        for part in (slice(i, i + EXPLAINED) for i in range(0, len(row), EXPLAINED)):
            reasons[row[part], place[part]] = self._moved_most(
                data, users[row[part]], top.items[row[part], place[part]]
            )
        return reasons

    def _moved_most(self, data: Dataset, users: Ints, items: Ints) -> Ints:
        """For each pair of a user and an item [m] the item of the history that raises its score most: [m]."""
        import torch
        from torch.nn import functional

        from recmodels.attention import SCORED

        network, where = self._network(), device.name()
        table = torch.from_numpy(self.item_vectors_).to(where)
        starts, ends = data.indptr[users], data.indptr[users + 1]
        reasons = np.full(len(users), -1, np.int32)
        batches = padded_histories(self.length, data.item_index, starts, ends, SCORED[where])
        for chosen, padded, lengths in batches:
            history = padded[: len(chosen)]
            x = network.first(functional.embedding(torch.from_numpy(history).to(where), table)).detach()
            x.requires_grad_()
            states = network.states(x, torch.from_numpy(self._known(users[chosen]).astype(np.int64)).to(where))
            last = states[torch.arange(len(chosen)), torch.from_numpy(lengths) - 1]
            scores = (last * table[torch.from_numpy(items[chosen].astype(np.int64)).to(where)]).sum()
            (gradient,) = torch.autograd.grad(scores, x)
            share = (gradient * x).sum(dim=2).detach().cpu().numpy()  # [m, t]
            reasons[chosen] = _largest(share, history, lengths)
        return reasons

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        numbers = self.width * n_items + self.layers * 16 * self.width**2  # and gradient, two moments, the best so far
        numbers += self.user_width * n_users * self.user_embedding
        return 6 * 4 * numbers + 96 * n_interactions + 32 * n_users + 64 * 4 * self.batch * self.width + SCORE_BYTES


def _largest(share: Floats, history: Longs, lengths: Longs) -> Ints:
    """The item [m] of the largest share above 0 in each row, of equal ones the smallest; -1 where there is none."""
    share = np.where(np.arange(share.shape[1]) < lengths[:, None], share, 0)
    most = share.max(axis=1, keepdims=True)
    winner = np.where((share == most) & (most > 0), history, np.iinfo(np.int32).max).min(axis=1)
    return np.where(most[:, 0] > 0, winner, -1).astype(np.int32)
