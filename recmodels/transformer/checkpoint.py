"""The state of a training in a file, so that one that was killed goes on to the same weights."""

import json
import logging
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from recmodels.compute.adam import AdamW
from recmodels.data.dataset import Dataset
from recmodels.transformer.config import TransformerConfig

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a training is; what is counted within an epoch starts again at 0 with the next."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    targets: int = 0
    positions: int = 0
    """Items of histories that were read."""
    padded_positions: int = 0
    """Those, and the padding around them."""
    seconds: float = 0.0
    spent: float = 0.0
    """Seconds since the training began, before a kill included."""
    best: float = -1.0
    best_epoch: int = 0
    final: bool = False
    """Whether what validated is learned from by now, too."""
    last: int = 0
    """The epoch with which that ends."""
    done: bool = False
    epochs: list[dict[str, float]] = field(default_factory=list)

    @property
    def moved(self) -> bool:
        """Whether the weights that are taken are others than those at the beginning."""
        return self.best_epoch > 0 and any(epoch["loss"] for epoch in self.epochs)


@dataclass
class TrainingState:
    """All that a training goes on from: weights, their average, the best so far, the optimizer, and the progress."""

    model: nn.Module
    averaged: AveragedModel
    optimizer: AdamW
    best: dict[str, Tensor]
    progress: Progress = field(default_factory=Progress)


class Checkpoint:
    """A safetensors file with a `TrainingState`, for one configuration and one dataset."""

    def __init__(self, file: Path, config: TransformerConfig, data: Dataset) -> None:
        self.file, self.fingerprint = file, _fingerprint(config, data)

    def save(self, state: TrainingState) -> None:
        """Write the file; a kill leaves the last one whole."""
        tensors = {f"model.{name}": tensor for name, tensor in state.model.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in state.averaged.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
        for parameter, moments in state.optimizer.state.items():
            tensors |= {f"optimizer.{parameter}.{name}": tensor for name, tensor in moments.items()}
        metadata = {"fingerprint": self.fingerprint, "progress": json.dumps(asdict(state.progress))}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix(".part")
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata)
        part.replace(self.file)

    def restore(self, state: TrainingState, device: torch.device) -> None:
        """Set `state` to what the file holds, if it is there and of the same configuration and data."""
        if not self.file.exists():
            return
        with safe_open(self.file, "pt", device=str(device)) as stored:
            metadata, names = stored.metadata(), stored.keys()
            if metadata.get("fingerprint") != self.fingerprint:
                log.info("%s is of other data or parameters; the training starts afresh.", self.file)
                return
            parts: dict[str, dict[str, Tensor]] = {}
            for part, _, name in (name.partition(".") for name in names):
                parts.setdefault(part, {})[name] = stored.get_tensor(f"{part}.{name}")
        state.model.load_state_dict(parts["model"])
        state.averaged.load_state_dict(parts["averaged"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts.get("optimizer", {}).items():
            parameter, _, moment = name.partition(".")
            moments.setdefault(int(parameter), {})[moment] = tensor
        state.optimizer.state = moments
        state.best, state.progress = parts["best"], Progress(**json.loads(metadata["progress"]))
        log.info("Resumed from %s: epoch %d, step %d.", self.file, state.progress.epoch + 1, state.progress.step)


def seconds_spent(file: Path) -> float:
    """How long the training in a checkpoint had taken by then; 0 where there is none."""
    if not file.exists():
        return 0.0
    with safe_open(file, "pt") as stored:
        return Progress(**json.loads(stored.metadata()["progress"])).spent


def _fingerprint(config: TransformerConfig, data: Dataset) -> str:
    """A digest of all parameters and of the data."""
    digest = sha256(repr(asdict(config)).encode())
    columns = [data.user_index, data.item_index, data.timestamp, data.terms.indices, data.terms.data]
    columns += [] if data.item_vectors is None else [data.item_vectors]
    columns += [] if data.domains is None else [data.domains.codes]
    for column in columns:
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()
