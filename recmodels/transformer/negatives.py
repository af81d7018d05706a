"""The negatives of a step: which items a target is scored against, and which of their scores are masked."""

import numpy as np
import torch
from torch import Tensor

from recmodels.data.arrays import Longs
from recmodels.transformer.config import TrainingConfig
from recmodels.transformer.losses import Positions
from recmodels.transformer.sequences import TrainingSequences, concatenated_ranges


class NegativeSampler:
    """Draws the negatives that all states of a step share."""

    def __init__(
        self, config: TrainingConfig, sequences: TrainingSequences, n_items: int, device: torch.device
    ) -> None:
        self.config, self.sequences, self.device = config, sequences, device
        popularity = np.bincount(sequences.items, minlength=n_items)
        uniform = 1 / n_items  # half by popularity, half uniform: frequent negatives, and each item now and then
        self.probabilities = 0.5 * popularity / max(1, popularity.sum()) + 0.5 * uniform

    def draw(self, rng: np.random.Generator) -> Tensor | None:
        """Items [k] to score the targets of a step against; None: all items."""
        if self.config.loss == "full":
            return None
        n, k = len(self.probabilities), self.config.negatives
        if self.config.loss == "gbce":
            drawn = rng.choice(n, min(k, n), replace=False)
        else:
            ends = np.cumsum(self.probabilities)
            drawn = np.minimum(np.searchsorted(ends, rng.random(k) * ends[-1]), n - 1)
        return torch.from_numpy(drawn).to(self.device)

    def expected_counts(self, negatives: Tensor) -> Tensor:
        """How often each of the `negatives` of the sampled softmax is drawn in a step, in expectation: [k]."""
        return torch.from_numpy(self.probabilities).to(self.device, torch.float32)[negatives] * len(negatives)

    def masked(self, rows: Longs, negatives: Tensor | None) -> Positions | None:
        """The scores of items that users had interacted with by each of `rows`: their rows, and columns.

        None where they are negatives like all others.
        """
        if not self.config.mask_history:
            return None
        row, column = self.sequences.history_until(rows)
        if negatives is not None:  # a column is of an item that was drawn, and one may be drawn twice
            items = negatives.cpu().numpy()
            order = np.argsort(items, kind="stable")
            first, last = (np.searchsorted(items, column, side, sorter=order) for side in ("left", "right"))
            owner, place = concatenated_ranges(first, last - first)
            row, column = row[owner], order[place]
        return torch.from_numpy(row).to(self.device), torch.from_numpy(column).to(self.device)
