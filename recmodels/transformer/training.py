"""The training of a transformer: batches with hardly any padding, and a loop that can be left alone.

Each random choice is drawn from the seed, the epoch and the step alone. So a training that was killed goes on from its
last checkpoint to the same weights as one that was not.
"""

import logging
import time
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.optim.swa_utils import AveragedModel

from recmodels.compute.adam import AdamW
from recmodels.compute.device import load_numba_first, seed_torch
from recmodels.data.arrays import Ints, Longs, empty_matrix
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.metrics.ranking import per_user
from recmodels.options import DEFAULTS, FitOptions
from recmodels.ranking.product_search import top_products
from recmodels.ranking.topk import TopK
from recmodels.transformer.budget import Budget
from recmodels.transformer.checkpoint import Checkpoint, TrainingState
from recmodels.transformer.config import TransformerConfig
from recmodels.transformer.distillation import Teachers
from recmodels.transformer.network import ItemEmbedding, Network, last_states
from recmodels.transformer.sequences import (
    VALIDATION_K,
    VALIDATION_USERS,
    TrainingSequences,
    validation_rows,
)
from recmodels.transformer.step_loss import StepLoss, compiled
from recmodels.transformer.trained import Trained
from recmodels.transformer.warm_start import Start, forget_drawn, tables_of, take_over

log = logging.getLogger(__name__)

FINAL_TIME = 0.2
"""The share of the minutes that is left for learning from what validated."""

AVERAGED = 100_000  # steps that an average begins with whose weights were trained before: it follows slowly

VALIDATED_AGAIN = 5_000
"""Users who validate weights that were trained before, at most: such a training is short, and what is compared are
lists of the same users."""

Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


def train(
    config: TransformerConfig, data: Dataset, options: FitOptions, device: str, start: Start | None = None
) -> Trained:
    """Train on one device, from a `start` if there is one; with teachers on everything, from the first step on.

    Items without interactions take no part. Afterwards their vectors are those of their terms, or zeros.
    """
    load_numba_first()
    known = data.known_items
    place = np.zeros(data.n_items, np.int32)
    place[known] = np.arange(len(known))
    used = replace(
        data, item_index=place[data.item_index], terms=data.terms[known], n_items=len(known),
        seen=empty_matrix(data.n_users, len(known)), rating=None, rated=None,
        item_vectors=None if data.item_vectors is None else data.item_vectors[known],
        domains=None if data.domains is None else replace(data.domains, codes=data.domains.codes[known]),
    )  # fmt: skip
    with torch.random.fork_rng():  # torch's global generator is left as it was
        seed_torch(config.seed, torch.device(device))
        network, items = Network(config, data.n_users).to(device), ItemEmbedding(used, config).to(device)
        if start is not None:
            take_over(start, network, items, known)
            config = replace(config, epochs=config.epochs_from(warm=True), patience=1)
        known_until, teachers = None if start is None else start.known_until, None
        if start is not None and start.teachers:
            teachers = Teachers(config, data.n_users, start.teachers, known, torch.device(device))
        trainer = Trainer(
            config, network, items, used, options,
            trained=start is not None, known_until=known_until, teachers=teachers,
        )  # fmt: skip
        epochs = trainer.run()
        if not trainer.state.progress.moved:
            forget_drawn(start, network, items, known)
            if start is None:
                later = f"another {config.gap_days:g} to {config.horizon_days:g} days later"
                log.warning(
                    "The transformer has learned nothing, and lists nothing: no user has an interaction and %s.",
                    later if config.objective == "horizon" else "a later one",
                )
        catalogue = ItemEmbedding(data, config).to(device)
    with torch.no_grad():
        if network.user_cross is not None:  # whoever has no sequence is still as drawn: an unknown user
            alone = np.flatnonzero(np.diff(data.indptr) < 2)
            network.user_cross.user_embedding.weight[torch.from_numpy(alone)] = 0
        catalogue.embedding.zero_()[torch.from_numpy(known).long()] = items.embedding
        catalogue.term_projection = items.term_projection
        parameters = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
        tables = {} if config.warm_start == "no" else tables_of(catalogue)
        return Trained(parameters, catalogue().cpu().numpy(), epochs, tables)


