"""Lists for a weekday: ``python -m tests.benchmarks.context``.

Whether an ensemble whose trees see the weekday (``context = "weekday"``) ranks better in it. On MovieLens (--movielens
FOLDER, default the shared data's ml-100k and ml-1m) and on the demo grocer, as it is and with a share of all purchases
moved to a weekday of the item's own (--moved, .3 and .7). The last days are tested: a query is a user and a weekday,
and relevant is what the user had then. Printed are NDCG@10 of the same members' ensemble without contexts, of its
general list with them, and of its list for the weekday, and by how much the last is above the first (95 % over users).
"""

import argparse
import os
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from recmodels.data.contexts import WEEKDAYS, Weekdays
from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog
from recmodels.data.folds import Fold, latest
from recmodels.demo import write_grocery
from recmodels.ensemble.in_context import queries_of
from recmodels.ensemble.model import Ensemble
from recmodels.metrics.ranking import per_user
from recmodels.options import FitOptions
from tests.benchmarks.repeats import parted

K = 10
FILMS = ["popularity", "item_knn", "ease", "als"]


def movielens(path: Path) -> tuple[Dataset, Fold]:
    """All of its likes (ratings of 4 and 5), and the last days."""
    log = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    log.columns = [name.split(":")[0] for name in log.columns]
    log = log.rename(columns={"movie_id": "item_id"})
    log = log[log["rating"] >= 4]
    user, item = pd.factorize(log["user_id"])[0], pd.factorize(log["item_id"])[0]
    data = Dataset.from_arrays(user, item, timestamp=log["timestamp"].to_numpy(np.int64) * 1_000_000)
    return data, latest(data, 500, 3000)


def grocer(moved: float) -> pd.DataFrame:
    """The demo grocer's log, with so large a share of the purchases within their week on the item's own weekday."""
    with tempfile.TemporaryDirectory() as folder:
        write_grocery(Path(folder), end=date(2026, 11, 1))
        log = pd.read_parquet(Path(folder) / "interactions.parquet")
    rng = np.random.default_rng(0)
    own = rng.integers(0, 7, log["item_id"].max() + 1)[log["item_id"]]
    there = rng.random(len(log)) < moved
    day = log["timestamp"].dt.day_of_week.to_numpy()
    log["timestamp"] += pd.to_timedelta(np.where(there, own - day, 0), unit="D")
    return log


def row(name: str, data: Dataset, fold: Fold, log: EventLog | None) -> str:
    """A row of the table; `data` has what the fold holds out, too."""
    repeats = log is not None
    members = ["tifu_knn", "item_knn", "popularity"] if repeats else FILMS
    asked = queries_of(fold, data, Weekdays().of(data))
    options = FitOptions(events=log)
    found = {}
    for context in (None, "weekday"):
        model = Ensemble(members=members, repeats=repeats, context=context).fit(fold.train, options)
        users = asked.fold.users
        of_all = model.recommend(fold.train, users, K, repeats=repeats).items
        found[context] = per_user(of_all, asked.fold.truth)["ndcg"]
    lists = of_all.copy()
    for weekday, one in model.in_contexts().items():
        rows = np.flatnonzero(asked.context == WEEKDAYS.index(weekday))
        lists[rows] = one.recommend(fold.train, users[rows], K, repeats=repeats).items
    ndcg = per_user(lists, asked.fold.truth)["ndcg"]
    per = np.bincount(asked.row, ndcg - found[None]) / np.maximum(np.bincount(asked.row), 1)
    error = 1.96 * per.std(ddof=1) / np.sqrt(len(per))
    changed = "" if model.in_contexts() else " (no trees)"
    cells = [found[None].mean(), found["weekday"].mean(), ndcg.mean()]
    figures = [*(f"{cell:.4f}" for cell in cells), f"{per.mean():+.4f} ± {error:.4f}"]
    return f"| {name}{changed} | {len(ndcg):,} | {' | '.join(figures)} |"


def main() -> int:
    """Print a row a log."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.context", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    root = Path(os.environ.get("NIGHTREC_TEST_DATA", "../shared/data"))
    files = [root / "ml-100k" / "inter.csv", root / "ml-1m" / "positives.parquet"]
    parser.add_argument("--movielens", type=Path, nargs="*", default=[path for path in files if path.exists()])
    parser.add_argument("--moved", type=float, nargs="*", default=[0.0, 0.3, 0.7])
    options = parser.parse_args()
    print("| log | queries | without | general list | list of the weekday | change |\n|---|---|---|---|---|---|")
    for path in options.movielens:
        print(row(path.parent.name, *movielens(path), None), flush=True)
    for moved in options.moved:
        log = grocer(moved)
        train, events, users, truth = parted(log)
        everything = parted(log, days=0)[0]
        name = f"grocer, {moved:.0%} moved" if moved else "grocer"
        print(row(name, everything, Fold(train, users.astype(np.int32), truth), events), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
