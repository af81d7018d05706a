"""The loss of a step: the states of its sequences against the targets of their rows."""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recmodels.data.arrays import Floats, Ints, Longs
from recmodels.transformer import losses
from recmodels.transformer.checkpoint import Progress
from recmodels.transformer.config import TrainingConfig
from recmodels.transformer.distillation import SHARE, Teachers
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
        teachers: whose scores are learned, too.
    """

    def __init__(
        self,
        config: TrainingConfig,
        network: Callable[[Tensor, Tensor], Tensor],
        items: ItemEmbedding,
        sequences: TrainingSequences,
        teachers: Teachers | None = None,
    ) -> None:
        self.config, self.network, self.items, self.sequences = config, network, items, sequences
        self.teachers = teachers
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
        used = self._used(history, wanted, negatives)
        table, inputs, positives = self.items(used), self._rows(history, used), self._rows(wanted, used)
        places = self._on_device(asked)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            states = self.network(functional.embedding(inputs, table), users)
        states = states.flatten(0, 1).float().index_select(0, places)
        weights = self._on_device(sequences.weights_of(rows))
        given = states, table, positives, weights
        lesson = None
        if self.teachers is not None:
            taught = self.teachers.table if used is None else self.teachers.table[used]
            lesson = losses.Lesson(self.teachers.states(self._on_device(history), users, places), taught, SHARE)
        if negatives is None or counts is None:
            return losses.cross_entropy(*given, masked, lesson)
        negatives = self._rows(negatives.cpu().numpy(), used)
        if self.config.loss == "gbce":
            n_items = len(self.items.embedding)
            return losses.gbce(*given, negatives, self.config.gbce_t, masked, n_items)
        return losses.sampled_softmax(*given, negatives, counts, masked, lesson)

    def _used(self, inputs: Longs, positives: Longs, negatives: Tensor | None) -> Tensor | None:
        """The items whose vectors a step needs [m], ascending; None for all.

        With sampled negatives these are few of many: to normalize all would take most of the time of a step.
        """
        if negatives is None or self.items.term_projection is not None:
            return None
        return self._on_device(np.unique(np.concatenate((inputs.ravel(), positives, negatives.cpu().numpy()))))

    def _rows(self, items: Longs, used: Tensor | None) -> Tensor:
        """Where `items` stand among those that are used."""
        rows = self._on_device(items)
        return rows if used is None else torch.searchsorted(used, rows)

    def _on_device(self, array: Longs | Floats) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def compiled(network: Network, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """Fused kernels where there is a CUDA device and Triton to write them; what they fail on runs as it is."""
    if device.type != "cuda" or find_spec("triton") is None:
        return network
    torch._dynamo.config.suppress_errors = True
    return torch.compile(network, dynamic=True)