class Trainer:
    """Trains a network and the items' embeddings, on the device that they are on.

    Those that were `trained` before are validated first, and remain where all epochs make them worse. Their average
    follows slowly from the start: it begins with what has been averaged. What `teachers` say is learned on everything,
    and nothing validates: they know it all.
    """

    def __init__(
        self,
        config: TransformerConfig,
        network: Network,
        items: ItemEmbedding,
        data: Dataset,
        options: FitOptions = DEFAULTS,
        *,
        trained: bool = False,
        known_until: int | None = None,
        teachers: Teachers | None = None,
    ) -> None:
        self.config, self.network, self.items, self.data, self.trained = config, network, items, data, trained
        self.began = time.monotonic()
        self.device = items.embedding.device
        most = VALIDATED_AGAIN if trained else VALIDATION_USERS
        if teachers is None:
            later = validation_rows(data, config.validation_days, known_until)
        else:
            later = np.zeros(len(data), bool)
        self.sequences = TrainingSequences(config, data, later, network.max_length, most)
        self.compiled = compiled(network, self.device)
        self.loss = StepLoss(config, self.compiled, items, self.sequences, teachers)
        self.rank, self.world = 0, 1
        if distributed.is_initialized():
            self.rank, self.world = distributed.get_rank(), distributed.get_world_size()
        model = nn.ModuleList((network, items))
        self.optimizer = AdamW(model.parameters(), config.learning_rate, config.weight_decay, fused=True)
        self.averaged = AveragedModel(model, multi_avg_fn=self._update_average)
        if trained:
            self.averaged.n_averaged.fill_(AVERAGED)
        self.state = TrainingState(model, self.averaged, self.optimizer, _copied(model.state_dict()))
        self.checkpoint = Checkpoint(options.checkpoint, config, data) if options.checkpoint else None
        self.saved_at = time.monotonic()
        self.micro_batches = 1  # into which a step is divided, where memory does not hold it at once
        self.budget = Budget(options)

    def run(self) -> list[dict[str, float]]:
        """Train to the end, leave the best weights in the network, and return a record of each epoch."""
        if len(self.sequences.starts) == 0:
            return []  # nobody has two items
        if self.checkpoint is not None:
            self.checkpoint.restore(self.state, self.device)
        progress = self.state.progress
        self.saved_at = time.monotonic()
        self.began -= progress.spent
        if not progress.done:
            self.budget.plan(self._lists, self.sequences.validation_users)
        if not progress.final:
            self._train_validated()
            self._begin_final()
        if not progress.done:
            self._train_on_all()
        self.state.model.load_state_dict(self.state.best)
        progress.done = True
        self._save_checkpoint()  # other seeds may follow, and be killed
        return progress.epochs

    def _train_validated(self) -> None:
        """Until validation gets no better, or there is only the time left in which to learn from what validated."""
        progress, config = self.state.progress, self.config
        if self.budget.minutes is not None and config.final_epochs:
            self.budget.minutes *= 1 - FINAL_TIME
        if self.trained and progress.epoch == progress.step == 0 and len(self.sequences.validation_users):
            progress.best = self._validation_ndcg()
            log.info("as it was: validation NDCG@%d %.4f", VALIDATION_K, progress.best)
        while (
            progress.epoch < config.epochs
            and progress.epoch - progress.best_epoch < config.patience
            and not progress.done
        ):
            self._train_epoch()
            self._end_epoch()
        if self._is_late():
            minutes, epoch = self.budget.minutes, progress.best_epoch
            log.info("The %.3g minutes are over: the weights of epoch %d are taken.", minutes, epoch)

    def _begin_final(self) -> None:
        """From the best weights on, with moments of none."""
        state, progress = self.state, self.state.progress
        passes = min(self.config.final_epochs, progress.best_epoch) if len(self.sequences.validation_users) else 0
        progress.final, progress.last, progress.done = True, progress.epoch + passes, passes == 0
        state.model.load_state_dict(state.best)
        self.averaged.module.load_state_dict(state.best)
        self.averaged.n_averaged.fill_(AVERAGED)
        self.optimizer.state = {}

    def _train_on_all(self) -> None:
        """What validated is learned from, too: it is the latest, and what lists are going to be like."""
        progress = self.state.progress
        nothing_later = np.zeros(len(self.data), bool)
        self.sequences = TrainingSequences(self.config, self.data, nothing_later, self.network.max_length)
        self.loss = StepLoss(self.config, self.compiled, self.items, self.sequences)
        self.budget.minutes, self.budget.validation_users = self.budget.options.minutes, 0
        progress.done = self._is_late()
        while progress.epoch < progress.last and not progress.done:
            self._train_epoch()
            self._end_epoch()
        if progress.done:
            log.info("The %.3g minutes are over in the last passes, over everything.", self.budget.minutes)

    def _train_epoch(self) -> None:
        """All steps of an epoch that are left, or as many as there is time for."""
        progress, config = self.state.progress, self.config
        rng = np.random.default_rng((config.seed, progress.epoch))
        targets, batches = self.sequences.draw_targets(rng), self.sequences.batches(rng, config.batch)
        self.network.train()
        for batch in batches[progress.step :]:
            began = time.monotonic()
            self._step(batch, targets)
            progress.step += 1
            now = time.monotonic()
            progress.seconds += now - began
            self.budget.steps.seconds.append(now - began)
            if self._is_late():
                progress.done = True
                return
            if now - self.saved_at > 60 * self.budget.options.checkpoint_minutes:
                self._save_checkpoint()
                self.saved_at = now

    def _is_late(self) -> bool:
        """Whether there is no more time for steps, on any of the devices."""
        progress = self.state.progress
        progress.spent = time.monotonic() - self.began
        if self.budget.minutes is None:
            return False
        (late,) = self._summed(self.budget.is_spent(progress.spent, validates=self._has_weights()))
        return late > 0

    def _has_weights(self) -> bool:
        """Whether there are weights to fall back on, so that an epoch is worth to be validated."""
        return self.trained or self.state.progress.epoch > 0

    def _save_checkpoint(self) -> None:
        if self.checkpoint is not None and self.rank == 0:
            self.checkpoint.save(self.state)

    def _step(self, batch: Longs, targets: Ints) -> None:
        progress = self.state.progress
        rng = np.random.default_rng((self.config.seed, progress.epoch, progress.step))
        seed, negatives = int(rng.integers(2**62)), self.loss.sampler.draw(rng)
        count = int((self.sequences.padded_targets(batch, targets)[2] >= 0).sum())
        if count == 0:
            return
        own = batch[self.rank :: self.world]
        while True:
            seed_torch(seed + self.rank, self.device)
            try:
                loss = self._backward(np.array_split(own, self.micro_batches), targets, negatives, count)
                break
            except torch.OutOfMemoryError:
                if self.micro_batches >= len(own):
                    raise
                self.micro_batches *= 2
                torch.cuda.empty_cache()
                log.warning("The device is out of memory: steps are now taken in %d parts.", self.micro_batches)
        (loss,) = self._summed(loss)
        norm = nn.utils.clip_grad_norm_(self.optimizer.parameters, self.config.max_grad_norm)
        if not (np.isfinite(loss) and bool(torch.isfinite(norm))):
            raise NightrecError(
                f"The transformer diverged in epoch {progress.epoch + 1}, step {progress.step + 1} (loss {loss}); give "
                f"a learning_rate below {self.config.learning_rate}."
            )
        self.optimizer.step()
        self.averaged.update_parameters(self.state.model)
        progress.loss += loss * count
        progress.targets += count

    def _summed(self, *numbers: float) -> list[float]:
        """Over all devices that train together."""
        if self.world == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return list(total.tolist())

    @torch.no_grad()
    def _update_average(self, averages: Tensors, weights: Tensors, steps: Tensor | int) -> None:
        """The average follows the weights closely at first, when they change fast (as TensorFlow's does)."""
        decay = min(self.config.ema_decay, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(averages, weights, 1 - decay)

    def _backward(self, parts: list[Longs], targets: Ints, negatives: Tensor | None, count: int) -> float:
        """Gradients of the mean loss over `count` targets, of all devices; returns the share of this one's parts."""
        self.optimizer.zero_grad()
        total = 0.0
        for part in parts:
            loss = self.loss(part, targets, negatives, self.state.progress)
            if loss is not None:
                torch.autograd.backward(loss / count)
                total += float(loss.detach()) / count
        if self.world > 1:
            for parameter in self.optimizer.parameters:
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                distributed.all_reduce(parameter.grad)
        return total

    def _end_epoch(self) -> None:
        """Validate the averaged weights, keep them if they are the best so far, and record the epoch.

        An epoch whose validation has no time is not validated. Of a first one the weights are taken, unless there are
        others; of a later one those of the best epoch before it. Where nothing validates, the last weights are taken.
        """
        state, progress = self.state, self.state.progress
        progress.epoch += 1
        progress.done = self._is_late()
        validated = len(self.sequences.validation_users) > 0 and not (progress.done and self._no_time_to_validate())
        ndcg = self._validation_ndcg() if validated else 0.0
        padding = 1 - progress.positions / max(1, progress.padded_positions)
        loss = progress.loss / max(1, progress.targets)
        progress.epochs.append({"loss": loss, "ndcg": ndcg, "seconds": progress.seconds, "padding": padding})
        validation = f"validation NDCG@{VALIDATION_K} {ndcg:.4f}" if validated else "not validated"
        log.info(
            "epoch %d: loss %.4f, %s, %.1f s, %.1f%% padding",
            progress.epoch, loss, validation, progress.seconds, 100 * padding,
        )  # fmt: skip
        first = progress.epoch == 1 and not self.trained
        no_worse = ndcg == progress.best and progress.best_epoch == 0  # than the night before, which knows less
        if ndcg > progress.best or no_worse or first or len(self.sequences.validation_users) == 0:
            progress.best, progress.best_epoch = ndcg, progress.epoch
            state.best = _copied(self.averaged.module.state_dict())
        progress.step = progress.targets = progress.positions = progress.padded_positions = 0
        progress.loss = progress.seconds = 0.0

    def _no_time_to_validate(self) -> bool:
        """Whether a validation would end too late, on any of the devices; that of a first epoch has no use then."""
        progress = self.state.progress
        (late,) = self._summed(not self.budget.has_time_to_validate(progress.spent))
        return (progress.epoch == 1 and not self.trained) or late > 0

    def _validation_ndcg(self) -> float:
        """Mean NDCG of the validation users' lists, of all items but those in their history."""
        began = time.monotonic()
        top = self._lists(self.sequences.validation_users)
        self.budget.validated(time.monotonic() - began)
        ndcg = float(per_user(top.items, self.sequences.truth)["ndcg"].mean())
        (total,) = self._summed(ndcg)  # by it all devices go on or end, whose rounding may differ
        return total / self.world

    def _lists(self, users: Ints) -> TopK:
        """Of the first of the validation users, by the averaged weights."""
        sequences = self.sequences
        network, items = self.averaged.module.children()
        assert isinstance(network, Network)
        table = items().detach()
        starts, ends = sequences.user_starts[users], sequences.user_starts[users + 1]
        states = last_states(network, table, sequences.items, starts, ends, users)
        return top_products(states, table.float().cpu().numpy(), VALIDATION_K, seen=sequences.seen[: len(users)])


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
