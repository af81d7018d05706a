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

from recmodels.data.dataset import Dataset
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.transformer.config import TransformerConfig
from recmodels.transformer.trained import Trained
from recmodels.transformer.training import train as train_on_one
from recmodels.transformer.warm_start import Start

TIMEOUT = timedelta(minutes=30)  # after which a device takes the others for lost
PARAMETERS, EPOCHS, FAILURE = "parameters.safetensors", "epochs.json", "failure.txt"
ITEM_VECTORS, TABLE = "item_vectors", "table."


def train(
    config: TransformerConfig, data: Dataset, options: FitOptions, devices: list[str], start: Start | None = None
) -> Trained:
    """As `training.train`, on all `devices`. Raises NightrecError with the message of the first that failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            spawn(_train, (config, data, options, devices, start, folder), nprocs=len(devices))  # type: ignore[no-untyped-call]
        except ProcessRaisedException as error:
            message = folder / FAILURE
            raise NightrecError(message.read_text() if message.exists() else str(error)) from error
        return read_trained(folder)


def train_together(
    rank: int,
    world: int,
    config: TransformerConfig,
    data: Dataset,
    options: FitOptions,
    device: str,
    start: Start | None,
    folder: Path,
    **rendezvous: Any,
) -> None:
    """The part of one process; that of the first writes what is trained into `folder`, for `read_trained`.

    Args:
        rank: the process, from 0.
        world: how many there are.
        config: of the model.
        data: the same in all processes.
        options: of the training.
        device: of this process.
        start: what the training starts from, if there is anything.
        folder: that the first one writes to.
        rendezvous: where they meet, as `torch.distributed.init_process_group` takes it.
    """
    if rank == 0:
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("recmodels").setLevel(logging.INFO)
    backend = "gloo"
    if torch.device(device).type == "cuda":
        torch.cuda.set_device(torch.device(device))
        backend = "nccl"
    distributed.init_process_group(backend, rank=rank, world_size=world, timeout=TIMEOUT, **rendezvous)
    try:
        trained = train_on_one(config, data, options, device, start)
        if rank == 0:
            tables = {TABLE + name: table for name, table in trained.tables.items()}
            save_file(trained.parameters | tables | {ITEM_VECTORS: trained.item_vectors}, folder / PARAMETERS)
            (folder / EPOCHS).write_text(json.dumps(trained.epochs))
    finally:
        distributed.destroy_process_group()


def read_trained(folder: Path) -> Trained:
    """What the first process of a training has written."""
    parameters = load_file(folder / PARAMETERS)
    tables = {name: parameters.pop(name) for name in list(parameters) if name.startswith(TABLE)}
    vectors, epochs = parameters.pop(ITEM_VECTORS), json.loads((folder / EPOCHS).read_text())
    return Trained(parameters, vectors, epochs, {name.removeprefix(TABLE): one for name, one in tables.items()})


def _train(
    rank: int,
    config: TransformerConfig,
    data: Dataset,
    options: FitOptions,
    devices: list[str],
    start: Start | None,
    folder: Path,
) -> None:
    rendezvous = f"file://{folder / 'rendezvous'}"
    try:
        train_together(
            rank, len(devices), config, data, options, devices[rank], start, folder, init_method=rendezvous
        )  # fmt: skip
    except NightrecError as error:
        (folder / FAILURE).write_text(str(error))
        raise
