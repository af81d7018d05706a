"""How good the transformer is on the papers' data: ``python -m tests.benchmarks.sequences DATA``.

The protocol is theirs: of each user's items, in order of time, the last is tested, the last but one validates (which
ends the training), and the rest is trained on; all items are ranked but those of the user's history (figures
without removal stand beside). The recipe was chosen on the validation items alone. Each seed runs in a fresh process:
seconds are of training steps, without validation, and peak memory is that of the whole process. A parameter may be
changed: ``--set block=ligr,dim=128``, or a limit given: ``--set minutes=60``; ``--validation`` leaves the test items
alone and says what validation was.
"""

import argparse
import json
import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from recmodels.compute import device, memory
from recmodels.metrics.ranking import per_user
from recmodels.options import FitOptions
from recmodels.transformer.model import Transformer
from tests.benchmarks.quality import parse
from tests.benchmarks.splits import FILES, leave_one_out

PLACES = (5, 10, 20)
RECIPE: dict[str, Any] = {
    "dim": 128, "layers": 2, "heads": 2, "max_length": 50, "block": "bsarec", "filter_weight": 0.7, "cutoff": 5,
    "dropout": 0.5, "temperature": 0.07, "loss": "full", "learning_rate": 2e-3, "weight_decay": 0.3, "batch": 1024,
    "ema_decay": 0.998, "patience": 5,
}  # fmt: skip


def figures(items: np.ndarray, wanted: np.ndarray, n_items: int) -> dict[str, float]:
    """HR and NDCG of the lists [n, 20] for the one item that each user wants."""
    n = len(wanted)
    truth = sparse.csr_array((np.ones(n, bool), (np.arange(n), wanted)), shape=(n, n_items))
    found = {}
    for k in PLACES:
        measured = per_user(items[:, :k], truth)
        found |= {f"hr@{k}": float(measured["hit_rate"].mean()), f"ndcg@{k}": float(measured["ndcg"].mean())}
    return found


def measure(name: str, seed: int, changes: dict[str, Any], *, validation: bool) -> dict[str, Any]:
    """Train with one seed here, and measure."""
    data, wanted = leave_one_out(name)
    recipe = RECIPE | changes
    options = FitOptions(minutes=recipe.pop("minutes", None))
    model = Transformer(**recipe, seed=seed)
    start = time.perf_counter()
    model.fit(data, options)
    fitted = time.perf_counter() - start
    epochs = model.epochs_
    row = {
        "data": name, "seed": seed, "parameters": RECIPE | changes, "device": device.name(), "epochs": len(epochs),
        "validation_ndcg@10": max(epoch["ndcg"] for epoch in epochs), "fit_seconds": fitted,
        "epoch_seconds": float(np.mean([epoch["seconds"] for epoch in epochs])),
        "padding": float(np.mean([epoch["padding"] for epoch in epochs])),
    }  # fmt: skip
    if not validation:
        users = np.arange(data.n_users)
        start = time.perf_counter()
        row |= figures(model.recommend(data, users, max(PLACES)).items, wanted, data.n_items)
        row["recommend_seconds"] = time.perf_counter() - start
        kept = model.recommend(data, users, max(PLACES), repeats=True).items
        row |= {f"{name}, kept": value for name, value in figures(kept, wanted, data.n_items).items()}
    return row | {"peak_mb": memory.peak() / 1e6}


def main(arguments: list[str] | None = None) -> int:
    """Print a row a seed, and the mean; the exit code is 1 if one failed."""
    options = _options(arguments)
    changes = parse(f"transformer:{options.set}")[1]
    if options.here:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
        print(json.dumps(measure(options.data, int(options.seeds), changes, validation=options.validation)))
        return 0
    columns = ["validation_ndcg@10"]
    if not options.validation:
        columns += [f"{metric}@{k}" for metric in ("hr", "ndcg") for k in PLACES] + ["hr@10, kept", "ndcg@10, kept"]
    print("| seed | " + " | ".join(columns) + " | s an epoch | epochs | fit s | padding | peak MB |")
    print("|---" * (len(columns) + 6) + "|", flush=True)
    rows: list[dict[str, Any]] = []
    for seed in options.seeds.split(","):
        own = [options.data, "--seeds", seed, "--set", options.set, *["--validation"] * options.validation, "--here"]
        command = [sys.executable, "-m", "tests.benchmarks.sequences", *own]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if ran.returncode != 0:
            print(f"seed {seed} failed (exit code {ran.returncode}); what it said is above.", file=sys.stderr)
            return 1
        rows.append(json.loads(ran.stdout.splitlines()[-1]))
        _print(seed, rows[-1], columns)
    if len(rows) > 1:
        measured = [column for column, value in rows[0].items() if isinstance(value, int | float)]
        _print("mean", {column: float(np.mean([row[column] for row in rows])) for column in measured}, columns)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


def _print(label: str, row: dict[str, Any], columns: list[str]) -> None:
    quality = " | ".join(f"{row[column]:.4f}" for column in columns)
    costs = f"{row['epoch_seconds']:.1f} | {row['epochs']:.0f} | {row['fit_seconds']:.0f}"
    print(f"| {label} | {quality} | {costs} | {row['padding']:.3f} | {row['peak_mb']:.0f} |", flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sequences", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", choices=FILES, help="the data set")
    parser.add_argument("--seeds", default="1", metavar="1,2,3", help="one run each; default: 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    parser.add_argument("--set", default="", metavar="PARAMETER=VALUE,...", help="changes to the recipe")
    parser.add_argument("--validation", action="store_true", help="measure on the validation items alone")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
