"""Models over many cut-offs by date: ``python -m tests.benchmarks.dates MODEL ...``, with models as in `quality`.

The training part of MovieLens 1M (see `tests.benchmarks.splits`) is split on each of six days before its end: what came
before is learnt from, and what those users did from then on is to be found. Few users come back, so a single such day
says little; parameters are better chosen by the mean over several. The test part is never touched. Each
model learns with ``--seed`` (0).
"""

import argparse
import sys
from datetime import date

import numpy as np

from recmodels import registry
from tests.benchmarks.quality import parse
from tests.benchmarks.splits import movielens_1m_on

DAYS = ("2000-08-01", "2000-08-25", "2000-09-20", "2000-10-20", "2000-11-16", "2000-11-25")


def main(arguments: list[str] | None = None) -> int:
    """Print a row a model: NDCG@10 of each day, and the means of NDCG and recall."""
    options = _options(arguments)
    days = options.days.split(",")
    splits = [movielens_1m_on(date.fromisoformat(day)) for day in days]
    users = (f"{day} ({len(split.users)} users)" for day, split in zip(days, splits, strict=True))
    print("| NDCG@10 | " + " | ".join(users) + " | mean | recall@10 |")
    print("|---" * (len(splits) + 3) + "|", flush=True)
    for model in options.models:
        name, parameters = parse(model)
        measured = []
        for split in splits:
            recommender = registry.create(name, parameters, seed=options.seed)
            recommender.fit(split.train)
            measured.append(split.measure(recommender))
        ndcg, recall = ([each[metric] for each in measured] for metric in ("ndcg", "recall"))
        figures = " | ".join(f"{value:.4f}" for value in (*ndcg, np.mean(ndcg), np.mean(recall)))
        print(f"| {model} | {figures} |", flush=True)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dates", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="+", metavar="MODEL", help="NAME[:PARAMETER=VALUE,...]")
    parser.add_argument("--days", default=",".join(DAYS), metavar="DAY,...", help="the cut-offs; default: six of 2000")
    parser.add_argument("--seed", type=int, default=0, help="of each model (default: 0)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
