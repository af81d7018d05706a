"""The training on pairs: batches of whole users, against negatives that groups of them share.

A user's vector is made once for all their pairs and negatives, so that most of the work is matrix products. Only
rows that occur in a batch are read and changed, by Adagrad with one number a row (Duchi et al., JMLR 2011).
"""

import logging
import time
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from recmodels.data.arrays import Floats, Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import DEFAULTS, FitOptions
from recmodels.pairwise import losses
from recmodels.pairwise.batches import Batch, Batches, Group
from recmodels.pairwise.config import PairConfig
from recmodels.pairwise.sparse_products import pair_products
from recmodels.pairwise.vectors import TrainingTables, Vectors
from recmodels.sampling import normal_rows
from recmodels.warm_start import described_rows

log = logging.getLogger(__name__)
Tensors: TypeAlias = dict[str, Tensor]

ROWS_OF = {
    "users": "users", "items": "items", "history": "items",
    "users_terms": "user_terms", "items_terms": "terms", "history_terms": "terms",
}  # fmt: skip
"""What the rows of each embedding table stand for."""

INITIAL_STD = 0.1  # of vectors before the first step, over √(their length)
EPSILON = 1e-10
FULL_PENALTY = 8
"""Interactions in a step for which the penalty of a user's or an item's vector is `regularization`. In proportion to
them grows the gradient that it stands against."""


class EmbeddingTable:
    """Rows of parameters on a device, with their Adagrad accumulators: a step gathers some, and updates those alone."""

    def __init__(self, values: Floats, device: str) -> None:
        self.values = torch.from_numpy(values).to(device)
        self.accumulators = torch.zeros(len(values), device=device)

    def gather(self, rows: Tensor | slice) -> Tensor:
        """Copies of some rows, for gradients to collect at."""
        values = self.values.clone() if isinstance(rows, slice) else self.values.index_select(0, rows)
        return values.requires_grad_()

    def update(self, rows: Tensor | slice, gathered: Tensor, rate: float, penalty: Tensor) -> None:
        """An Adagrad step along the gradient of the rows that were gathered; `penalty` is each one's [., 1]."""
        if (gradient := gathered.grad) is None:
            return
        gradient.addcmul_(gathered.detach(), penalty)
        squares = self.accumulators[rows] + torch.linalg.vector_norm(gradient, dim=1).square_() / gradient.shape[1]
        self.accumulators[rows] = squares
        self.values[rows] = gathered.detach().addcmul_(gradient, (-rate / (squares + EPSILON).sqrt())[:, None])


