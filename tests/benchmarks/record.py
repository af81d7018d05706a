"""A few quick benchmarks, recorded by commit, and what became slower: ``make bench``.

Each case runs several times, in turns with a calibration loop that never changes. A case's figure is its best time over
the best of the loop: what the machine's clock or its other work change in both does not count. The records of a machine
are lines of JSON in ``tests/benchmarks/records/<machine>.jsonl``; a figure more than 20 % above the last record's is
named.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tasks.store.machine import Machine

ROOT = Path(__file__).parents[2]
RECORDS = Path(__file__).parent / "records"
SLOWER = 1.2
TURNS = 5

Case = Callable[[], object]


def main() -> None:
    """Measure, append the record, and print it beside the last one."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        cases = prepared(Path(folder), options.only)
        seconds, calibration = measure(cases, options.turns)
    file = RECORDS / f"{machine()}.jsonl"
    earlier = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    record = {
        "commit": git("rev-parse", "HEAD"),
        "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "calibration_seconds": round(calibration, 4),
        "seconds": {name: round(best, 4) for name, best in seconds.items()},
        "ratios": {name: round(best / calibration, 3) for name, best in seconds.items()},
    }
    print(table(record, earlier))
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as records:
        records.write(json.dumps(record) + "\n")
    print(f"Recorded in {file.relative_to(ROOT)}.")


def measure(cases: Mapping[str, Case], turns: int) -> tuple[dict[str, float], float]:
    """The best seconds of each case, and of the calibration loop that runs before each of them."""
    best, calibration = dict.fromkeys(cases, np.inf), np.inf
    for _ in range(turns):
        for name, case in cases.items():
            calibration = min(calibration, seconds_of(calibrate))
            best[name] = min(best[name], seconds_of(case))
    return best, float(calibration)


def seconds_of(case: Case) -> float:
    started = time.perf_counter()
    case()
    return time.perf_counter() - started


def calibrate() -> None:
    """What the cases are made of, in small: interpreted loops, sorting, and products of matrices."""
    sum(n * n for n in range(400_000))
    random = np.random.default_rng(0)
    np.sort(random.random(1_000_000))
    square = random.random((600, 600), dtype=np.float32)
    for _ in range(4):
        square = np.tanh(square @ square)


def table(record: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> str:
    """The figures beside each case's last ones, with a word for what became slower."""
    last = {name: (ratio, one["commit"][:12]) for one in earlier for name, ratio in one["ratios"].items()}
    lines = [f"{'case':16} {'seconds':>8} {'ratio':>8} {'last':>8}"]
    for name, ratio in record["ratios"].items():
        line = f"{name:16} {record['seconds'][name]:8.3f} {ratio:8.3f}"
        if name in last:
            before, commit = last[name]
            line += f" {before:8.3f}"
            line += f"  {ratio / before - 1:.0%} slower than at {commit}" if ratio > SLOWER * before else ""
        lines.append(line)
    return "\n".join(lines)


def machine() -> str:
    """The processor and its cores, as a file's name."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    model = re.sub(r"\W+", "-", found[1] if found else "unknown").strip("-").lower()
    return f"{model}-{Machine().n_cores}-cores"


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


# The cases


def prepared(folder: Path, only: list[str]) -> dict[str, Case]:
    """The chosen cases, with their data made and their kernels compiled."""
    makers = {"top_k": top_k, "models": models, "ingest": ingest, "evaluation": evaluation, "night": night}
    cases: dict[str, Case] = {}
    for name in only or makers:
        (folder / name).mkdir()
        made = makers[name](folder / name)
        for case in made.values():
            case()
        cases |= made
    return cases


def top_k(_: Path) -> dict[str, Case]:
    """Lists of 50 for 5,000 users, from vectors of 64 numbers."""
    from recmodels.ranking.product_search import top_products
    from tests.benchmarks.topk import normal_vectors

    options = argparse.Namespace(users=5_000, items=20_000, factors=64)
    users, items, seen = normal_vectors(options)
    return {"top_k": lambda: top_products(users, items, 50, seen=seen)}


def models(_: Path) -> dict[str, Case]:
    """Three models, fitted to half a million interactions of 20,000 users with 3,000 items."""
    from recmodels.data.dataset import Dataset
    from recmodels.factors.als import ALS
    from recmodels.knn.item_knn import ItemKNN
    from recmodels.linear.ease import EASE

    random = np.random.default_rng(0)
    users, items = random.integers(0, 20_000, 500_000), (random.random(500_000) ** 2 * 3_000).astype(np.int64)
    users, items = np.divmod(np.unique(users * 3_000 + items), 3_000)
    data = Dataset.from_arrays(users, items, n_users=20_000, n_items=3_000)
    return {
        "fit_item_knn": lambda: ItemKNN().fit(data),
        "fit_als": lambda: ALS(factors=64, iterations=2).fit(data),
        "fit_ease": lambda: EASE(method="exact").fit(data),
    }


def ingest(folder: Path) -> dict[str, Case]:
    """A CSV of 500,000 rows, read, deduplicated, and prepared with a holdout of days."""
    from tests.benchmarks import preparation

    preparation.write(folder / "log.csv", 500_000)
    turn = iter(range(1_000))
    return {"ingest": lambda: preparation.both(folder / "log.csv", folder / str(next(turn)))}


def evaluation(folder: Path) -> dict[str, Case]:
    """All metrics of one model's lists of 50 for 20,000 users."""
    from tasks.evaluate.stage import write_metrics
    from tasks.train.settings import EvaluationSettings
    from tests.benchmarks.evaluation import K, write_lists, write_site

    random = np.random.default_rng(0)
    write_site(folder, 20_000, random)
    write_lists(folder, 20_000, random)
    (folder / "out").mkdir()
    return {
        "evaluation": lambda: write_metrics(folder, folder, EvaluationSettings(k=K), 0, folder / "out", folder),
    }


def night(folder: Path) -> dict[str, Case]:
    """A whole night on a small demo site, in a process of its own, without publishing twice what is the same."""
    (folder / "nightrec.toml").write_text("[demo]\nusers = 1000\nitems = 300\ninteractions = 20000\n")
    command = [sys.executable, "-m", "flows", "run", "--date", "2026-11-25", "--fresh"]
    env = {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / "prefect")}

    def run() -> None:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=os.environ | env)

    return {"night": run}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.record", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help=f"how often each case runs [{TURNS}]")
    parser.add_argument("--only", nargs="+", default=[], help="some of the groups of cases")
    return parser.parse_args()


if __name__ == "__main__":
    main()
