"""What a night of simulated users costs, by how many there are, and how like a log its fitted market is.

python -m tests.benchmarks.behavior [--nights 50]

Users of `MarketSettings()` and 2,000 items; lists of 10 at random. CPU milliseconds of `react` (the median night), of
`utilities` of all users, and the growth of the process between the tenth and the last night. Then the check of fit of a
generated market and, where NIGHTREC_TEST_DATA has it, of MovieLens 100K.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.simulation.fit_check import FIGURES
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings

ITEMS, K = 2_000, 10
AT_A_TIME = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=50)
    nights = parser.parse_args().nights
    print("| users | made, s | a night, ms | utilities of all, ms | growth, MiB |\n|---|---|---|---|---|")
    for users in (1_000, 5_000, 10_000, 50_000):
        print(row(users, nights), flush=True)
    logs = {"generated": generated()}
    if (path := Path(os.environ.get("NIGHTREC_TEST_DATA", ""), "ml-100k", "inter.csv")).is_file():
        logs["MovieLens 100K"] = Dataset.from_pandas(pd.read_csv(path), time="timestamp")
    for name, data in logs.items():
        start = time.process_time()
        fit = Market.fitted(data, MarketSettings(), 0).fit
        assert fit is not None
        print(f"\n{name}: {fit.users} users, {fit.items} items, {fit.days} days, {time.process_time() - start:.1f} s")
        for figure, meaning in FIGURES.items():
            print(f"{fit.site[figure]:8.3f} {fit.simulated[figure]:8.3f}  {meaning}")


def row(users: int, nights: int) -> str:
    start = time.process_time()
    market = Market.generated(MarketSettings(), users, ITEMS, 0, nights)
    made = time.process_time() - start
    rng, process = np.random.default_rng(0), psutil.Process()
    took = []
    early = 0
    for night in range(nights):
        out = np.flatnonzero(market.world.out(night))
        lists = out[(rng.integers(len(out), size=(users, 1)) + 7 * np.arange(K)) % len(out)].astype(np.int32)
        start = time.process_time()
        market.react(lists, night, np.random.default_rng([1, night]))
        took.append(time.process_time() - start)
        early = process.memory_info().rss if night == 9 else early
    grown = (process.memory_info().rss - early) / 2**20
    start = time.process_time()
    for first in range(0, users, AT_A_TIME):
        market.utilities(np.arange(first, min(first + AT_A_TIME, users), dtype=np.int32))
    asked = time.process_time() - start
    return f"| {users:,} | {made:.1f} | {1000 * np.median(took):.1f} | {1000 * asked:.0f} | {grown:.0f} |"


def generated() -> Dataset:
    """What the users of a made-up market chose in 60 days."""
    past = Market.generated(replace(MarketSettings(), history_days=60), 1_500, 600, 5).history()
    seen_users, user = np.unique(past.user, return_inverse=True)
    seen_items, item = np.unique(past.item, return_inverse=True)
    times = (past.night.astype(np.int64) + 20_000) * MICROSECONDS_PER_DAY + np.arange(len(past))
    return Dataset.from_arrays(user, item, timestamp=times, n_users=len(seen_users), n_items=len(seen_items))


if __name__ == "__main__":
    main()
