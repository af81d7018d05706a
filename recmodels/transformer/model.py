"""A transformer that reads a user's history and says what comes next (Kang and McAuley, "SASRec", ICDM 2018)."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from recmodels.base import SCORE_BYTES, State, chunks
from recmodels.compute import device
from recmodels.data.arrays import Floats, Ints, Longs
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.ranking.topk import TopK
from recmodels.scoring.dot_product import DotProduct
from recmodels.transformer.config import TransformerConfig
from recmodels.transformer.sequences import concatenated_ranges

if TYPE_CHECKING:  # torch takes seconds to load: only what computes with it does
    from recmodels.transformer.network import Network

log = logging.getLogger(__name__)

EXPLAINED = 2**20  # items of histories that are read at a time, to say which are missed most


@dataclass
class Transformer(TransformerConfig, DotProduct):
    r"""Score of item i = s_u·e_i, with s_u the last state of a network that has read the vectors of u's history.

    The items' vectors come in and score alike (tied). The network (`network`) is causal self-attention in
    blocks: `sasrec`; `ligr`, gated (Borisyuk et al., 2025); `bsarec`, mixed with a frequency filter (Shin et al., AAAI
    2024). It learns to score what came next, or in the days after, above everything else (`losses`), and
    stops when lists of the latest part, which is held back from it, get no better (`training`).

    States are computed from the history that the lists are asked for, so new interactions count at once. Where items
    have terms and `content` is set, their projection is added to the items' vectors, so that an item without
    interactions has one, and is ranked.
    """

    uses_gpu: ClassVar[bool] = True
    moved: ClassVar[tuple[str, ...]] = ("minutes", "checkpoint", "checkpoint_minutes")

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        from recmodels.transformer import distributed, training

        vars(self).pop("_built", None)
        devices = device.names()
        tables: list[Floats] = []
        self.network_: dict[str, Floats] = {}
        self.epochs_: list[dict[str, float]] = []
        recipes = [replace(self, seed=self.seed + i) for i in range(self.networks)]
        for i, recipe in enumerate(recipes):
            if self.networks > 1:
                log.info("Network %d of %d:", i + 1, self.networks)
            own = self._options(options, i)
            if len(devices) == 1:
                trained = training.train(recipe, data, own, *devices)
            else:
                trained = distributed.train(recipe, data, own, devices)
            tables.append(trained.item_vectors)
            self.network_ |= {f"{i}.{name}": array for name, array in trained.parameters.items()}
            self.epochs_ += trained.epochs
        self.item_vectors_ = np.concatenate(tables, axis=1)
        for i in range(self.networks):
            if checkpoint := self._options(options, i).checkpoint:
                checkpoint.unlink(missing_ok=True)

    def _options(self, options: FitOptions, i: int) -> FitOptions:
        """Of one of the networks: its own checkpoint and share of the time."""
        minutes = None if options.minutes is None else options.minutes / self.networks
        checkpoint = Path(f"{options.checkpoint}-{i}") if options.checkpoint and i else options.checkpoint
        return replace(options, minutes=minutes, checkpoint=checkpoint)

    def _check(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"transformer: width {self.width} is not a multiple of heads {self.heads}.")
        if self.cross and not self.user_embedding:
            raise ConfigError("transformer: cross multiplies the vectors of user and item; set user_embedding too.")
        if not 0 <= self.pause < self.days:
            raise ConfigError(f"transformer: pause {self.pause:g} lies from 0 to below days ({self.days:g}).")

    def _networks(self) -> list["Network"]:
        """The fitted networks, on the device that this process computes on."""
        if "_built" not in vars(self):
            self._built = [self._network(i).to(device.name()).eval() for i in range(self.networks)]
        return self._built

    def _network(self, i: int) -> "Network":
        import torch

        from recmodels.transformer.network import Network

        prefix = f"{i}."
        state = {
            name.removeprefix(prefix): torch.from_numpy(array)
            for name, array in self.network_.items()
            if name.startswith(prefix)
        }
        network = Network(self, 0 if self._user_embedding is None else len(self._user_embedding) - 1)
        network.load_state_dict(state)
        return network

    @property
    def _user_embedding(self) -> Floats | None:
        """Of the first network: float32 [n_users + 1, user_width], the last for unknown users; None without."""
        return self.network_.get("0.user_cross.user_embedding.weight")

    def _restore(self, state: State) -> None:
        old = [name for name in state if name.startswith("network.")]  # of version 0.1: "network.0.first.weight_"
        if old:
            from recmodels.transformer.saved import current_name

            state["network_"] = {current_name(name.removeprefix("network.")[:-1]): state.pop(name) for name in old}
        super()._restore(state)

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        return self._states(data.item_index, data.indptr[users], data.indptr[users + 1], users)

    def _states(self, items: Ints, starts: Longs, ends: Longs, users: Ints) -> Floats:
        """The last states of the histories items[starts:ends] [n] of `users` [n]: float32 [n, d]."""
        import torch

        from recmodels.transformer.network import last_states

        table, known = torch.from_numpy(self.item_vectors).to(device.name()), self._known(users)
        parts = zip(self._networks(), torch.split(table, self.width, dim=1), strict=True)
        states = [last_states(network, own, items, starts, ends, known) for network, own in parts]
        return np.concatenate(states, axis=1)

    def _known(self, users: Ints) -> Ints:
        """The users' rows in the user embedding; those who came later share that of unknown users."""
        embedding = self._user_embedding
        return users if embedding is None else np.minimum(users, len(embedding) - 1).astype(np.int32)

    def explain(self, data: Dataset, users: NDArray[np.integer[Any]], top: TopK) -> Ints:
        """As `Recommender.explain` says: the item without which the score would be lowest, if it would be lower.

        Each history is read once more without each of its items: no gradient or weight of attention says as truly
        what an item has done.
        """
        users = self._checked(data, users, 1, None)
        reasons = np.full(top.items.shape, -1, np.int32)
        lengths = np.minimum(np.diff(data.indptr)[users], self.length).astype(np.int64)
        for start, stop in chunks(lengths**2, EXPLAINED):
            own = slice(start, stop)
            reasons[own] = self._missed_most(data, users[own], lengths[own], top.items[own])
        return reasons

    def _missed_most(self, data: Dataset, users: Ints, lengths: Longs, lists: Ints) -> Ints:
        """For lists [n, k] the item of the user's last `lengths` [n] whose absence lowers each score most, or -1."""
        starts = data.indptr[users + 1] - lengths
        owner, absent = concatenated_ranges(np.zeros_like(lengths), lengths)
        sizes = lengths[owner] - 1
        ends = np.cumsum(sizes)
        row, place = concatenated_ranges(np.zeros_like(sizes), sizes)
        kept = data.item_index[starts[owner][row] + place + (place >= absent[row])]
        without = self._states(kept, ends - sizes, ends, users[owner])
        whole = self._user_vectors(data, users)
        reasons = np.full(lists.shape, -1, np.int32)
        parts = np.split(without, np.cumsum(lengths)[:-1])
        for i, (items, start, length) in enumerate(zip(lists, starts, lengths, strict=True)):
            history = data.item_index[start : start + length]
            loss = (whole[i] - parts[i]) @ self.item_vectors[items].T  # [length, k]
            found = np.flatnonzero((items >= 0) & (loss.max(axis=0, initial=0) > 0))
            largest = loss[:, found] == loss[:, found].max(axis=0, initial=0)
            reasons[i, found] = np.where(largest, history[:, None], data.n_items).min(axis=0, initial=data.n_items)
        return reasons

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        numbers = self.width * n_items + self.layers * 16 * self.width**2
        numbers += self.user_width * n_users * self.user_embedding
        copies = 8 + 2 * self.networks  # of weights: gradient, two moments, average, best, and what steps make of them
        inputs = 160 * n_interactions + 32 * n_users + 64 * 4 * self.batch * self.width
        return copies * 4 * numbers + inputs + SCORE_BYTES
