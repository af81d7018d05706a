"""The training of neural collaborative filtering: that of vectors, with a network that scores along."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from recmodels.data.dataset import Dataset
from recmodels.pairwise import losses as pair_losses
from recmodels.pairwise.batches import Step
from recmodels.pairwise.config import NETWORK, PairRecipe
from recmodels.pairwise.training import PairTraining

if TYPE_CHECKING:
    from recmodels.options import Earlier

AT_A_TIME = 64  # users whose first layers with all rivals exist at a time
RATE = 0.01  # of the network's Adam, over that of the vectors


class Perceptron(nn.Module):
    """The network above its first layer: [., hidden] to [.]."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden, max(1, hidden // 2))
        self.outer = nn.Linear(max(1, hidden // 2), 1, bias=False)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Of first layers that are the sums of the halves [., hidden] of users and of items."""
        score: Tensor = self.outer(functional.relu(self.inner(functional.relu(users + items))))
        return score.squeeze(-1)


class NCFTraining(PairTraining):
    """Rows hold factors, the bias, and the half of the network's first layer."""

    def __init__(self, recipe: PairRecipe, data: Dataset, where: str, hidden: int) -> None:
        self.hidden = hidden
        super().__init__(recipe, data, where)
        with torch.random.fork_rng():  # whoever else draws from torch's generator goes on as if nothing had been
            torch.manual_seed(recipe.seed)
            self.network = Perceptron(hidden).to(where)
        self.optimiser = torch.optim.Adam(self.network.parameters())

    @property
    def width(self) -> int:
        return super().width + self.hidden

    def start_from(self, earlier: "Earlier") -> bool:
        network = {name: vars(earlier.model).get(f"{NETWORK}{name}_") for name in self.network.state_dict()}
        if any(values is None for values in network.values()) or not super().start_from(earlier):
            return False
        self.network.load_state_dict({name: torch.from_numpy(values) for name, values in network.items()})
        return True

    def learn(self, step: Step, rate: float) -> float:
        self.optimiser.param_groups[0]["lr"] = RATE * rate / self.recipe.learning_rate
        self.optimiser.zero_grad()
        loss = super().learn(step, rate)
        self.optimiser.step()
        return loss

    def softmax(self, step: Step, users: Tensor, items: Tensor) -> Tensor:
        return pair_losses.softmax(*self.masked(step, users, items), step.log_counts)

    def scores(self, step: Step, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        f = super().width
        pairs, rivals = super().scores(step, users[:, :f], items[:, :f])
        user_half, item_half = users[:, f:], items[:, f:]
        pairs = pairs + self.network(user_half[step.rows], item_half[step.items])
        others = item_half[step.rivals][None]
        parts = [
            checkpoint(self.network, part[:, None], others, use_reentrant=False)
            for part in torch.split(user_half, AT_A_TIME)
        ]
        return pairs, rivals + torch.cat(parts)
