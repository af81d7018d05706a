"""The loss of a step: the states of its sequences against the targets of their rows."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recmodels.data.arrays import Ints, Longs
from recmodels.transformer import losses
from recmodels.transformer.checkpoint import Progress
from recmodels.transformer.config import TrainingConfig
from recmodels.transformer.negatives import NegativeSampler
from recmodels.transformer.network import ItemEmbedding, Network
from recmodels.transformer.sequences import TrainingSequences, padded_rows


class StepLoss:
    """The loss of a network and the items' embeddings on some of the `sequences`.

    Args:
        config: says which loss.
        network: from the vectors of histories and their users to states.
        items: the embeddings.
        sequences: that are trained on.
    """

    def __init__(
        self,
        config: TrainingConfig,
        network: Callable[[Tensor, Tensor], Tensor],
        items: ItemEmbedding,
        sequences: TrainingSequences,
    ) -> None:
        self.config, self.network, self.items, self.sequences = config, network, items, sequences
        self.device = items.embedding.device
        self.sampler = NegativeSampler(config, sequences, len(items.embedding), self.device)

    def __call__(self, part: Longs, targets: Ints, negatives: Tensor | None, progress: Progress) -> Tensor | None:
        """The sum over the targets of a `part` of the sequences; None where there are none.

        What was read is counted in `progress`.
        """
        sequences = self.sequences
        start, length, target = sequences.padded_targets(part, targets)
        history = padded_rows(sequences.items, start, length, target.shape[1])
        users = torch.from_numpy(sequences.users[start].astype(np.int64)).to(self.device)
        asked = np.flatnonzero(target >= 0)
        progress.positions += int(length.sum())
        progress.padded_positions += target.size
        if len(asked) == 0:
            return None
        rows = (start[:, None] + np.arange(target.shape[1])).ravel()[asked]
        wanted = targets[rows].astype(np.int64)
        counts = None if negatives is None else self.sampler.expected_counts(negatives)
        masked = self.sampler.masked(rows, negatives)
        table, inputs, positives, negatives = self._looked_up(history, wanted, negatives)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            states = self.network(functional.embedding(inputs, table), users)
        states = states.flatten(0, 1).float().index_select(0, torch.from_numpy(asked).to(self.device))
        weights = torch.from_numpy(sequences.weights_of(rows)).to(self.device)
        if negatives is None or counts is None:
            return losses.cross_entropy(states, table, positives, weights, masked)
        if self.config.loss == "gbce":
            n_items = len(self.items.embedding)
            return losses.gbce(states, table, positives, weights, negatives, self.config.gbce_t, masked, n_items)
        return losses.sampled_softmax(states, table, positives, weights, negatives, counts, masked)

    def _looked_up(
        self, inputs: Longs, positives: Longs, negatives: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """The vectors of items that a step needs, and inputs, targets and negatives as rows of them.

        With sampled negatives these are few of many: to normalize all would take most of the time of a step.
        """
        if negatives is None or self.items.term_projection is not None:
            return self.items(), self._on_device(inputs), self._on_device(positives), negatives
        drawn = negatives.cpu().numpy()
        used = np.unique(np.concatenate((inputs.ravel(), positives, drawn)))
        table = self.items(self._on_device(used))
        rows = (self._on_device(np.searchsorted(used, items)) for items in (inputs, positives, drawn))
        return table, *rows

    def _on_device(self, array: Longs) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def compiled(network: Network, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """Fused kernels where there is a CUDA device and Triton to write them; what they fail on runs as it is."""
    if device.type != "cuda" or find_spec("triton") is None:
        return network
    torch._dynamo.config.suppress_errors = True
    return torch.compile(network, dynamic=True)
