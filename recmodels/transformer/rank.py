"""One of the processes that train a transformer together, on whatever machine each of them is.

`python -m recmodels.transformer.rank JOB.json` takes a JSON file (`Job`), meets the others where it says, and trains
with them; the first one leaves what is trained. It is a process of its own, so that it can be killed: a GPU's memory
and the connections of a training are gone only with their process.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from recmodels.data.arrays import empty_matrix
from recmodels.data.dataset import Dataset
from recmodels.data.domains import Domains
from recmodels.data.layout import no_terms
from recmodels.errors import NightrecError
from recmodels.options import FitOptions
from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr
from recmodels.parted.training import Arrays
from recmodels.supervised import WATCH, watch_stdin, write_result
from recmodels.transformer.config import TransformerConfig
from recmodels.transformer.delivery import Sender
from recmodels.transformer.distributed import train_together
from recmodels.transformer.rank_process import FAILED, REFUSED, Job
from recmodels.transformer.warm_start import Start

COLUMNS = ("user_index", "item_index", "timestamp", "weight")
TERMS, VECTORS, DOMAINS = "terms_", "item_vectors", "domains"
KNOWN = "known_until"
PARTS = ("parameters", "tables", "rows", "teachers")  # of a `Start`: arrays by name
JOIN = timedelta(minutes=10)
"""In which all processes must have begun."""


def arrays_of(data: Dataset) -> Arrays:
    """The arrays that a training reads of a dataset."""
    vectors = {} if data.item_vectors is None else {VECTORS: data.item_vectors}
    domains = {} if data.domains is None else {DOMAINS: data.domains.codes}
    return {name: getattr(data, name) for name in COLUMNS} | csr_arrays(data.terms, TERMS) | vectors | domains


def counts_of(data: Dataset) -> dict[str, int]:
    """The numbers that it reads besides."""
    return {"n_users": data.n_users, "n_items": data.n_items, "end": data.end}


def save_start(start: Start, path: Path) -> None:
    """Write what a training starts from."""
    parts = {name: getattr(start, name) for name in PARTS}
    arrays = {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
    known = [] if start.known_until is None else [start.known_until]
    save_file(arrays | {KNOWN: np.array(known, np.int64)}, path)


def load_start(path: Path) -> Start:
    """Read what `save_start` has written."""
    parts: dict[str, Any] = {name: {} for name in PARTS}
    arrays = load_file(path)
    known = arrays.pop(KNOWN)
    for key, array in arrays.items():
        part, _, name = key.partition(".")
        parts[part][name] = array
    return Start(**parts, known_until=int(known[0]) if len(known) else None)


def run(job: Job) -> None:
    """Train together with the other processes.

    Raises:
        NightrecError: the training is refused, or diverges.
        RuntimeError: another process is lost, or does not come.
    """
    folder = Path(job.data)
    columns: dict[str, Any] = {name: mapped(folder, name) for name in COLUMNS} | dict(job.counts)
    n_users, n_items = job.counts["n_users"], job.counts["n_items"]
    data = Dataset(
        **columns, rating=None, rated=None, terms=mapped_csr(folder, TERMS),
        user_terms=no_terms(n_users), seen=empty_matrix(n_users, n_items),
        item_vectors=mapped(folder, VECTORS) if (folder / f"{VECTORS}.npy").exists() else None,
        domains=Domains(tuple(job.domains), mapped(folder, DOMAINS)) if job.domains else None,
    )  # fmt: skip
    options = FitOptions(**job.options, checkpoint=Path(job.checkpoint))
    if job.rank == 0:
        Sender(Path(job.checkpoint), job.host, job.port).start()
    store = TCPStore(job.host, job.port, job.world, is_master=False, timeout=JOIN)
    train_together(
        job.rank, job.world, TransformerConfig(**job.config), data, options, job.device,
        load_start(Path(job.start)) if job.start else None, Path(job.out), store=store,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Do the job named in the arguments; the exit code says how it ended."""
    if WATCH in arguments:
        watch_stdin(FAILED)
    (path,) = (argument for argument in arguments if argument != WATCH)
    job = Job(**json.loads(Path(path).read_text()))
    try:
        run(job)
    except NightrecError as error:
        write_result(Path(job.result), {"error": str(error)})
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
