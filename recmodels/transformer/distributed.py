"""One training on several devices, a process each: all of them hold the same weights, and share the work of a step."""

import json
import logging
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file, save_file
from torch import distributed
from torch.multiprocessing.spawn import ProcessRaisedException, spawn

from recmodels.data.arrays import Floats
from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions

PATIENCE = timedelta(minutes=30)  # that one device waits for the others, before it takes them for lost
LEARNT, EPOCHS, REFUSED = "learnt.safetensors", "epochs.json", "refused"


def train(
    model: Any, data: Dataset, options: FitOptions, devices: list[str]
) -> tuple[dict[str, Floats], list[dict[str, float]]]:
    """As `training.train`, on all `devices`. Raises NightrecError with the words of the first that failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            spawn(_train, (model, data, options, devices, folder), nprocs=len(devices))  # type: ignore[no-untyped-call]
        except ProcessRaisedException as error:
            said = folder / REFUSED
            raise NightrecError(said.read_text() if said.exists() else str(error)) from error
        return load_file(folder / LEARNT), json.loads((folder / EPOCHS).read_text())


def _train(rank: int, model: Any, data: Dataset, options: FitOptions, devices: list[str], folder: Path) -> None:
    from recmodels.transformer import training

    if rank == 0:
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("recmodels").setLevel(logging.INFO)
    where = torch.device(devices[rank])
    backend = "gloo"
    if where.type == "cuda":
        torch.cuda.set_device(where)
        backend = "nccl"
    meeting = f"file://{folder / 'meeting'}"
    distributed.init_process_group(backend, init_method=meeting, rank=rank, world_size=len(devices), timeout=PATIENCE)
    try:
        learnt, epochs = training.train(model, data, options, devices[rank])
        if rank == 0:
            save_file(learnt, folder / LEARNT)
            (folder / EPOCHS).write_text(json.dumps(epochs))
    except NightrecError as error:
        (folder / REFUSED).write_text(str(error))
        raise
    finally:
        distributed.destroy_process_group()
