"""What `popularity_power` is worth to `item_knn`, and what it chooses: ``python -m tests.benchmarks.popularity_power``.

DATA are data sets (default: all of them): gowalla, ml1m, movielens-small (`tests.benchmarks.splits`), beauty, sports,
toys, yelp (each user's last item is tested), or folders of demo sites (what ``nightrec demo FOLDER`` wrote; the last
seven days are tested). Printed are NDCG@10 (Gowalla: @20) with its standard error, and the CPU seconds of choosing.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from recmodels.knn.item_knn import ItemKNN
from recmodels.knn.popularity_power import PLAIN, USUAL, chosen_power
from recmodels.metrics.ranking import per_user
from tests.benchmarks.quality import demo_split
from tests.benchmarks.splits import SPLITS, Split


def split(name: str) -> Split:
    """What is learned from, and who is tested by what."""
    if name in SPLITS:
        return SPLITS[name]()
    return demo_split(Path(name))


def row(name: str) -> str:
    """A line of the table."""
    tested, figures = split(name), []
    for power in (USUAL, PLAIN):
        lists = ItemKNN(popularity_power=power).fit(tested.train).recommend(tested.train, tested.users, tested.k)
        ndcg = per_user(lists.items, tested.truth)["ndcg"]
        figures.append(f"{ndcg.mean():.4f} ± {ndcg.std() / np.sqrt(len(ndcg)):.4f}")
    began = time.process_time()
    chosen = chosen_power(lambda power, trial: ItemKNN(popularity_power=power).fit(trial), tested.train)
    return f"| {Path(name).name} | {' | '.join(figures)} | {chosen:g} | {time.process_time() - began:.1f} |"


def main() -> int:
    """Print a row a data set."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.popularity_power", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", nargs="*", default=[*SPLITS], metavar="DATA")
    print(
        f"| data | NDCG by {USUAL:g} | by {PLAIN:g} | chosen | CPU s of choosing |\n|---|---|---|---|---|", flush=True
    )
    for name in parser.parse_args().data:
        print(row(name), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
