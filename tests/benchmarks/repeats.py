"""Models where people buy the same again: ``python -m tests.benchmarks.repeats``.

The demo grocer (``nightrec demo DIR --kind grocery``), or --log FILE: Parquet or CSV with `user_id`, `item_id` and
`timestamp`. The last seven days are tested: what each user had in them, also what they had before, with lists of ten
that may hold it. Printed are NDCG@10 and recall@10 with their standard errors over users, the share of a list that the
user had already, and CPU seconds of training and lists. With --rules, NDCG@10 in the next --days of lists that may hold
nothing of what the user had, what of it is due (``export.repeats = "due"``) after some shares of its interval, and all.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recmodels.data.dataset import Dataset
from recmodels.data.events import EventLog, Events
from recmodels.data.times import MICROSECONDS_PER_DAY
from recmodels.demo import write_grocery
from recmodels.fallback import serve
from recmodels.knn.intervals import resting_of
from recmodels.metrics.ranking import per_user
from recmodels.options import FitOptions
from recmodels.registry import create

DAYS, K = 7, 10
SHARES = (1.0, 0.75, 0.5, 0.25)
MODELS: list[tuple[str, str, dict[str, Any]]] = [
    ("popularity", "popularity", {}),
    ("item_knn", "item_knn", {}),
    ("als", "als", {}),
    ("transitions", "transitions", {}),
    ("personal_frequency", "personal_frequency", {}),
    ("tifu_knn", "tifu_knn", {}),
    ("personal_frequency, due = 1", "personal_frequency", {"due": 1.0}),
    ("tifu_knn, due = 1", "tifu_knn", {"due": 1.0}),
    ("tifu_knn, due = 2", "tifu_knn", {"due": 2.0}),
    (
        "ensemble of tifu_knn, item_knn, popularity",
        "ensemble",
        {"members": ["tifu_knn", "item_knn", "popularity"], "repeats": True},
    ),
]


def parted(log: pd.DataFrame, days: int = DAYS) -> tuple[Dataset, EventLog, np.ndarray, sparse.csr_array]:
    """What is trained on, its events, the users who are tested, and what each had in the last days."""
    user, users = pd.factorize(log["user_id"], sort=True)
    item, items = pd.factorize(log["item_id"], sort=True)
    kind = "datetime64[us]"
    time_of = pd.to_datetime(log["timestamp"], utc=True).dt.tz_localize(None).to_numpy().astype(kind).astype(np.int64)
    start = (time_of.max() // MICROSECONDS_PER_DAY + 1 - days) * MICROSECONDS_PER_DAY
    frame = pd.DataFrame({"user": user, "item": item, "time": time_of}).sort_values(["user", "time"], kind="stable")
    before, after = frame[frame["time"] < start], frame[frame["time"] >= start]
    last = before.drop_duplicates(["user", "item"], keep="last")
    n_users, n_items = len(users), len(items)
    data = Dataset.from_arrays(
        last["user"], last["item"], timestamp=last["time"], end=int(start), n_users=n_users, n_items=n_items
    )
    who, what = (before[name].to_numpy(np.int32) for name in ("user", "item"))
    events = Events(who, what, before["time"].to_numpy())
    warm = after[after["user"].isin(before["user"])].drop_duplicates(["user", "item"])
    tested, row = np.unique(warm["user"], return_inverse=True)
    truth = sparse.csr_array((np.ones(len(row), bool), (row, warm["item"])), shape=(len(tested), len(items)))
    return data, EventLog(events, int(start)), tested, truth


def rules(name: str, model: Any, data: Dataset, log: EventLog, users: np.ndarray, truth: sparse.csr_array) -> str:
    """A row of the table of rules: lists completed by popular items, as a night has them."""
    model.fit(data, FitOptions(events=log))
    known = {0.0: data} | {share: replace(data, resting=resting_of(data, log, share)) for share in SHARES}
    popular = create("popularity").fit(data)
    cells = []
    for repeats, share in ((False, 0.0), *(("due", share) for share in SHARES), (True, 0.0)):
        lists = serve(model, popular, known[share], users.astype(np.int32), K, repeats=repeats)
        found = per_user(lists.items, truth)["ndcg"]
        cells.append(f"{found.mean():.4f} ± {found.std() / np.sqrt(len(users)):.4f}")
    return f"| {name} | {' | '.join(cells)} |"


def line(name: str, model: Any, data: Dataset, log: EventLog, users: np.ndarray, truth: sparse.csr_array) -> str:
    """A row of the table."""
    began = time.process_time()
    top = model.fit(data, FitOptions(events=log)).recommend(data, users, K, repeats=True)
    seconds = time.process_time() - began
    found = per_user(top.items, truth)
    cells = [f"{found[m].mean():.4f} ± {found[m].std() / np.sqrt(len(users)):.4f}" for m in ("ndcg", "recall")]
    had = data.matrix[users].toarray()[np.arange(len(users))[:, None], top.items] > 0
    return f"| {name} | {' | '.join(cells)} | {had[top.items >= 0].mean():.2f} | {seconds:.1f} |"


def main() -> int:
    """Print a row a model."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.repeats", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--log", type=Path, metavar="FILE")
    parser.add_argument("--rules", action="store_true")
    parser.add_argument("--days", type=int, default=DAYS, metavar="N")
    options = parser.parse_args()
    path = options.log
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            write_grocery(Path(folder), end=date(2026, 11, 1))
            path = Path(folder) / "interactions.parquet"
        log = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    data, events, users, truth = parted(log, options.days)
    print(f"{len(log):,} events, {len(data):,} pairs trained on, {len(users):,} users tested")
    shares = " | ".join(f"due after {share:g}" for share in SHARES)
    head = f"nothing | {shares} | all of it" if options.rules else "NDCG@10 | recall@10 | had before | CPU s"
    print(f"| model | {head} |\n{'|---' * (head.count('|') + 2)}|", flush=True)
    row = rules if options.rules else line
    for name, recommender, params in MODELS:
        print(row(name, create(recommender, params, seed=0), data, events, users, truth), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
