"""How the transformer learns: batches without padding to speak of, and a loop that can be left alone.

Each random choice is drawn from the seed, the epoch and the step alone. So a training that was killed goes on from its
last checkpoint to the same weights as one that was not.
"""

import logging
import os
import time
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import recmodels.kernels  # noqa: F401  # loading numba changes torch's last bits: before a first training, not in it
from recmodels import losses
from recmodels.attention import Items, Network, last_states
from recmodels.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.histories import Histories, Longs, padded_rows
from recmodels.metrics import per_user
from recmodels.recipe import Recipe
from recmodels.topk import top_products

log = logging.getLogger(__name__)

PLACES = 10  # of the lists that validate


@dataclass
class Progress:
    """Where a training stands: with the weights and the optimiser, all that a checkpoint holds."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    targets: int = 0
    positions: int = 0
    computed: int = 0
    seconds: float = 0.0
    spent: float = 0.0
    best: float = -1.0
    best_epoch: int = 0
    epochs: list[dict[str, float]] = field(default_factory=list)


class Training:
    """One training of a network and the items' table, on the device that they are on."""

    def __init__(self, recipe: Recipe, network: Network, items: Items, data: Dataset) -> None:
        self.recipe, self.histories = recipe, Histories(recipe, data, network.length)
        self.model = nn.ModuleList((network, items))
        self.network, self.items = network, items
        self.device = items.embedding.device
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.progress, self.best = Progress(), _copied(self.model.state_dict())
        self.known = torch.from_numpy(self.histories.known).long().to(self.device)
        self.column = torch.full((data.n_items,), -1, device=self.device).index_copy_(
            0, self.known, torch.arange(len(self.known), device=self.device)
        )  # where an item stands among those that there are interactions with: these alone compete
        popularity = np.bincount(self.histories.items, minlength=data.n_items)[self.histories.known]
        even = 1 / len(popularity)  # half by popularity, half evenly: frequent rivals, and each item now and then
        self.odds = 0.5 * popularity / max(1, popularity.sum()) + 0.5 * even if recipe.loss == "sampled" else even
        self.parts = 1  # a step is taken in so many, where memory does not hold it at once
        self.file = Path(recipe.checkpoint) if recipe.checkpoint else None
        self.mark = _mark(recipe, data)

    def run(self) -> list[dict[str, float]]:
        """Train to the end, leave the best weights in the network, and say what each epoch was like."""
        if len(self.histories.part_starts) == 0:
            return []  # nobody has two items
        self._resume()
        at = self.progress
        written = started = time.monotonic() - at.spent
        written += at.spent
        while at.epoch < self.recipe.epochs and at.epoch - at.best_epoch < self.recipe.patience:
            out_of_time = False
            rng = np.random.default_rng((self.recipe.seed, at.epoch))
            targets, batches = self.histories.targets(rng), self.histories.batches(rng, self.recipe.batch)
            self.network.train()
            for batch in batches[at.step :]:
                began = time.monotonic()
                self._step(batch, targets)
                at.step += 1
                now = time.monotonic()
                at.seconds, at.spent = at.seconds + now - began, now - started
                out_of_time = self.recipe.minutes is not None and at.spent > 60 * self.recipe.minutes
                if out_of_time:
                    break
                if self.file and now - written > 60 * self.recipe.checkpoint_minutes:
                    self._write(self.file)
                    written = time.monotonic()
            self._end_epoch()
            if out_of_time:
                log.info(
                    "The %s minutes are over: the weights of epoch %d are taken.", self.recipe.minutes, at.best_epoch
                )
                break
        self.model.load_state_dict(self.best)
        if self.file:
            self.file.unlink(missing_ok=True)
        return at.epochs

    def _step(self, batch: Longs, targets: Longs) -> None:
        rng = np.random.default_rng((self.recipe.seed, self.progress.epoch, self.progress.step))
        seed = int(rng.integers(2**62))
        drawn = self._draw(rng)
        while True:
            torch.manual_seed(seed)
            try:
                loss, count = self._gradients(np.array_split(batch, self.parts), targets, drawn)
                break
            except torch.OutOfMemoryError:
                if self.parts >= len(batch):
                    raise
                self.parts *= 2
                torch.cuda.empty_cache()
                log.warning("The device is out of memory: steps are now taken in %d parts.", self.parts)
        if count == 0:
            return
        length = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        if not (np.isfinite(loss) and bool(torch.isfinite(length))):
            raise NightrecError(
                f"The transformer diverged in epoch {self.progress.epoch + 1}, step {self.progress.step + 1} (loss "
                f"{loss}); give a learning_rate below {self.recipe.learning_rate}."
            )
        self.optimiser.step()
        self.progress.loss += loss
        self.progress.targets += count

    def _gradients(self, parts: list[Longs], targets: Longs, drawn: Tensor | None) -> tuple[float, int]:
        """Of the mean loss over all targets of a batch; returns the sum of the losses and the number of targets."""
        histories, at = self.histories, self.progress
        self.optimiser.zero_grad()
        starts = [histories.part_starts[part] for part in parts]
        lengths = [histories.part_ends[part] - start for part, start in zip(parts, starts, strict=True)]
        wanted = [padded_rows(targets + 1, *rows, int(rows[1].max())) - 1 for rows in zip(starts, lengths, strict=True)]
        count = int(sum((part >= 0).sum() for part in wanted))
        total = 0.0
        for start, length, target in zip(starts, lengths, wanted, strict=True):
            inputs = torch.from_numpy(padded_rows(histories.items, start, length, target.shape[1])).to(self.device)
            users = torch.from_numpy(histories.users[start].astype(np.int64)).to(self.device)
            asked = np.flatnonzero(target >= 0)
            at.positions, at.computed = at.positions + int(length.sum()), at.computed + target.size
            if len(asked) == 0:
                continue
            table = self.items()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                states = self.network(functional.embedding(inputs, table), users)
            states = states.flatten(0, 1).float().index_select(0, torch.from_numpy(asked).to(self.device))
            loss = self._loss(states, table, torch.from_numpy(target.ravel()[asked]).to(self.device), drawn)
            torch.autograd.backward(loss / count)
            total += float(loss.detach())
        return total, count

    def _loss(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Tensor | None) -> Tensor:
        if len(self.known) < len(table):
            table, targets = table.index_select(0, self.known), self.column[targets]
        if drawn is None:
            return losses.cross_entropy(states, table, targets)
        if self.recipe.loss == "gbce":
            return losses.gbce(states, table, targets, drawn, self.recipe.calibration)
        counts = torch.from_numpy(np.asarray(self.odds)).to(self.device, torch.float32)[drawn] * len(drawn)
        return losses.sampled_softmax(states, table, targets, drawn, counts)

    def _draw(self, rng: np.random.Generator) -> Tensor | None:
        """Places, among the known items, of those that this step's states are compared with; None: with all."""
        if self.recipe.loss == "full":
            return None
        n = len(self.known)
        if self.recipe.loss == "gbce":
            drawn = rng.choice(n, min(self.recipe.negatives, n), replace=False)
        else:
            ends = np.cumsum(self.odds)
            drawn = np.minimum(np.searchsorted(ends, rng.random(self.recipe.negatives) * ends[-1]), n - 1)
        return torch.from_numpy(drawn).to(self.device)

    def _end_epoch(self) -> None:
        at = self.progress
        at.epoch += 1
        validated = len(self.histories.tested) > 0
        ndcg = self._ndcg() if validated else 0.0
        padding = 1 - at.positions / max(1, at.computed)
        loss = at.loss / max(1, at.targets)
        at.epochs.append({"loss": loss, "ndcg": ndcg, "seconds": at.seconds, "padding": padding})
        log.info(
            "epoch %d: loss %.4f, validation NDCG@%d %.4f, %.1f s, %.1f%% padding",
            at.epoch, loss, PLACES, ndcg, at.seconds, 100 * padding,
        )  # fmt: skip
        if ndcg > at.best or not validated:
            at.best, at.best_epoch, self.best = ndcg, at.epoch, _copied(self.model.state_dict())
        at.step = at.targets = at.positions = at.computed = 0
        at.loss = at.seconds = 0.0

    def _ndcg(self) -> float:
        """NDCG of the lists of the users who validate, of all items but those that they had."""
        users, histories = self.histories.tested, self.histories
        table = self.items().detach()
        states = last_states(
            self.network, table, histories.items, histories.starts[users], histories.starts[users + 1], users
        )
        top = top_products(states, table.float().cpu().numpy(), PLACES, choice=histories.known, seen=histories.seen)
        return float(per_user(top.items, histories.truth)["ndcg"].mean())

    def _write(self, file: Path) -> None:
        state = {
            "mark": self.mark, "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
            "best": self.best, "progress": asdict(self.progress),
        }  # fmt: skip
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, file.with_suffix(".part"))
        os.replace(file.with_suffix(".part"), file)  # noqa: PTH105  # a kill leaves the last one whole

    def _resume(self) -> None:
        if self.file is None or not self.file.exists():
            return
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        if state["mark"] != self.mark:
            log.info("%s is of other data or parameters; the training starts afresh.", self.file)
            return
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.progress = state["best"], Progress(**state["progress"])
        log.info("Resumed from %s: epoch %d, step %d.", self.file, self.progress.epoch + 1, self.progress.step)


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _mark(recipe: Recipe, data: Dataset) -> str:
    """What a checkpoint must be of, to go on from it."""
    apart = ("checkpoint", "checkpoint_minutes", "minutes")
    mark = sha256(repr({name: value for name, value in asdict(recipe).items() if name not in apart}).encode())
    for column in (data.user_index, data.item_index, data.timestamp):
        mark.update(np.ascontiguousarray(column).data)
    return mark.hexdigest()
