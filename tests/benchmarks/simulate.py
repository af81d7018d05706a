"""What a simulation of a hundred nights costs, by policy and by what the time goes into.

    python -m tests.benchmarks.simulate [--nights 100] [--users 5000] [--cores 2] [--policies als,hybrid] [--linear]

Users of `MarketSettings()` and 2,000 items; lists of 10, all policies retrained every night, and every night measured.
Each policy runs in a process of its own, as many at a time as there are cores. CPU seconds of learning, of lists, of
the users' day and of measuring; the memory of the process after the tenth and the last night. With `--linear` one
policy after the other has a quarter, half, all and twice as many users, for ten nights.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil

from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.measures import Meter
from recmodels.simulation.policies import Augmented, Explored, MostPopular, Policy, Reranking, Trained
from recmodels.simulation.run import NightSeen, simulate

ITEMS, MIB = 2_000, 2**20
PARTS = ("learn", "lists", "react", "measure")
SMALL = {"dim": 32, "layers": 1, "heads": 1, "epochs": 10, "warm_epochs": 1, "batch": 4096}
MADE: dict[str, Callable[[], Policy]] = {
    "popularity": MostPopular,
    "item_knn": lambda: Trained("item_knn"),
    "als": lambda: Trained("als", {"factors": 64}),
    "content": lambda: Trained("content"),
    "hybrid": lambda: Trained("hybrid", {"warm_epochs": 1}),
    "transformer": lambda: Trained("transformer", SMALL),
    "transformer_medium": lambda: Trained("transformer", SMALL | {"dim": 64, "layers": 2}),
    "transformer_large": lambda: Trained("transformer", SMALL | {"dim": 128, "layers": 2, "heads": 2}),
    "ensemble": lambda: Trained("ensemble", {"members": ["popularity", "item_knn", "als"]}),
    "calibrated": lambda: Trained("als", {"factors": 64}, rules=Reranking(calibration=0.5)),
    "explored": lambda: Explored(MADE["als"](), [MADE["item_knn"](), MADE["content"]()], choose="thompson"),
    "augmented": lambda: Augmented(MADE["als"]()),
}
SIX = ("popularity", "item_knn", "als", "content", "hybrid", "transformer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=100)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--policies", default=",".join(SIX), help=", ".join(MADE))
    parser.add_argument("--linear", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.nights, options.users)))
        return
    policies = options.policies.split(",")
    if options.linear:
        sizes = [options.users // 4, options.users // 2, options.users, 2 * options.users]
        print(f"| policy | {' | '.join(f'{size:,} users' for size in sizes)} |\n|---|{'---|' * len(sizes)}")
        for name in policies:
            seconds = [sum(own["parts"].values()) / 10 for own in (in_a_process(name, 10, size) for size in sizes)]
            print(f"| `{name}` | {' | '.join(f'{one:.3f}' for one in seconds)} |", flush=True)
        return
    started = time.monotonic()
    print(
        "| policy | CPU s | learn | lists | day | measure | MiB after night 10 | after the last |\n|---|" + "---|" * 7
    )
    with ThreadPoolExecutor(options.cores) as pool:
        for row in pool.map(lambda name: row_of(name, options.nights, options.users), policies):
            print(row, flush=True)
    print(f"\n{(time.monotonic() - started) / 60:.1f} minutes on {options.cores} cores")


def row_of(name: str, nights: int, users: int) -> str:
    own = in_a_process(name, nights, users)
    parts = " | ".join(f"{own['parts'][part]:.0f}" for part in PARTS)
    return f"| `{name}` | {sum(own['parts'].values()):.0f} | {parts} | {own['early']:.0f} | {own['late']:.0f} |"


def in_a_process(name: str, nights: int, users: int) -> dict:
    command = [sys.executable, "-m", "tests.benchmarks.simulate", "--one", name]
    command += ["--nights", str(nights), "--users", str(users)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measured(name: str, nights: int, users: int) -> dict:
    """The nights of a policy."""
    market = Market.generated(MarketSettings(), users, ITEMS, 0, nights)
    meter, process = Meter(market), psutil.Process()
    parts: Counter[str] = Counter()
    memory: list[float] = []

    def see(seen: NightSeen) -> None:
        start = time.process_time()
        meter.measure(seen)
        parts.update({part: seen.seconds[part] for part in PARTS[:3]})
        parts["measure"] += seen.seconds["ahead"] + time.process_time() - start
        memory.append(process.memory_info().rss / MIB)

    simulate(market, MADE[name](), nights, ahead=meter.ahead, observe=see)
    return {"parts": parts, "early": memory[min(9, nights - 1)], "late": memory[-1]}


if __name__ == "__main__":
    main()
