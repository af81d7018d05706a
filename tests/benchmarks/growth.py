"""Seconds and memory of every model as a site grows: ``python -m tests.benchmarks.growth [MODEL …] --sites FOLDER …``.

FOLDER is what ``nightrec demo FOLDER --interactions N --files M`` wrote; its features are prepared once, in ``--work``.
Each model is fitted in a fresh process on each site, and makes lists of 100 for the first 2,048 users. Printed are the
seconds and the CPU seconds of the fit, the seconds of the lists, the most memory that the process takes, and what
`process_memory` says of it beforehand; and how both grow with the pairs: the exponent e of pairs^e between a site and
the one before. ``--out`` keeps it all as JSON, a list of objects; rows that are there
already are kept, so that a size may be added later. ``--minutes`` is the time of trainings in epochs.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from recmodels import registry
from recmodels.compute import memory
from recmodels.data.dataset import Dataset
from recmodels.options import FitOptions
from tests.benchmarks.quality import parse

K, LISTED = 100, 2**11
MODELS = (
    "popularity", "item_knn", "als", "graph_filter", "ease:method=approximate", "hybrid", "bpr", "content",
    "transformer:loss=sampled",
)  # fmt: skip


def here(features: Path, model: str, minutes: float | None) -> dict[str, Any]:
    """Fit one model in this process, and make lists."""
    name, parameters = parse(model)
    recommender = registry.create(name, parameters, seed=0, note=False)
    if recommender.needs_torch:
        import torch  # noqa: F401  # not counted: it takes the same memory for any data
    import recmodels.compute.jit
    import recmodels.ranking.product_search  # noqa: F401

    empty = memory.peak()
    start = time.perf_counter()
    data = Dataset.load(features, "full")
    loading = time.perf_counter() - start
    load_peak = memory.peak()
    loaded = _reset_peak()
    n_items = len(np.unique(data.item_index))
    start, cpu = time.perf_counter(), time.process_time()
    recommender.fit(data, registry.fit_options(name, parameters, FitOptions(minutes=minutes)))
    fitted, fit_cpu, fit_peak = time.perf_counter(), time.process_time(), memory.peak()
    recommender.recommend(data, range(min(LISTED, data.n_users)), K)
    return {
        "users": data.n_users,
        "items": n_items,
        "pairs": len(data),
        "load_seconds": loading,
        "load_bytes": load_peak - empty,
        "data_bytes": loaded - empty,
        "fit_seconds": fitted - start,
        "fit_cpu": fit_cpu - cpu,
        "list_seconds": time.perf_counter() - fitted,
        "fit_bytes": fit_peak - loaded,
        "bytes": memory.peak() - loaded,
        "peak": max(load_peak, memory.peak()),
        "needed": recommender.memory_needed(data.n_users, n_items, len(data)),
        "process": recommender.process_memory(data.n_users, n_items, len(data)),
    }


def _reset_peak() -> int:
    """Let `memory.peak` begin anew (Linux); returns what the process holds now."""
    memory.give_back()
    Path("/proc/self/clear_refs").write_text("5")
    return memory.peak()


def apart(features: Path, model: str, minutes: float | None) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", model, "--here", str(features)]
    command += [] if minutes is None else ["--minutes", str(minutes)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=os.environ)
    if ran.returncode:
        return {"failed": ran.returncode}
    row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return row


def exponent(row: dict[str, Any], before: dict[str, Any] | None, figure: str) -> str:
    """How steeply a figure grows with the pairs."""
    if before is None or "failed" in before or min(row[figure], before[figure]) <= 0:
        return ""
    return f"{math.log(row[figure] / before[figure]) / math.log(row['pairs'] / before['pairs']):.2f}"


def main(arguments: list[str] | None = None) -> int:
    """Print a row a model and site."""
    options = _options(arguments)
    if options.here:
        print(json.dumps(here(options.here, options.models[0], options.minutes)))
        return 0
    from tests.benchmarks.demo_features import write_features

    rows: list[dict[str, Any]] = json.loads(options.out.read_text()) if options.out and options.out.exists() else []
    print("| model | pairs | load s | fit s | CPU s | e | lists s | peak MB | e | expected / peak |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for model in options.models or MODELS:
        before = None
        for site in options.sites:
            features = options.work / site.name
            if not features.exists():
                write_features(site, features)
            row = {"model": model, "site": site.name} | apart(features, model, options.minutes)
            rows = [one for one in rows if (one["model"], one["site"]) != (model, site.name)] + [row]
            print(_line(row, before), flush=True)
            before = row
            if options.out:
                options.out.write_text(json.dumps(rows, indent=1))
    return 0


def _line(row: dict[str, Any], before: dict[str, Any] | None) -> str:
    if "failed" in row:
        return f"| {row['model']} on {row['site']} | failed: {row['failed']} |"
    return (
        f"| {row['model']} | {row['pairs']:,} | {row['load_seconds']:.1f} | {row['fit_seconds']:.1f} "
        f"| {row['fit_cpu']:.1f} | {exponent(row, before, 'fit_cpu')} | {row['list_seconds']:.1f} "
        f"| {row['peak'] / 1e6:,.0f} | {exponent(row, before, 'peak')} | {row['process'] / row['peak']:.2f} |"
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"name:parameter=value,…; default: {MODELS}")
    parser.add_argument("--sites", nargs="+", type=Path, default=[], metavar="FOLDER", help="from small to large")
    parser.add_argument("--work", type=Path, default=Path("growth"), help="where features are prepared [growth]")
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
