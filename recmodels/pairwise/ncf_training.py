"""The training of neural collaborative filtering: that of the vectors, and of a network whose score is added."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recmodels.compute.adam import AdamW
from recmodels.compute.device import seed_torch
from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.pairwise import losses
from recmodels.pairwise.batches import Batch, Group
from recmodels.pairwise.config import PairConfig
from recmodels.pairwise.training import PairTrainer
from recmodels.pairwise.vectors import TrainingTables

USERS = 64  # whose first layers with all negatives exist at a time
NETWORK_RATE = 0.01  # learning rate of the network's Adam, over that of the vectors
NETWORK_EPSILON = 1e-4
"""Below what gradient Adam's steps are shorter. A bias that adds the same to all scores of a user does not change the
softmax: its gradient is rounding alone, some 1e-6, and would be followed in full steps, others for each number of
threads."""


class Perceptron(nn.Module):
    """The network above its first layer: [., hidden] to [.]."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden, max(1, hidden // 2))
        self.outer = nn.Linear(max(1, hidden // 2), 1, bias=False)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """For a first layer that is the sum of the halves [., hidden] of users and of items."""
        score: Tensor = self.outer(functional.relu(self.inner(functional.relu(users + items))))
        return score.squeeze(-1)


class Recomputed(torch.autograd.Function):
    """A perceptron's scores, whose layers are computed again for the gradients instead of kept until then.

    PyTorch's own `checkpoint` loads its compiler first.
    """

    @staticmethod
    def forward(ctx: Any, network: Perceptron, users: Tensor, items: Tensor, *parameters: Tensor) -> Tensor:
        """The scores; `parameters` are those of the network, named so that they have gradients."""
        ctx.network, ctx.parameters = network, parameters
        ctx.save_for_backward(users, items)
        return network(users, items)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the users' and items' halves, and of the parameters."""
        halves = [half.detach().requires_grad_() for half in ctx.saved_tensors]
        with torch.enable_grad():
            scores = (ctx.network(*halves) * gradients[0]).sum()
        return None, *torch.autograd.grad(scores, [*halves, *ctx.parameters])


class NCFTrainer(PairTrainer):
    """Trains vectors of factors, the bias, and the half of the network's first layer; and the network."""

    def __init__(self, config: PairConfig, data: Dataset, device: str, hidden: int) -> None:
        self.hidden = hidden
        super().__init__(config, data, device)
        with torch.random.fork_rng():  # torch's global generator is left as it was
            seed_torch(config.seed, torch.device(device))
            self.network = Perceptron(hidden).to(device)
        self.optimizer = AdamW(self.network.parameters(), eps=NETWORK_EPSILON)

    @property
    def width(self) -> int:
        return super().width + self.hidden

    def start_from(self, earlier: TrainingTables, rows: dict[str, Ints]) -> bool:
        if earlier.network.keys() != self.network.state_dict().keys() or not super().start_from(earlier, rows):
            return False
        self.network.load_state_dict({name: torch.from_numpy(array) for name, array in earlier.network.items()})
        return True

    def step(self, batch: Batch, rate: float) -> float:
        self.optimizer.learning_rate = NETWORK_RATE * rate / self.config.learning_rate
        self.optimizer.zero_grad()
        loss = super().step(batch, rate)
        self.optimizer.step()
        return loss

    def softmax(
        self, group: Group, scores: Tensor, rows: Tensor, users: Tensor, negatives: Tensor, weights: Tensor
    ) -> Tensor:
        return losses.softmax(scores, rows, self.masked_scores(group, users, negatives), weights, group.log_counts)

    def pair_scores(self, batch: Batch, users: Tensor, items: Tensor) -> Tensor:
        f = super().width
        others: Tensor = self.network(users[batch.rows, f:], items[batch.positives, f:])
        return super().pair_scores(batch, users[:, :f], items[:, :f]) + others

    def negative_scores(self, users: Tensor, negatives: Tensor) -> Tensor:
        f = super().width
        others, network = negatives[None, :, f:], tuple(self.network.parameters())
        parts = [
            Recomputed.apply(self.network, part[:, None], others, *network)  # type: ignore[no-untyped-call]
            for part in torch.split(users[:, f:], USERS)
        ]
        return super().negative_scores(users[:, :f], negatives[:, :f]) + torch.cat(parts)

    def state(self) -> TrainingTables:
        network = {name: parameter.cpu().numpy() for name, parameter in self.network.state_dict().items()}
        return super().state()._replace(network=network)
