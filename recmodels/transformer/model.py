"""A transformer that reads a user's history and predicts what comes next."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from recmodels.base import SCORE_BYTES, State
from recmodels.compute import device
from recmodels.compute.work import dense, mean_length
from recmodels.data.arrays import Bools, Floats, Ints, Longs, chunks, row_lengths
from recmodels.data.dataset import Dataset
from recmodels.engine.current import engine
from recmodels.errors import ConfigError
from recmodels.options import FitOptions
from recmodels.parameters import Renamed
from recmodels.ranking.topk import TopK
from recmodels.scoring.dot_product import DotProduct
from recmodels.transformer.config import RENAMED, TransformerConfig
from recmodels.transformer.described import rows_of, with_projected
from recmodels.transformer.sequences import concatenated_ranges

if TYPE_CHECKING:  # torch takes seconds to load: only what computes with it does
    from recmodels.transformer.network import Network
    from recmodels.transformer.trained import Trained
    from recmodels.transformer.warm_start import Start

log = logging.getLogger(__name__)

TABLE_STEPS = 4  # of work for each number of the items' embeddings that a step of the training moves: all of them
EXPLAINED_ITEMS = 2**20  # items of histories that are read at a time, for explanations


@dataclass
class Transformer(TransformerConfig, DotProduct):
    r"""Score of item i for user u: s_u·e_i, with s_u the last state of a network that reads the vectors of u's history.

    Input and output embeddings e are the same (tied). The network is causal self-attention in blocks: `sasrec` [1];
    `ligr`, with gates [2]; or `bsarec`, in parallel with a frequency filter [3]. It is trained to score the next item,
    or one of the next days [4], above all others, with the full softmax, a sampled one or gBCE [5], until lists of the
    latest part of the data, which is excluded from training, get no better; then for `final_epochs` on everything.

    States are computed from the history that a list is asked for, so new interactions count at once. With `content`
    the items' terms, projected, are added to their vectors, so that items without interactions are ranked too.

    Of a site with several domains a part of each vector may belong to one domain (`domain_share`): items of the others
    are 0 there. So a score is a product of what all domains share, plus one of what the item's domain has for itself
    [6, 7].

    Attributes:
        item_vectors_: The items' embeddings, those of each seed side by side, or of the one that has learned from all;
            zeros for items without interactions and terms: float32 [n_items, seeds * dim], or [n_items, dim].
        network_: Parameters of the networks by name, "0." before those of the first one, and so on: float32.
        tables_: What a warm start needs besides, by name, likewise: the items' embeddings and the projection of their
            terms; empty with `warm_start = "no"`.
        domains_: With `domain_share` the names of the domains, in the order of their parts; empty without.
        until_: The time of the latest interaction of the training, in microseconds: int64 [1].
        epochs_: A record of each epoch: `loss`, `ndcg` of the validation, `seconds`, and `padding`, a share.

    References:
        [1] Kang and McAuley, "Self-attentive sequential recommendation", ICDM 2018.
        [2] Borisyuk et al., "LiGR", 2025.
        [3] Shin et al., "An attentive inductive bias for sequential recommendation beyond the self-attention"
            (BSARec), AAAI 2024.
        [4] Pancha et al., "PinnerFormer", KDD 2022.
        [5] Petrov and Macdonald, "gSASRec", RecSys 2023.
        [6] Ma et al., "π-Net: A parallel information-sharing network for shared-account cross-domain sequential
            recommendations", SIGIR 2019.
        [7] Cao et al., "Contrastive cross-domain sequential recommendation" (C2DSR), CIKM 2022.
    """

    folds_in: ClassVar[bool] = True
    needs_others: ClassVar[bool] = False
    uses_gpu: ClassVar[bool] = True
    needs_torch: ClassVar[bool] = True
    delegates: ClassVar[bool] = True
    leaner: ClassVar[Sequence[Mapping[str, Any]]] = ({"loss": "sampled"}, {"loss": "sampled", "dim": 64})
    renamed: ClassVar[Mapping[str, Renamed]] = RENAMED
    moved: ClassVar[Mapping[str, str]] = {
        "minutes": "set the candidate's timeout_minutes",
        "checkpoint": "leave it out",
        "checkpoint_minutes": "leave it out",
    }

    def _fit(self, data: Dataset, options: FitOptions) -> None:
        from recmodels.transformer.distillation import lesson

        for name in ("_networks", "_there"):  # of an earlier fit
            vars(self).pop(name, None)
        data = with_projected(self, data)
        self.domains_: list[str] = [] if data.domains is None or not self.domain_share else list(data.domains.names)
        starts = [self._start(options, i) for i in range(self.networks)]
        distills = self.distill_epochs > 0 and starts[0] is None
        if distills:
            starts = [None] * self.seeds
        times = len(starts) + distills  # into which the time is divided
        tables = "always" if distills else self.warm_start  # the one that is taught starts from those of the first
        trained: list[Trained] = []
        for i, start in enumerate(starts):
            if len(starts) > 1:
                log.info("Network %d of %d:", i + 1, len(starts))
            config = replace(self, seed=self.seed + i, warm_start=tables)
            trained.append(config._train(data, self._options(options, i, times, warm=start is not None), start))
        self.epochs_: list[dict[str, float]] = [epoch for one in trained for epoch in one.epochs]
        if distills:
            log.info("The first network learns the scores of all %d:", len(starts))
            config = replace(self, seed=self.seed + self.seeds, warm_epochs=self.distill_epochs, final_epochs=0)
            trained = [config._train(data, self._options(options, self.seeds, times), lesson(trained, data))]
            self.epochs_ += trained[0].epochs
        self.item_vectors_ = np.concatenate([one.item_vectors for one in trained], axis=1)
        self.network_ = numbered(one.parameters for one in trained)
        self.tables_ = numbered(one.tables for one in trained)
        self.until_: Longs = np.array([data.timestamp.max(initial=0)], np.int64)
        for i in range(times):
            if checkpoint := self._options(options, i, times).checkpoint:
                checkpoint.unlink(missing_ok=True)

    def _train(self, data: Dataset, options: FitOptions, start: "Start | None") -> "Trained":
        """One network, where there is most to compute with: on a cluster, several devices, or one."""
        from recmodels.transformer import cluster, distributed, training

        team = None if options.parts is None else cluster.Team.of(engine().machines(), options.device, options.gpus)
        if team is not None and (team.size > 1 or team.needs.gpus):
            return cluster.train(self, data, options, team, start)
        devices = device.names()
        if len(devices) == 1:
            return training.train(self, data, options, devices[0], start)
        return distributed.train(self, data, options, devices, start)

    @property
    def networks(self) -> int:
        """How many make the lists."""
        return 1 if self.distill_epochs else self.seeds

    def _options(self, options: FitOptions, i: int, times: int, *, warm: bool = False) -> FitOptions:
        """Of one of so many trainings: its own checkpoint and share of the time, less if it starts from another."""
        minutes = None if options.minutes is None else options.minutes / times
        list_minutes = None if options.list_minutes is None else options.list_minutes / self.networks
        if warm and minutes is not None:
            saved = (1 - self.warm_time) * minutes
            minutes, list_minutes = minutes - saved, None if list_minutes is None else list_minutes + saved
        checkpoint = Path(f"{options.checkpoint}-{i}") if options.checkpoint and i else options.checkpoint
        return replace(options, minutes=minutes, list_minutes=list_minutes, checkpoint=checkpoint, warm_start=None)

    def _start(self, options: FitOptions, i: int) -> "Start | None":
        """What one of the seeds starts from, if an earlier model is given whose network is the same."""
        from recmodels.transformer.warm_start import PROJECTION, Start, same_network

        if options.warm_start is None or not isinstance(earlier := options.warm_start.model, Transformer):
            return None
        tables = within(earlier.tables_, i)
        if not tables or not earlier.item_vectors_.any() or not same_network(self, earlier):
            return None
        if earlier.domains_ != self.domains_:
            log.info("The earlier model has parts for other domains; this one starts anew.")
            return None
        rows = rows_of(self, options.warm_start.rows, len(tables.get(PROJECTION, ())))
        if self.vectors == "frozen" and not (rows["terms"] >= 0).any():
            log.info("The items have other vectors than those of the earlier model; this one starts anew.")
            return None
        until = int(earlier.until_[0]) if len(earlier.until_) else None
        return Start(within(earlier.network_, i), tables, rows, until)

    def _check(self) -> None:
        if self.dim % self.heads:
            raise ConfigError(f"transformer: dim {self.dim} is not a multiple of heads {self.heads}.")
        if self.distill_epochs and self.loss == "gbce":
            raise ConfigError("transformer: distill_epochs learn a softmax, and gbce has none; set loss to sampled.")
        if self.cross and not self.user_embedding:
            raise ConfigError("transformer: cross multiplies the vectors of user and item; set user_embedding too.")
        if self.gap_days >= self.horizon_days:
            raise ConfigError(
                f"transformer: gap_days {self.gap_days:g} lies from 0 to below horizon_days ({self.horizon_days:g})."
            )

    @cached_property
    def _networks(self) -> list["Network"]:
        """The fitted networks, on the device that this process computes on."""
        return [self._network(i).to(device.name()).eval() for i in range(self.networks)]

    @cached_property
    def _there(self) -> Bools:
        """The items of which anything is known: bool [n_items]."""
        if self.vectors == "frozen":  # its training has read items that have no vector
            return np.ones(len(self.item_vectors), np.bool_)
        return np.asarray(self.item_vectors.any(axis=1))

    def _network(self, i: int) -> "Network":
        import torch

        from recmodels.transformer.network import Network

        parameters = {name: torch.from_numpy(array) for name, array in within(self.network_, i).items()}
        network = Network(self, 0 if self._user_embedding is None else len(self._user_embedding) - 1)
        network.load_state_dict(parameters)
        return network

    @property
    def _user_embedding(self) -> Floats | None:
        """Of the first network: float32 [n_users + 1, user_dim], the last for unknown users; None without."""
        return self.network_.get("0.user_cross.user_embedding.weight")

    def _restore(self, state: State) -> None:
        old = [name for name in state if name.startswith("network.")]  # of version 0.1: "network.0.first.weight_"
        if old:
            from recmodels.transformer.saved import current_name

            state["network_"] = {current_name(name.removeprefix("network.")[:-1]): state.pop(name) for name in old}
        state.setdefault("tables_", {})
        state.setdefault("domains_", [])
        state.setdefault("until_", np.empty(0, np.int64))
        super()._restore(state)

    def _user_vectors(self, data: Dataset, users: Ints) -> Floats:
        return self._states(data.item_index, data.indptr[users], data.indptr[users + 1], users)

    def _states(self, items: Ints, starts: Longs, ends: Longs, users: Ints) -> Floats:
        """The last states of the histories items[starts:ends] [n] of `users` [n]: float32 [n, d].

        Items of which nothing is known are passed over; zeros where there are no others.
        """
        import torch

        from recmodels.transformer.network import last_states

        owner, rows = concatenated_ranges(starts, ends - starts)
        there = self._there[items[rows]]
        if not there.all():
            items, ends = items[rows[there]], np.cumsum(np.bincount(owner[there], minlength=len(starts)))
            starts = np.concatenate([[0], ends[:-1]])
        table, known = torch.from_numpy(self.item_vectors).to(device.name()), self._known(users)
        parts = zip(self._networks, torch.split(table, self.dim, dim=1), strict=True)
        states = [last_states(network, own, items, starts, ends, known) for network, own in parts]
        return np.concatenate(states, axis=1)

    def _known(self, users: Ints) -> Ints:
        """The users' rows in the user embedding; those who came later share that of unknown users."""
        embedding = self._user_embedding
        if embedding is None:
            return users
        own: Ints | None = vars(self).get("_users")
        users = users if own is None else np.where(own[users] < 0, len(embedding) - 1, own[users])
        return np.minimum(users, len(embedding) - 1).astype(np.int32)

    def for_users(self, users: Ints) -> Self:
        if self._user_embedding is None:
            return self
        model = copy(self)
        vars(model).update(_users=users, _networks=self._networks, _there=self._there)  # made once, for all copies
        return model

    def _explain(self, data: Dataset, users: Ints, top: TopK) -> Ints:
        """As `Recommender.explain` says: the item without which the score would be lowest, if it would be lower.

        Each history is read again without each of its items (leave-one-out): exact, where gradients and attention
        weights are not.
        """
        reasons = np.full(top.items.shape, -1, np.int32)
        lengths = np.minimum(row_lengths(data.indptr, users), self.max_length).astype(np.int64)
        # The states of histories that are shorter than this take more memory than their items.
        short = 4 * self.item_vectors.shape[1] * EXPLAINED_ITEMS // SCORE_BYTES
        for start, stop in chunks(lengths * np.maximum(lengths, short), EXPLAINED_ITEMS):
            own = slice(start, stop)
            reasons[own] = self._most_missed(data, users[own], lengths[own], top.items[own])
        return reasons

    def _most_missed(self, data: Dataset, users: Ints, lengths: Longs, lists: Ints) -> Ints:
        """For lists [n, k] the item of the user's last `lengths` [n] whose absence lowers each score most, or -1."""
        starts = data.indptr[users + 1] - lengths
        older = np.minimum(starts - data.indptr[users], 1)  # an item that is read where one of the others is not
        owner, absent = concatenated_ranges(older, lengths)
        sizes = (older + lengths)[owner] - 1
        ends = np.cumsum(sizes)
        row, position = concatenated_ranges(np.zeros_like(sizes), sizes)
        kept = data.item_index[(starts - older)[owner][row] + position + (position >= absent[row])]
        without = self._states(kept, ends - sizes, ends, users[owner])
        complete = self._user_vectors(data, users)
        reasons = np.full(lists.shape, -1, np.int32)
        parts = np.split(without, np.cumsum(lengths)[:-1])
        for i, (items, start, length) in enumerate(zip(lists, starts, lengths, strict=True)):
            history = data.item_index[start : start + length]
            loss = (complete[i] - parts[i]) @ self.item_vectors[items].T  # [length, k]
            found = np.flatnonzero((items >= 0) & (loss.max(axis=0, initial=0) > 0))
            largest = loss[:, found] == loss[:, found].max(axis=0, initial=0)
            reasons[i, found] = np.where(largest, history[:, None], data.n_items).min(axis=0, initial=data.n_items)
        return reasons

    def work(self, n_users: int, n_items: int, n_interactions: int) -> float:
        states = min(n_interactions, n_users * self.max_length)
        blocks = self.layers * dense(states, self.dim, 12 * self.dim + 2 * self.max_length)
        scored = n_items if self.loss == "full" else min(self.negatives, n_items)
        forward_and_back = 3
        moved = TABLE_STEPS * n_items * self.dim * states / self.batch
        forward = blocks + dense(states, self.dim, scored)
        epoch = forward_and_back * forward + moved
        distillation = self.distill_epochs * (epoch + self.seeds * forward)
        return self.seeds * self._passes * epoch + distillation

    def list_work(self, n_listed: int, n_users: int, n_items: int, n_interactions: int) -> float:
        read = n_listed * min(mean_length(n_users, n_interactions), self.max_length)
        blocks = self.networks * self.layers * dense(read, self.dim, 12 * self.dim + 2 * self.max_length)
        return super().list_work(n_listed, n_users, n_items, n_interactions) + blocks

    def length_of_vectors(self) -> int:
        return self.networks * self.dim

    def rounds(self) -> int:
        return self.seeds * self._passes + self.distill_epochs

    @property
    def _passes(self) -> int:
        """Of each network over the data, at most: those that are validated, and those that learn from all of it."""
        return self.epochs + min(self.final_epochs, self.epochs)

    def warm_share(self) -> float:
        return self.warm_time

    def memory_needed(self, n_users: int, n_items: int, n_interactions: int) -> int:
        weights = self.dim * n_items + self.layers * 16 * self.dim**2
        weights += self.user_dim * n_users * self.user_embedding
        kept = 4 if self.distill_epochs else 2 if self.warm_start == "no" else 3  # with the table of the teachers
        copies = 8 + kept * self.seeds  # of weights: gradient, two moments, average, best, and what steps make of them
        copies += self.domain_share > 0  # which numbers each item has
        entry = 20 if self.objective == "next" else 100  # of a sequence: item, user and target; ranges of targets
        inputs = entry * n_interactions + 32 * n_users + 64 * 4 * self.batch * self.dim
        return copies * 4 * weights + inputs + 2 * SCORE_BYTES


def numbered(parts: Iterable[Mapping[str, Floats]]) -> dict[str, Floats]:
    """The arrays of several networks by name, "0." before those of the first, and so on."""
    return {f"{i}.{name}": array for i, part in enumerate(parts) for name, array in part.items()}


def within(arrays: Mapping[str, Floats], i: int) -> dict[str, Floats]:
    """The arrays of one of the seeds, by their own names."""
    prefix = f"{i}."
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
