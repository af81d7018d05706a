"""One training on several machines: a process on each GPU, or on each node without any, as tasks of the engine.

They meet at a store of this process, and share each step as the devices of one machine do (`distributed`). Where one of
them is lost, the others end, and all go on from the last checkpoint, which the first has sent here (`delivery`).
"""

import shutil
import socket
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from recmodels.data.dataset import Dataset
from recmodels.engine.watching import watcher
from recmodels.engine.work import Bucket, Machines, Needs
from recmodels.errors import NightrecError
from recmodels.options import Device, FitOptions
from recmodels.parted.training import PartedTraining, made, parted_training
from recmodels.transformer import rank
from recmodels.transformer.checkpoint import seconds_spent
from recmodels.transformer.config import TransformerConfig
from recmodels.transformer.delivery import Receiver
from recmodels.transformer.distributed import read_trained
from recmodels.transformer.rank_process import START, ProcessLost, train_rank
from recmodels.transformer.trained import Trained
from recmodels.transformer.warm_start import Start

RESTARTS = 5
"""How often a training goes on after it has lost a process."""


@dataclass(frozen=True)
class Team:
    """The processes of a training.

    Attributes:
        size: how many.
        device: that each computes on: `cuda`, or `cpu`.
        needs: of each.
        host: address of this machine, as theirs see it.
    """

    size: int
    device: str
    needs: Needs
    host: str

    @classmethod
    def of(cls, machines: Machines, device: Device = "auto", gpus: int | None = None) -> "Team":
        """One on each GPU, or on each node where there is none; nobody but this process on this machine alone.

        Args:
            machines: of the engine.
            device, gpus: see `FitOptions`. With `gpu` there may be none yet: nodes join as they are asked for.
        """
        there = int(machines.gpus)
        if machines.kind == "local" or device == "cpu":
            size = 0
        elif device == "gpu":
            size = gpus or max(there, 1)
        else:
            size = min(there, gpus or there)
        if size:
            needs = Needs(cores=max(1.0, machines.cores // max(size, there)), gpus=1)
        else:
            size = machines.nodes
            needs = Needs(cores=max(1.0, machines.cores // size))
        return cls(size, "cuda" if needs.gpus else "cpu", needs, _own_address(machines.address))


def train(
    config: TransformerConfig, data: Dataset, options: FitOptions, team: Team, start: Start | None = None
) -> Trained:
    """As `training.train`, by a team.

    Raises:
        NightrecError: as there, or too many processes were lost.
    """
    made_from = {"parameters": asdict(config), "terms": sha256(np.ascontiguousarray(data.terms.data).data).hexdigest()}
    if data.item_vectors is not None:
        made_from["vectors"] = sha256(np.ascontiguousarray(data.item_vectors).data).hexdigest()
    if data.domains is not None:
        made_from["domains"] = sha256(np.ascontiguousarray(data.domains.codes).data).hexdigest()
    with parted_training(options.parts, "transformer", data, made_from) as training:
        assert training is not None
        inputs = {"data": training.keep("arrays", lambda: rank.arrays_of(data))}
        if start is not None:
            write = lambda out: rank.save_start(start, out / START)  # noqa: E731
            inputs["start"] = made(training.folder / "start", f"{training.key} start", write)
        arguments: dict[str, Any] = {
            "config": asdict(config),
            "counts": rank.counts_of(data),
            "domains": [] if data.domains is None else list(data.domains.names),
            "options": {
                "minutes": options.minutes,
                "checkpoint_minutes": options.checkpoint_minutes,
                "listed": options.listed,
                "list_minutes": options.list_minutes,
            },
        }
        checkpoint = options.checkpoint or training.folder / "checkpoint"
        began, before = time.monotonic(), seconds_spent(checkpoint)
        for attempt in range(RESTARTS + 1):
            if attempt and options.minutes is not None:  # the time of what was done since that checkpoint is over
                lost = time.monotonic() - began - max(0.0, seconds_spent(checkpoint) - before)
                arguments["options"]["minutes"] = max(0.0, options.minutes - lost / 60)
            if checkpoint.exists():
                inputs["checkpoint"] = training.folder / f"resumed-{attempt}"  # the same for all, while later ones come
                shutil.copyfile(checkpoint, inputs["checkpoint"])
            try:
                return _attempt(training, team, inputs, arguments, attempt, checkpoint)
            except ProcessLost as lost:
                if attempt == RESTARTS:
                    raise NightrecError(f"The transformer has lost processes {RESTARTS + 1} times: {lost}") from lost
                watcher().noted(f"The transformer's training goes on from its last checkpoint: {lost}")
    raise AssertionError


def _attempt(
    training: PartedTraining,
    team: Team,
    inputs: dict[str, Path],
    arguments: dict[str, Any],
    attempt: int,
    checkpoint: Path,
) -> Trained:
    """Train to the end, unless a process is lost. Raises ProcessLost."""
    store = TCPStore(team.host, 0, is_master=True, wait_for_workers=False, timeout=rank.JOIN)
    meeting = {"world": team.size, "host": team.host, "port": store.port, "device": team.device}
    buckets = [Bucket(f"{i:04}", dict(inputs), arguments | meeting | {"rank": i}) for i in range(team.size)]
    with Receiver(checkpoint, team.host, store.port):
        first, *_ = training.map(train_rank, buckets, f"attempt-{attempt}", needs=team.needs)
    del store  # which the processes need until they are done
    return read_trained(first)


def _own_address(cluster: str | None) -> str:
    """The address of this machine on the way to a cluster's; its own where there is none."""
    host = (cluster or "").rpartition("//")[2].rpartition(":")[0].strip("[]")
    if not host:
        return "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((host, 9))  # nothing is sent
        address: str = way.getsockname()[0]
        return address
