"""Ten models of a million users at k = 50, measured and compared: ``python -m tests.benchmarks.evaluation``.

What a night does once the lists are there: read them, all metrics with intervals, slices, per-user Parquet, and the
gate. Lists and truth are random, with popular items more likely; the models' lists differ. A process for each number
of users, so that peaks are its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.compute import memory
from tasks.compare.decision import Incumbent
from tasks.compare.gate import against_baseline, decide
from tasks.compare.settings import GateSettings
from tasks.compare.stage import per_user
from tasks.evaluate.stage import write_metrics
from tasks.train.settings import EvaluationSettings

K, ITEMS, TRUTH = 50, 50_000, 5


def write_site(folder: Path, n: int, rng: np.random.Generator) -> None:
    """The prepared tables and features of `n` users who all have something held out."""
    count = (1e6 / np.arange(1, ITEMS + 1)).astype(np.int64)
    pq.write_table(
        pa.table({"item_index": np.arange(ITEMS, dtype=np.int32), "available": np.ones(ITEMS, bool)}),
        folder / "items.parquet",
    )
    pq.write_table(pa.table({"user_index": np.arange(n, dtype=np.int32)}), folder / "users.parquet")
    user = np.repeat(np.arange(n, dtype=np.int32), TRUTH)
    item = popular(rng, n * TRUTH)
    pq.write_table(pa.table({"user_index": user, "item_index": item}), folder / "holdout.parquet")
    pq.write_table(pa.table({"interactions": count}), folder / "item_features.parquet")
    activity = {"interactions": rng.integers(0, 40, n), "age_days": rng.random(n).astype(np.float32) * 90}
    pq.write_table(pa.table(activity), folder / "user_features.parquet")


def popular(rng: np.random.Generator, n: int) -> np.ndarray:
    return (ITEMS * rng.random(n) ** 3).astype(np.int32)


def write_lists(folder: Path, n: int, rng: np.random.Generator) -> None:
    """Lists of different items: a popular one to begin with, then steps that share no factor with the catalogue."""
    rank = np.arange(K, dtype=np.int32)
    items = (popular(rng, n)[:, None] + rank * rng.integers(1, 900, n, dtype=np.int32)[:, None]) % ITEMS
    table = {
        "user_index": np.repeat(np.arange(n, dtype=np.int32), K),
        "rank": np.tile((rank + 1).astype(np.int16), n),
        "item_index": items.astype(np.int32).ravel(),
    }
    pq.write_table(pa.table(table), folder / "lists.parquet")


def measure(n: int, models: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, rng = Path(name), np.random.default_rng(0)
        write_site(folder, n, rng)
        seconds, summaries, values = 0.0, {}, {}
        for model in map(str, range(models)):
            out = folder / model
            out.mkdir()
            write_lists(out, n, rng)
            started = time.perf_counter()
            summaries[model] = write_metrics(out, folder, EvaluationSettings(k=K), 0, out, folder)
            seconds += time.perf_counter() - started
            (out / "lists.parquet").unlink()
        started = time.perf_counter()
        for model in summaries:
            value = per_user(folder / model)
            assert value is not None
            values[model] = value
        incumbent = Incumbent(name="0", published_as="0", export_id="x", recommender="als", params={})
        decide(GateSettings(), summaries, values, incumbent, {})
        against_baseline("1", values, GateSettings())
        gate = time.perf_counter() - started
    print(json.dumps({"users": n, "measured_s": seconds, "gate_s": gate, "peak_mb": memory.peak() / 1e6}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, nargs="+", default=[125_000, 250_000, 500_000, 1_000_000])
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--one", type=int)
    given = parser.parse_args()
    if given.one:
        measure(given.one, given.models)
        return
    for n in given.users:
        command = [sys.executable, "-m", "tests.benchmarks.evaluation", "--one", str(n), "--models", str(given.models)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
