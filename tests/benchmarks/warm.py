"""What a warm start is worth: ``python -m tests.benchmarks.warm [MODEL ...]`` (default: hybrid, ncf).

MovieLens 1M (positives). An earlier night was trained on the first four fifths of the log, in order of time; then nine
tenths are there, and the last tenth is tested, as in `tests.benchmarks.splits`. A model is trained on the nine tenths
from nothing, and from the earlier night's vectors.
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np

from recmodels import registry
from recmodels.data.dataset import Dataset
from recmodels.options import DEFAULTS, FitOptions, WarmStart
from recmodels.pairwise.model import PairModel
from tests.benchmarks.splits import Split, movielens_1m


def before(data: Dataset) -> Dataset:
    """The first eight of nine parts of a window, in order of time."""
    early = data.timestamp <= np.quantile(data.timestamp, 8 / 9)
    return Dataset.from_arrays(
        data.user_index[early], data.item_index[early], timestamp=data.timestamp[early], terms=data.terms,
        n_users=data.n_users, n_items=data.n_items,
    )  # fmt: skip


def report(split: Split, what: str, model: PairModel, options: FitOptions = DEFAULTS) -> None:
    start = time.perf_counter()
    model.fit(split.train, options)
    seconds = time.perf_counter() - start
    figures = split.measure(model)
    print(f"| {what} | {figures['ndcg']:.4f} | {figures['recall']:.4f} | {seconds:.1f} |", flush=True)


def main() -> int:
    """Print a row a training."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.warm", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("models", nargs="*", default=["hybrid", "ncf"], help="names of the registry")
    split = movielens_1m()
    print("| training | NDCG@10 | recall@10 | fit s |\n|---|---|---|---|")
    for name in parser.parse_args().models:
        model = registry.create(name, {"warm_start": "always"}, seed=0)
        assert isinstance(model, PairModel)
        earlier = replace(model).fit(before(split.train))
        data = split.train
        sizes = {"users": data.n_users, "items": data.n_items, "terms": data.terms.shape[1], "user_terms": 0}
        rows = {part: np.arange(n, dtype=np.int32) for part, n in sizes.items()}
        for epochs in (model.epochs, model.warm_epochs, 1):
            report(split, f"`{name}` from nothing, {epochs} epochs", replace(model, epochs=epochs))
        for epochs in (model.warm_epochs, 1):
            warm = replace(model, warm_epochs=epochs)
            start = FitOptions(warm_start=WarmStart(earlier, rows))
            report(split, f"`{name}` from the earlier night, {epochs} epochs", warm, start)
    return 0


if __name__ == "__main__":
    sys.exit(main())
