"""How often a slope of the long run is certain where nothing changes, and from which night on a planted drift is.

python -m tests.benchmarks.long_term [--repetitions 200]

Sites of 200 users, 60 items and lists of 8, in memory, with the figures, pairs and slopes of the nights. Without a
drift, tastes, lists and choices are drawn anew each night from the same distributions: the share of slopes over 28 days
whose interval has 0 in it should be 0.95. With a drift, lists follow popularity more every night.
"""

import argparse
from collections import Counter

from tasks.panel.measures import OF_PAIRS, OF_USERS
from tasks.panel.slopes import slopes_of
from tasks.report.long_term import certain
from tests.tasks.panel.simulated import Site

NIGHTS = 28
FIGURES = [name for name in (*OF_USERS, *OF_PAIRS) if name != "age"]  # which grows by itself


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=200)
    repetitions = parser.parse_args().repetitions
    covered: Counter[str] = Counter()
    found: list[int] = []
    for seed in range(repetitions):
        still = Site(seed)
        slopes = slopes_of([still.measured() for _ in range(NIGHTS)])
        covered.update(name for name in FIGURES if not certain(slopes[name]["28"]))
        if seed < repetitions // 10:
            found.append(first_certain(Site(seed, pull=0.05)))
    for name in FIGURES:
        print(f"{name:22} {covered[name] / repetitions:.3f}")
    print(f"{'all':22} {sum(covered.values()) / repetitions / len(FIGURES):.3f}")
    print(f"a drift is certain from night {min(found)} to {max(found)} on, of {len(found)} sites")


def first_certain(site: Site) -> int:
    """The night from which the Gini coefficient of exposure is certain to rise; one more than all where it never is."""
    nights = []
    for night in range(1, NIGHTS + 1):
        nights.append(site.measured())
        slope = slopes_of(nights)["exposure_gini"].get("28") if night >= NIGHTS // 2 else None
        if slope and certain(slope) and slope["value"] > 0:
            return night
    return NIGHTS + 1


if __name__ == "__main__":
    main()