class PairTrainer:
    """Trains vectors [., factors + 1], the bias last, whose products are the scores."""

    def __init__(self, config: PairConfig, data: Dataset, device: str, has: Floats | None = None) -> None:
        """`has`: which numbers of its vector each item has, 1 or 0 [n_items, width]; all, if not given."""
        self.config, self.device = config, device
        self.has = None if has is None else torch.from_numpy(has).to(device)
        self.batches = Batches(config, data, device)
        n_rows = {"users": data.n_users} if config.user_ids else {}
        self.sides: list[str] = ["items", "history"] if config.history else ["items"]
        n_rows |= dict.fromkeys(self.sides, data.n_items)
        if self.batches.terms is not None:
            n_rows |= {f"{side}_terms": self.batches.terms.shape[1] for side in self.sides}
        if self.batches.user_terms is not None:
            n_rows["users_terms"] = data.user_terms.shape[1]
        std = INITIAL_STD / np.sqrt(config.factors)
        self.tables = {
            name: EmbeddingTable(normal_rows(self.batches.rng, std, n, self.width), device)
            for name, n in n_rows.items()
        }

    @property
    def width(self) -> int:
        """Numbers in a row of every table."""
        return self.config.factors + 1

    def start_from(self, earlier: TrainingTables, rows: dict[str, Ints]) -> bool:
        """Take over the rows of users, items and terms that an earlier training knew.

        Args:
            earlier: The tables of that training.
            rows: For `users`, `items`, `terms` and `user_terms` the earlier row of each, -1 for those that are new.

        Returns:
            False, and nothing is taken, where the earlier model was of other features or sizes.
        """
        if any(name not in earlier.values or earlier.values[name].shape[1] != self.width for name in self.tables):
            log.info("The earlier model has other features or sizes; this one starts anew.")
            return False
        for name, table in self.tables.items():
            then, n_then = rows[ROWS_OF[name]], len(earlier.values[name])
            if ROWS_OF[name] == "terms" and "vectors" in rows:
                then = described_rows(then, rows["vectors"], n_then)
            now = np.flatnonzero(then >= 0)
            table.values[now] = torch.from_numpy(earlier.values[name][then[now]]).to(self.device)
            table.accumulators[now] = torch.from_numpy(earlier.accumulators[name][then[now]]).to(self.device)
            log.info("%s: %d of %d rows are of the earlier model.", name, len(now), len(then))
        return True

    def run(self, epochs: int, options: FitOptions = DEFAULTS, share: float = 1.0) -> None:
        """Train to the end, or for as long as there is time. Raises NightrecError where the loss is not finite.

        The learning rate begins at that `share` of the configured one.
        """
        config, began = self.config, time.monotonic()
        first_rate = config.learning_rate * share
        for epoch, done in options.rounds(epochs):
            started, total, n = time.monotonic(), 0.0, 0
            for batch in self.batches:
                total += self.step(batch, first_rate * (1 - done))
                n += len(batch.rows)
                if not np.isfinite(total):
                    raise NightrecError(f"The training diverged in epoch {epoch + 1}; give a smaller learning_rate.")
                if options.over(began):
                    log.info("The %g minutes are over in epoch %d.", options.minutes, epoch + 1)
                    return
            log.info("Epoch %d: loss %.4f, %.1f s.", epoch + 1, total / n, time.monotonic() - started)

    def step(self, batch: Batch, rate: float) -> float:
        """Follow the gradient of one batch; returns its loss, from before."""
        rows = {"users": batch.users, "items": batch.items, "history": batch.items}  # of terms: all
        gathered = {name: table.gather(rows.get(name, slice(None))) for name, table in self.tables.items()}
        users, items = self.vectors(batch, gathered)
        loss = self.loss(batch, users, items)
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            penalties = self.penalties(batch)
            for name, table in self.tables.items():
                table.update(rows.get(name, slice(None)), gathered[name], rate, penalties[ROWS_OF[name]])
        return loss.item()

    def penalties(self, batch: Batch) -> Tensors:
        """The L2 penalty of each row in a step, by what the rows stand for: [., 1], or [1] for all.

        Users and items have it in proportion to their interactions in the step, each by its weight, as the penalty of
        a frequent row is the larger one in iALS (Rendle et al., "Revisiting the performance of iALS on item
        recommendation benchmarks", RecSys 2022). The same for all that occur would draw the vectors of a sparse log to
        0: most of the items in a step are there as negatives alone. WARP has the same for all, and does not gain from
        another: vectors near 0 violate its margin everywhere, and are driven away with ln(rank) times the force.
        """
        penalty = batch.weights.new_tensor([self.config.regularization])
        penalties = dict.fromkeys(ROWS_OF.values(), penalty)
        if self.config.loss != "warp":
            for name, rows, n in (
                ("users", batch.rows, len(batch.users)),
                ("items", batch.positives, len(batch.items)),
            ):
                penalties[name] = penalty / FULL_PENALTY * torch.bincount(rows, batch.weights, n)[:, None]
        return penalties

    def vectors(self, batch: Batch, gathered: Tensors) -> tuple[Tensor, Tensor]:
        """The sums of features: of users [b, width], with 1 where items have their bias, and of items [t, width]."""
        items = gathered["items"] * self.batches.id_mask(len(batch.items))
        if batch.terms is not None:
            items = items + batch.terms.times(gathered["items_terms"])
        has = None if self.has is None else self.has.index_select(0, batch.items)
        items = items if has is None else items * has
        users = items.new_zeros(len(batch.users), self.width)
        if "users" in gathered:
            users = gathered["users"] * self.batches.id_mask(len(batch.users)) * batch.identified
        if batch.history is not None:
            history = gathered["history"]
            if batch.terms is not None:
                history = history + batch.terms.times(gathered["history_terms"])
            history = history if has is None else history * has
            users = users + batch.history.times(history)
        if batch.user_terms is not None:
            users = users + batch.user_terms.times(gathered["users_terms"])
        f = self.config.factors
        return torch.cat((users[:, :f], torch.ones_like(users[:, :1]), users[:, f + 1 :]), dim=1), items

    def loss(self, batch: Batch, users: Tensor, items: Tensor) -> Tensor:
        """The sum of the losses of all pairs of a batch."""
        groups = batch.groups
        scores = self.pair_scores(batch, users, items)
        negatives = items.index_select(0, torch.cat([group.negatives for group in groups]))
        parts = zip(
            groups,
            torch.split(scores, [group.pairs.stop - group.pairs.start for group in groups]),
            torch.split(users, [group.users.stop - group.users.start for group in groups]),
            torch.split(negatives, [len(group.negatives) for group in groups]),
            strict=True,
        )
        return torch.stack([self.loss_of_group(batch, *part) for part in parts]).sum()

    def loss_of_group(self, batch: Batch, group: Group, scores: Tensor, users: Tensor, negatives: Tensor) -> Tensor:
        """The sum of the losses of a group's pairs, from their scores [n], and the vectors of users and negatives."""
        rows, weights = batch.rows[group.pairs] - group.users.start, batch.weights[group.pairs]
        if self.config.loss == "softmax":
            return self.softmax(group, scores, rows, users, negatives, weights)
        others = self.masked_scores(group, users, negatives)
        match self.config.loss:
            case "bpr":
                return losses.bpr(scores, rows, others, weights, self.draw(group, 1)[:, 0])
            case "bce":
                return losses.bce(scores, rows, others, weights, self.draw(group, losses.BCE_NEGATIVES))
            case "warp":
                tried = self.draw(group, losses.WARP_TRIES)
                return losses.warp(scores, rows, others, weights, tried, len(self.batches.known))

    def draw(self, group: Group, n: int) -> Tensor:
        """Positions of n negatives for each pair of a group."""
        shares = self.batches.rng.random((group.pairs.stop - group.pairs.start, n))
        return self.batches.on(np.minimum(np.searchsorted(group.shares, shares, side="right"), len(group.shares) - 1))

    def softmax(
        self, group: Group, scores: Tensor, rows: Tensor, users: Tensor, negatives: Tensor, weights: Tensor
    ) -> Tensor:
        """The loss of that name."""
        return losses.softmax_of_products(scores, rows, users, negatives, group.masked, weights, group.log_counts)

    def masked_scores(self, group: Group, users: Tensor, negatives: Tensor) -> Tensor:
        """Of a group's users with its negatives, MASKED_SCORE for those that a user has interacted with: [b, m]."""
        scores = self.negative_scores(users, negatives)
        return scores.index_put(group.masked, scores.new_tensor(losses.MASKED_SCORE))

    def pair_scores(self, batch: Batch, users: Tensor, items: Tensor) -> Tensor:
        """Of the pairs of a batch: [n]."""
        return pair_products(users, items, batch.rows, batch.positives, batch.starts)

    def negative_scores(self, users: Tensor, negatives: Tensor) -> Tensor:
        """Of all users with all negatives: [b, m]."""
        return users @ negatives.T

    def fitted(self) -> Vectors:
        """The vectors that a model scores with."""
        batches, tables = self.batches, self.state().values
        known = np.zeros((batches.data.n_items, 1), np.float32)
        known[batches.known] = 1
        sums: dict[str, Floats] = {side: tables[side] * known for side in self.sides}
        if batches.terms is not None:
            sums |= {side: own + batches.terms @ tables[f"{side}_terms"] for side, own in sums.items()}
        if self.has is not None:
            sums = {side: own * self.has.cpu().numpy() for side, own in sums.items()}
        users: Floats | None = None
        if "users" in tables:
            users = tables["users"] * (np.diff(batches.data.indptr) > 0).astype(np.float32)[:, None]
        return Vectors(sums["items"], sums.get("history"), users, tables.get("users_terms"))

    def state(self) -> TrainingTables:
        """What a later training starts from."""
        values = {name: table.values.cpu().numpy() for name, table in self.tables.items()}
        accumulators = {name: table.accumulators.cpu().numpy() for name, table in self.tables.items()}
        return TrainingTables(values, accumulators, network={})
