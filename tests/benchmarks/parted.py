"""Models trained in one piece and in parts: ``python -m tests.benchmarks.parted [MODEL ...]``.

All learn from the demo generator's site (5 million interactions, a tenth of pairs held out), each in a fresh process on
this machine's engine. Printed are the CPU seconds of fitting, the most memory that it held, and the share of the
held-out pairs that lists of 50 for 20,000 users find.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.benchmarks.models import LISTED, recall, write
from tests.benchmarks.quality import parse

MODELS = ("als", "item_knn", "graph_filter:rank=64,neighbors=200")
K = 50


def fit(folder: Path, model: str, parts: Path | None) -> dict[str, float]:
    """Fit a model here, and make lists."""
    from recmodels import registry
    from recmodels.compute import memory
    from recmodels.data.dataset import Dataset
    from recmodels.options import FitOptions

    name, parameters = parse(model)
    arrays = {part: np.load(folder / f"{part}.npy") for part in ("user", "item", "shape", "tested")}
    n_users, n_items = arrays["shape"].tolist()
    data = Dataset.from_arrays(arrays["user"], arrays["item"], n_users=n_users, n_items=n_items)
    recommender = registry.create(name, parameters, seed=0)
    began = time.process_time()
    with memory.peak_within() as peak:
        recommender.fit(data, FitOptions(parts=parts))
    seconds = time.process_time() - began
    np.save(folder / "found.npy", recommender.recommend(data, arrays["tested"][:LISTED], K).items)
    return {"cpu": seconds, "peak": peak.n_bytes}


def measured(folder: Path, model: str, in_parts: bool) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.parted", model, "--folder", str(folder)]
    command += ["--in-parts"] if in_parts else []
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found | {"recall": recall(folder) or 0.0}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--interactions", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--in-parts", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        with TemporaryDirectory(dir=given.folder) as parts:
            print(json.dumps(fit(given.folder, given.models[0], Path(parts) if given.in_parts else None)))
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, users=given.interactions // 50, items=50_000, interactions=given.interactions)
        print("| model | CPU, one piece | in parts | memory, one piece | in parts | recall, one piece | in parts |")
        print("|---|---|---|---|---|---|---|")
        for model in given.models:
            ways = [measured(folder, model, in_parts) for in_parts in (False, True)]
            cells = [f"{way['cpu']:.1f} s" for way in ways] + [f"{way['peak'] / 2**20:,.0f} MiB" for way in ways]
            print(f"| {model} | {' | '.join(cells + [format(way['recall'], '.4f') for way in ways])} |", flush=True)


if __name__ == "__main__":
    main()
