"""How good and how costly each model is on real data: ``python -m tests.benchmarks.quality DATA [MODEL ...]``.

DATA is gowalla, ml1m or movielens-small (see `tests.benchmarks.splits` for the protocols), or the folder of a demo site
(what ``nightrec demo FOLDER`` wrote), whose last seven days are tested by 10,000 users. A MODEL is a name of the
registry, with parameters after a colon if need be: ``als``, ``ease:regularization=100``,
``item_knn:weighting=bm25,neighbors=50``, or as JSON ``als:{"factors": 64}``; without any, every model runs with its
defaults. Each model runs in a fresh process: seconds are of fitting and of lists for all tested users, and peak memory
is that of the whole process, data included. ``--validation`` measures on the latest part of the training data:
choose parameters there.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from recmodels import registry
from recmodels.compute import memory
from tests.benchmarks.splits import SPLITS, Split

DEMO_USERS = 10_000
COLUMNS = ("recall", "ndcg", "hit_rate", "map", "mrr", "coverage")


def parse(model: str) -> tuple[str, dict[str, Any]]:
    """``name:parameter=value,parameter=value`` (or ``name:{JSON}``) as the name and the parameters."""
    name, _, rest = model.partition(":")
    if rest.startswith("{"):
        return name, json.loads(rest)
    pairs = (pair.partition("=") for pair in rest.replace(":", ",").split(",") if pair)
    return name, {parameter: _value(text) for parameter, _, text in pairs}


def demo_split(folder: Path) -> Split:
    """The last seven days of a demo site, of some users."""
    from tests.benchmarks.warm import demo

    train, users, truth = next(demo(folder, nights=1).nights())
    some = np.sort(np.random.default_rng(0).permutation(len(users))[:DEMO_USERS])
    return Split(train, users[some], truth[some], k=10)


def measure(data: str, model: str, *, validation: bool, seed: int) -> dict[str, Any]:
    """Fit one model here, make the lists of the tested users, and measure both."""
    name, parameters = parse(model)
    split = SPLITS[data](validation=validation) if data in SPLITS else demo_split(Path(data))
    recommender = registry.create(name, parameters, seed=seed)
    loaded = memory.peak()
    start = time.perf_counter()
    recommender.fit(split.train, registry.fit_options(name, parameters))
    fitted = time.perf_counter()
    items = recommender.recommend(split.train, split.users, split.k).items
    listed = time.perf_counter()
    measured = split.measured(items)
    return {
        "data": data,
        "model": model,
        "k": split.k,
        "users": len(split.users),
        "pairs": split.truth.nnz,
        "validation": validation,
        **{column: measured[column] for column in COLUMNS},
        "fit_seconds": fitted - start,
        "recommend_seconds": listed - fitted,
        "peak_mb": memory.peak() / 1e6,
        "loaded_mb": loaded / 1e6,  # before fitting: the data and the imports
    }


def main(arguments: list[str] | None = None) -> int:
    """Print a row a model; the exit code is 1 if one failed."""
    options = _options(arguments)
    if options.here:
        row = measure(options.data, options.models[0], validation=options.validation, seed=options.seed)
        print(json.dumps(row))
        return 0
    rows, failed = [], False
    for model in options.models or registry.names():
        row = _apart(options.data, model, options.validation, options.seed)
        if row is None:
            failed = True
            continue
        if not rows:
            part = ", validation part" if options.validation else ""
            print(f"{options.data}{part}: {row['users']:,} users, {row['pairs']:,} pairs, k = {row['k']}")
            print("| model | " + " | ".join(COLUMNS) + " | fit s | lists s | peak MB |")
            print("|---" * (len(COLUMNS) + 4) + "|", flush=True)
        rows.append(row)
        figures = " | ".join(f"{row[column]:.4f}" for column in COLUMNS)
        costs = f"{row['fit_seconds']:.2f} | {row['recommend_seconds']:.2f} | {row['peak_mb']:.0f}"
        print(f"| {model} | {figures} | {costs} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(failed)


def _apart(data: str, model: str, validation: bool, seed: int) -> dict[str, Any] | None:
    command = [sys.executable, "-m", "tests.benchmarks.quality", data, model, "--seed", str(seed), "--here"]
    ran = subprocess.run([*command, *["--validation"] * validation], stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode != 0:
        print(f"{model} failed (exit code {ran.returncode}); what it said is above.", file=sys.stderr)
        return None
    row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return row


def _value(text: str) -> Any:
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", metavar="DATA", help=f"{', '.join(SPLITS)}, or the folder of a demo site")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="NAME[:PARAMETER=VALUE,...]; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    parser.add_argument("--validation", action="store_true", help="measure within the training part")
    parser.add_argument("--seed", type=int, default=0, help="of each model (default: 0)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.data not in SPLITS and not Path(options.data, "items.parquet").exists():
        parser.error(f"{options.data} is neither one of {', '.join(SPLITS)} nor the folder of a demo site.")
    return options


if __name__ == "__main__":
    sys.exit(main())
