"""An epoch of the transformer beside RecTools' SASRec: ``python -m tests.benchmarks.epochs DATA --peers PYTHON``.

DATA is beauty (the protocol of `tests.benchmarks.sequences`) or ml1m (that of `tests.benchmarks.splits`). Both have the
same dimensions, blocks, heads, length, dropout and loss, train on the same interactions (those that validate our
training are held back from both), and run one after the other, each in a fresh process; batches are each one's
default, on ml1m 4,096 items of ours; theirs are 128 users.
Not the same: theirs takes the last items of a long history, ours all, in parts (hence the ratio of seconds a target);
theirs draws negatives for each position, ours for each step; our inner layer is four times as wide as theirs.

Seconds are the median of the epochs after the first (the first, where there is but one); ours are of steps, without
validation. Peak memory is that of the whole process, data included. Ratios are of ours to RecTools'. PYTHON has it, in
an environment of its own: ``python -m venv peers; peers/bin/pip install torch==2.13.0 'rectools[torch]==0.19.0'``.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from recmodels.compute import memory
from recmodels.data.dataset import Dataset
from recmodels.transformer.model import Transformer
from recmodels.transformer.sequences import TrainingSequences, validation_rows
from tests.benchmarks.splits import leave_one_out, movielens_1m

BEAUTY: dict[str, Any] = {"dim": 64, "layers": 2, "heads": 2, "max_length": 50, "dropout": 0.2}
CASES: dict[str, dict[str, dict[str, Any]]] = {  # by the data and the loss
    "beauty": {"full": BEAUTY, "sampled": BEAUTY | {"negatives": 64}},
    "ml1m": {"full": BEAUTY | {"dim": 128, "max_length": 100, "batch": 4096}},
}
THEIRS = {  # what RecTools calls our parameters, and our losses
    "dim": "n_factors", "layers": "n_blocks", "heads": "n_heads", "max_length": "session_max_len",
    "dropout": "dropout_rate", "negatives": "n_negatives", "full": "softmax", "sampled": "sampled_softmax",
}  # fmt: skip
SLOW = "beauty", "full"  # minutes an epoch of RecTools: by default there is one


def training_data(data: str) -> Dataset:
    """The training window of the data set."""
    return leave_one_out(data)[0] if data == "beauty" else movielens_1m().train


def model(data: str, loss: Any, epochs: int) -> Transformer:
    """Our side of a case."""
    return Transformer(**CASES[data][loss], block="sasrec", loss=loss, epochs=epochs)


def ours(data: str, loss: str, epochs: int) -> dict[str, Any]:
    """Train here."""
    import torch

    trained = model(data, loss, epochs).fit(training_data(data))
    seconds = [epoch["seconds"] for epoch in trained.epochs_]
    return {"seconds": seconds, "peak": memory.peak(), "threads": torch.get_num_threads()}


def main(arguments: list[str] | None = None) -> int:
    """Print a row a loss."""
    options = _options(arguments)
    if options.here:
        print(json.dumps(ours(options.data, options.loss, options.epochs)))
        return 0
    print("| case | ours s/epoch (first) | RecTools | ratio (a target) | targets | RecTools | peak MB | RecTools |")
    print("|---" * 8 + "|", flush=True)
    rows = []
    for loss in CASES[options.data] if options.loss is None else [options.loss]:
        rows.append(row := _beside(options, loss))
        pair = row["ours"], row["rectools"]
        times = " | ".join(f"{side['epoch']:.2f} ({side['seconds'][0][0]:.2f})" for side in pair)
        counts = " | ".join(f"{side['targets']:,}" for side in pair)
        peaks = " | ".join(f"{side['peak'] / 1e6:,.0f}" for side in pair)
        ratios = f"{row['ratio']:.3f} ({row['ratio_a_target']:.3f})"
        print(f"| {options.data}, {loss} | {times} | {ratios} | {counts} | {peaks} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


def _beside(options: argparse.Namespace, loss: str) -> dict[str, Any]:
    """Ours and RecTools' in turns: seconds by turn and epoch, and the figures that are printed."""
    parameters = CASES[options.data][loss]
    own = [options.data, "--loss", loss, "--epochs", str(options.epochs), "--here"]
    theirs = {THEIRS[name]: value for name, value in parameters.items() if name in THEIRS} | {"loss": THEIRS[loss]}
    epochs = options.peer_epochs or (1 if (options.data, loss) == SLOW else 3)
    data = training_data(options.data)
    sequences = TrainingSequences(
        model(options.data, loss, 1), data, validation_rows(data, None), parameters["max_length"]
    )
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "rectools": []}
    with TemporaryDirectory() as folder:
        np.save(Path(folder, "user.npy"), sequences.users)
        np.save(Path(folder, "item.npy"), sequences.items)
        script = Path(__file__).with_name("peers_sequences.py")
        peer = [options.peers, str(script), folder, json.dumps(theirs), str(epochs)]
        for _ in range(options.turns):
            runs["ours"].append(_apart([sys.executable, "-m", "tests.benchmarks.epochs", *own], options.threads))
            runs["rectools"].append(_apart(peer, options.threads))
    targets = int((sequences.ends - sequences.starts).sum())
    row: dict[str, Any] = {"data": options.data, "loss": loss, "parameters": parameters}
    for side, turns in runs.items():
        seconds = [run["seconds"] for run in turns]
        epoch = median([later for first, *rest in seconds for later in rest or [first]])
        row[side] = {
            "epoch": epoch, "seconds": seconds, "targets": turns[0].get("targets", targets),
            "peak": max(run["peak"] for run in turns), "threads": turns[0]["threads"],
        }  # fmt: skip
    ratio, more = (row["ours"][name] / row["rectools"][name] for name in ("epoch", "targets"))
    return row | {"ratio": ratio, "ratio_a_target": ratio / more}


def _apart(command: list[str], threads: int) -> dict[str, Any]:
    """What a process of its own prints last."""
    environment = os.environ | {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "MKL", "OPENBLAS")}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return row


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.epochs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", choices=CASES, help="the data set")
    parser.add_argument("--peers", default="peers/bin/python", metavar="PYTHON", help="a Python that has RecTools")
    parser.add_argument("--loss", choices=("full", "sampled"), help="this case alone; default: all of the data set")
    parser.add_argument("--epochs", type=int, default=3, help="ours; default: 3")
    parser.add_argument("--peer-epochs", type=int, metavar="N", help="default: 3; of beauty with the full softmax, 1")
    parser.add_argument("--turns", type=int, default=1, help="how often both are run, one after the other")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
