"""What an interval over the users of one simulated run is worth, beside how runs differ.

    python -m tests.benchmarks.simulated_intervals [--runs 24]

Two policies go through 28 nights of as many invented markets as there are runs, and are compared in each as
`nightrec simulate` compares them. An interval of 95 % should hold the mean effect of all runs in 95 % of them.
"""

import argparse

import numpy as np

from recmodels.simulation.comparison import LATER, TONIGHT, windows
from recmodels.simulation.effects import Interval, effect
from recmodels.simulation.market import Market
from recmodels.simulation.market_settings import MarketSettings
from recmodels.simulation.measures import Measured, Meter
from recmodels.simulation.policies import MostPopular, Trained
from recmodels.simulation.redrawn import Redrawn
from recmodels.simulation.run import NightSeen, simulate
from recmodels.simulation.runs import Run

USERS, ITEMS, NIGHTS = 400, 250, 28
WIDTH = 2 * 1.96  # standard errors in an interval of 95 %
FIGURES = {TONIGHT: 0, LATER: 1, "retention": 1, "individual_diversity": 1, "regret": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=24)
    found: dict[str, list[Interval]] = {name: [] for name in FIGURES}
    for seed in range(parser.parse_args().runs):
        other, popular = went(Trained("item_knn", {}), seed), went(MostPopular(), seed)
        for name, which in FIGURES.items():
            one = effect(name, [other], [popular], windows(NIGHTS)[which], Redrawn(USERS, seed))
            assert one is not None
            found[name].append(one.difference)
    print(f"{'figure':<22}{'effect':>10}{'sd of runs':>12}{'se within':>12}{'held':>8}")
    for name, intervals in found.items():
        values = np.array([one.value for one in intervals])
        errors = np.array([((one.high or np.nan) - (one.low or np.nan)) / WIDTH for one in intervals])
        held = np.mean(np.abs(values - values.mean()) <= WIDTH / 2 * errors)
        print(f"{name:<22}{values.mean():>+10.4f}{values.std(ddof=1):>12.4f}{errors.mean():>12.4f}{held:>8.0%}")


def went(policy: Trained, seed: int) -> Run:
    """The nights of a policy."""
    behavior, nights = Market.generated(MarketSettings(), USERS, ITEMS, seed, NIGHTS), list[Measured]()
    meter = Meter(behavior, seed)

    def observe(seen: NightSeen) -> None:
        nights.append(meter.measure(seen))

    simulate(behavior, policy, NIGHTS, retrain_every=2, seed=seed, ahead=meter.ahead, observe=observe)
    return Run.of(nights)


if __name__ == "__main__":
    main()
