"""What propensity weights and negatives by popularity do for the tail: ``python -m tests.benchmarks.tails [DATA]``.

DATA is ml1m (default) or another of `tests.benchmarks.splits`. Head are the most popular items of the training window
that make up half of its interactions, tail those of the last fifth (as the slices of a night). Recall is the mean, over
the users who have something relevant there, of the share of it that their lists of 50 hold.
"""

import argparse
import sys

import numpy as np

from recmodels import registry
from recmodels.data.arrays import Bools
from recmodels.metrics.ranking import coverage, per_user
from tests.benchmarks.quality import parse
from tests.benchmarks.splits import SPLITS, Split

K = 50
CHANGES = "", "popularity_exponent=0.25", "popularity_exponent=0.5", "negative_exponent=1.0"
MODELS = "bpr", "hybrid", "hybrid:loss=bpr,learning_rate=0.05", "ncf"


def groups(split: Split) -> dict[str, Bools]:
    """Which items are head, middle and tail."""
    count = np.bincount(split.train.item_index, minlength=split.train.n_items)
    order = np.argsort(-count, kind="stable")
    share = np.empty(len(count))
    share[order] = (np.cumsum(count[order]) - count[order]) / count.sum()
    return {"head": share < 0.5, "middle": (share >= 0.5) & (share < 0.8), "tail": share >= 0.8}


def row(split: Split, model: str) -> list[float]:
    """NDCG@10, recall@50 of head, middle and tail, and the share of items that are shown to anybody."""
    name, parameters = parse(model)
    fitted = registry.create(name, parameters, seed=0).fit(split.train, registry.fit_options(name, parameters))
    lists = fitted.recommend(split.train, split.users, K).items
    figures = [per_user(lists[:, :10], split.truth)["ndcg"].mean()]
    for within in groups(split).values():
        truth = split.truth.multiply(within[None, :]).tocsr()
        truth.eliminate_zeros()
        some = np.flatnonzero(np.diff(truth.indptr))
        figures.append(per_user(lists[some], truth[some])["recall"].mean())
    return [*map(float, figures), coverage(lists, len(np.unique(split.train.item_index)))]


def main() -> int:
    """Print a row a model."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tails", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", nargs="?", choices=SPLITS, default="ml1m", help="the data set")
    split = SPLITS[parser.parse_args().data]()
    sizes = ", ".join(f"{name} {items.sum():,}" for name, items in groups(split).items())
    print(f"{sizes} items\n| model | NDCG@10 | head | middle | tail | coverage |\n|---|---|---|---|---|---|")
    for model in MODELS:
        for change in CHANGES:
            asked = f"{model}{',' if ':' in model else ':'}{change}" if change else model
            print(f"| {asked} | " + " | ".join(f"{figure:.4f}" for figure in row(split, asked)) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
