"""One of the processes that train a transformer together, as a bucket of the engine: started, watched, ended with it.

Whoever works on a bucket imports this module, and no PyTorch: that is for the process (`rank`) to do.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recmodels.compute.cores import threads
from recmodels.engine.work import Work
from recmodels.errors import NightrecError
from recmodels.supervised import WATCH, ended

PROGRAM = "recmodels.transformer.rank"
"""The module of the process."""
FAILED, REFUSED = 1, 3
"""Its exit codes."""
START = "start.safetensors"
ROOT = Path(__file__).parents[2]
LAST_LINES = 2**12  # bytes


class ProcessLost(NightrecError):
    """A process of a training has ended before it was done: killed, or as it has lost another one."""


@dataclass(frozen=True)
class Job:
    """What a process is to do, as JSON can say it.

    Attributes:
        rank: its number, from 0.
        world: how many processes there are.
        host, port: where they meet.
        device: that it computes on, `cpu` or `cuda`.
        config: the hyper-parameters.
        options: the times of `FitOptions`.
        checkpoint: file of its own that it resumes from, if it is there; that of the first process is sent whenever it
            has been written.
        counts: users, items, and the end of the data.
        data: folder of its arrays, see `arrays_of`.
        out: folder that the first process writes to.
        result: file that says what went wrong, where a training is refused.
        start: file of what the training starts from, see `save_start`; None: from nothing.
        domains: names of the site's, if it has several; each item's is among the arrays.
    """

    rank: int
    world: int
    host: str
    port: int
    device: str
    config: Mapping[str, Any]
    options: Mapping[str, Any]
    checkpoint: str
    counts: Mapping[str, int]
    data: str
    out: str
    result: str
    start: str | None = None
    domains: Sequence[str] = ()


def train_rank(work: Work) -> None:
    """One process of a training, from its start to its end.

    Raises:
        NightrecError: the training is refused, or diverges.
        ProcessLost: it was killed, or another one was.
    """
    number, world = work.arguments["rank"], work.arguments["world"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = folder / "checkpoint"
        if "checkpoint" in work.inputs:
            checkpoint.symlink_to(work.inputs["checkpoint"].absolute())  # it is replaced here, not there
        files: dict[str, Any] = {"data": str(work.inputs["data"]), "checkpoint": str(checkpoint), "out": str(work.out)}
        files |= {"start": str(work.inputs["start"] / START)} if "start" in work.inputs else {}
        job = Job(**work.arguments, **files, result=str(folder / "result.json"))
        (folder / "job.json").write_text(json.dumps(asdict(job)))
        environment = os.environ | {"OMP_NUM_THREADS": str(threads())}
        if job.device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = ""
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", PROGRAM, str(folder / "job.json"), WATCH],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, env=environment,
            )  # fmt: skip
            try:
                code = ended(process)
            finally:  # the engine may have been told to stop
                process.kill()
                process.wait()
        if code == REFUSED:
            raise NightrecError(json.loads((folder / "result.json").read_text())["error"])
        if code != 0:
            said = (folder / "log").read_bytes()[-LAST_LINES:].decode(errors="replace").strip().splitlines()
            last = said[-1] if said else "it left no message"
            how = f"was killed by signal {-code}" if code < 0 else f"ended: {last}"
            raise ProcessLost(f"its process {number + 1} of {world} on {socket.gethostname()} {how}")
