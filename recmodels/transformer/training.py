"""How the transformer learns: batches without padding to speak of, and a loop that can be left alone.

Each random choice is drawn from the seed, the epoch and the step alone. So a training that was killed goes on from its
last checkpoint to the same weights as one that was not.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

import recmodels.compute.jit  # noqa: F401  # loading numba changes torch's last bits: before a first training, not in it
from recmodels.data.arrays import Floats, Longs
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.metrics.ranking import per_user
from recmodels.options import DEFAULTS, FitOptions
from recmodels.ranking.product_search import top_products
from recmodels.transformer import losses
from recmodels.transformer.config import Recipe
from recmodels.transformer.network import Items, Network, last_states
from recmodels.transformer.sequences import PLACES, Histories, padded_rows, runs

if TYPE_CHECKING:
    from recmodels.transformer.model import Transformer

log = logging.getLogger(__name__)

Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


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
    done: bool = False
    epochs: list[dict[str, float]] = field(default_factory=list)


def train(
    model: "Transformer", data: Dataset, options: FitOptions, where: str
) -> tuple[dict[str, Floats], list[dict[str, float]]]:
    """Learn on one device; returns the network and the items' vectors by name, and what each epoch was like.

    Items without interactions take no part. Afterwards their vectors are those of their terms, or zeros.
    """
    known = np.unique(data.item_index)
    used = Dataset.from_arrays(
        data.user_index, np.searchsorted(known, data.item_index), timestamp=data.timestamp, terms=data.terms[known],
        n_users=data.n_users, n_items=len(known), end=data.end,
    )  # fmt: skip
    with torch.random.fork_rng():  # whoever else draws from torch's generator goes on as if nothing had been
        torch.manual_seed(model.seed)
        network, items = Network(model, data.n_users).to(where), Items(used, model).to(where)
        epochs = Training(model, network, items, used, options).run()
        everything = Items(data, model).to(where)
    with torch.no_grad():
        everything.embedding.zero_()[torch.from_numpy(known).long()] = items.embedding
        everything.projection = items.projection
        tensors = network.state_dict() | {"item_vectors": everything()}
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}, epochs


class Training:
    """One training of a network and the items' table, on the device that they are on."""

    def __init__(
        self, recipe: Recipe, network: Network, items: Items, data: Dataset, options: FitOptions = DEFAULTS
    ) -> None:
        self.options = options
        self.recipe, self.histories = recipe, Histories(recipe, data, network.length)
        self.model = nn.ModuleList((network, items))
        self.network, self.items = network, items
        self.device = items.embedding.device
        self.forward = _compiled(network, self.device)
        together = distributed.is_initialized()
        self.rank, self.world = (distributed.get_rank(), distributed.get_world_size()) if together else (0, 1)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.averaged = AveragedModel(self.model, multi_avg_fn=self._follow)
        self.progress, self.best = Progress(), _copied(self.model.state_dict())
        popularity = np.bincount(self.histories.items, minlength=data.n_items)
        even = 1 / data.n_items  # half by popularity, half evenly: frequent rivals, and each item now and then
        self.odds = 0.5 * popularity / max(1, popularity.sum()) + 0.5 * even
        self.parts = 1  # a step is taken in so many, where memory does not hold it at once
        self.file = options.checkpoint
        self.mark = _mark(recipe, data)

    def run(self) -> list[dict[str, float]]:
        """Train to the end, leave the best weights in the network, and say what each epoch was like."""
        if len(self.histories.part_starts) == 0:
            return []  # nobody has two items
        self._resume()
        at, recipe, minutes = self.progress, self.recipe, self.options.minutes
        started = time.monotonic() - at.spent
        written = time.monotonic()
        while at.epoch < recipe.epochs and at.epoch - at.best_epoch < recipe.patience and not at.done:
            rng = np.random.default_rng((recipe.seed, at.epoch))
            targets, batches = self.histories.targets(rng), self.histories.batches(rng, recipe.batch)
            self.network.train()
            for batch in batches[at.step :]:
                began = time.monotonic()
                self._step(batch, targets)
                at.step += 1
                now = time.monotonic()
                at.seconds, at.spent = at.seconds + now - began, now - started
                if minutes is not None:
                    (late,) = self._summed(at.spent > 60 * minutes)
                    at.done = late > 0
                if at.done:
                    break
                if self.file and self.rank == 0 and now - written > 60 * self.options.checkpoint_minutes:
                    self._write(self.file)
                    written = now
            self._end_epoch()
            if at.done:
                log.info("The %g minutes are over: the weights of epoch %d are taken.", minutes, at.best_epoch)
        self.model.load_state_dict(self.best)
        at.done = True
        if self.file and self.rank == 0:
            self._write(self.file)  # more networks may follow, and be killed
        return at.epochs

    def _step(self, batch: Longs, targets: Longs) -> None:
        at = self.progress
        rng = np.random.default_rng((self.recipe.seed, at.epoch, at.step))
        seed, drawn = int(rng.integers(2**62)), self._draw(rng)
        count = int((self._rows(batch, targets)[2] >= 0).sum())
        if count == 0:
            return
        own = batch[self.rank :: self.world]
        while True:
            torch.manual_seed(seed + self.rank)
            try:
                loss = self._gradients(np.array_split(own, self.parts), targets, drawn, count)
                break
            except torch.OutOfMemoryError:
                if self.parts >= len(own):
                    raise
                self.parts *= 2
                torch.cuda.empty_cache()
                log.warning("The device is out of memory: steps are now taken in %d parts.", self.parts)
        (loss,) = self._summed(loss)
        length = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        if not (np.isfinite(loss) and bool(torch.isfinite(length))):
            raise NightrecError(
                f"The transformer diverged in epoch {at.epoch + 1}, step {at.step + 1} (loss {loss}); give a "
                f"learning_rate below {self.recipe.learning_rate}."
            )
        self.optimiser.step()
        self.averaged.update_parameters(self.model)
        at.loss += loss * count
        at.targets += count

    def _summed(self, *numbers: float) -> list[float]:
        """Over all devices that train together; the gradients too, once they stand."""
        if self.world == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return list(total.tolist())

    @torch.no_grad()
    def _follow(self, averages: Tensors, weights: Tensors, steps: Tensor | int) -> None:
        """The average follows the weights closely at first, when they change fast (as TensorFlow's does)."""
        kept = min(self.recipe.averaging, (1 + int(steps)) / (10 + int(steps)))
        torch._foreach_lerp_(averages, weights, 1 - kept)

    def _gradients(self, parts: list[Longs], targets: Longs, drawn: Tensor | None, count: int) -> float:
        """Of the sum of the losses over `count`, on all devices together; returns the share of this one's parts."""
        histories, at = self.histories, self.progress
        self.optimiser.zero_grad()
        total = 0.0
        for part in parts:
            start, length, target = self._rows(part, targets)
            inputs = torch.from_numpy(padded_rows(histories.items, start, length, target.shape[1])).to(self.device)
            users = torch.from_numpy(histories.users[start].astype(np.int64)).to(self.device)
            asked = np.flatnonzero(target >= 0)
            at.positions, at.computed = at.positions + int(length.sum()), at.computed + target.size
            if len(asked) == 0:
                continue
            table = self.items()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                states = self.forward(functional.embedding(inputs, table), users)
            states = states.flatten(0, 1).float().index_select(0, torch.from_numpy(asked).to(self.device))
            rows = (start[:, None] + np.arange(target.shape[1])).ravel()[asked]
            wanted = torch.from_numpy(targets[rows]).to(self.device)
            weights = torch.from_numpy(histories.weights[rows]).to(self.device)
            absent = self._seen(rows, drawn) if self.recipe.rivals == "unseen" else None
            loss = self._loss(states, table, wanted, weights, drawn, absent)
            torch.autograd.backward(loss / count)
            total += float(loss.detach()) / count
        if self.world > 1:
            for parameter in self.model.parameters():
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                distributed.all_reduce(parameter.grad)
        return total

    def _rows(self, part: Longs, targets: Longs) -> tuple[Longs, Longs, Longs]:
        """Where sequences start [n], their lengths [n], and what their states are asked for, -1 for nothing [n, t]."""
        start = self.histories.part_starts[part]
        length = self.histories.part_ends[part] - start
        return start, length, padded_rows(targets + 1, start, length, int(length.max(initial=0))) - 1

    def _seen(self, rows: Longs, drawn: Tensor | None) -> losses.Places:
        """The scores of what the users have had by each of `rows`: their rows, and columns."""
        row, column = self.histories.seen_after(rows)
        if drawn is not None:  # a column is of an item that was drawn, and one may be drawn twice
            items = drawn.cpu().numpy()
            order = np.argsort(items, kind="stable")
            first, last = (np.searchsorted(items, column, side, sorter=order) for side in ("left", "right"))
            owner, place = runs(first, last - first)
            row, column = row[owner], order[place]
        return torch.from_numpy(row).to(self.device), torch.from_numpy(column).to(self.device)

    def _loss(
        self, states: Tensor, table: Tensor, targets: Tensor, weights: Tensor, drawn: Tensor | None,
        absent: losses.Places | None,
    ) -> Tensor:  # fmt: skip
        if drawn is None:
            return losses.cross_entropy(states, table, targets, weights, absent)
        if self.recipe.loss == "gbce":
            return losses.gbce(states, table, targets, weights, drawn, self.recipe.calibration, absent)
        counts = torch.from_numpy(self.odds).to(self.device, torch.float32)[drawn] * len(drawn)
        return losses.sampled_softmax(states, table, targets, weights, drawn, counts, absent)

    def _draw(self, rng: np.random.Generator) -> Tensor | None:
        """The items that this step's states are compared with; None: all of them."""
        if self.recipe.loss == "full":
            return None
        n = len(self.odds)
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
            at.best, at.best_epoch, self.best = ndcg, at.epoch, _copied(self.averaged.module.state_dict())
        at.step = at.targets = at.positions = at.computed = 0
        at.loss = at.seconds = 0.0

    def _ndcg(self) -> float:
        """NDCG of the lists of the users who validate, of all items but those that they had."""
        users, histories = self.histories.tested, self.histories
        network, items = self.averaged.module.children()
        assert isinstance(network, Network)
        table = items().detach()
        states = last_states(
            network, table, histories.items, histories.starts[users], histories.starts[users + 1], users
        )
        top = top_products(states, table.float().cpu().numpy(), PLACES, seen=histories.seen)
        return float(per_user(top.items, histories.truth)["ndcg"].mean())

    def _write(self, file: Path) -> None:
        parts = {"model": self.model, "averaged": self.averaged}
        tensors = {f"{part}.{name}": tensor for part in parts for name, tensor in parts[part].state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        for place, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{place}.{name}": tensor for name, tensor in moments.items()}
        about = {"mark": self.mark, "progress": json.dumps(asdict(self.progress))}
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file.with_suffix(".part"), about)
        file.with_suffix(".part").replace(file)  # a kill leaves the last one whole

    def _resume(self) -> None:
        if self.file is None or not self.file.exists():
            return
        with safe_open(self.file, "pt", device=str(self.device)) as stored:
            about, names = stored.metadata(), stored.keys()
            if about["mark"] != self.mark:
                log.info("%s is of other data or parameters; the training starts afresh.", self.file)
                return
            state: dict[str, dict[str, Tensor]] = {}
            for part, _, name in (name.partition(".") for name in names):
                state.setdefault(part, {})[name] = stored.get_tensor(f"{part}.{name}")
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in state.get("optimiser", {}).items():
            place, _, moment = name.partition(".")
            moments.setdefault(int(place), {})[moment] = tensor
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})
        self.best, self.progress = state["best"], Progress(**json.loads(about["progress"]))
        log.info("Resumed from %s: epoch %d, step %d.", self.file, self.progress.epoch + 1, self.progress.step)


def _compiled(network: Network, where: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    """Fused kernels where there is a CUDA device, and Triton to write them; a part that they fail on runs as it is."""
    if where.type != "cuda" or find_spec("triton") is None:
        return network
    torch._dynamo.config.suppress_errors = True
    return torch.compile(network, dynamic=True)


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _mark(recipe: Recipe, data: Dataset) -> str:
    """What a checkpoint must be of, to go on from it: the same parameters, network included, and data."""
    mark = sha256(repr(asdict(recipe)).encode())
    for column in (data.user_index, data.item_index, data.timestamp, data.terms.indices, data.terms.data):
        mark.update(np.ascontiguousarray(column).data)
    return mark.hexdigest()
