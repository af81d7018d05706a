"""A night as a script of RecTools and implicit: `PYTHON peer_night.py DATA DATE OUT`; imports nothing of ours.

What one writes who has no pipeline: the tables are read with pandas, obviously bad rows dropped, the last seven days
held out, popularity, item-KNN and ALS compared on them, the best fitted again on everything, and lists of ten for
every user and every item's similar items written as Parquet. No validation, gate, reasons, audit or report.
Run by `tests.benchmarks.night_beside_peers`.
"""

import json
import sys
import time
from pathlib import Path

import pandas as pd
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import TFIDFRecommender
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import MAP, MRR, NDCG, HitRate, Precision, Recall, calc_metrics
from rectools.models import ImplicitALSWrapperModel, ImplicitItemKNNWrapperModel, PopularModel

K, HOLDOUT = 10, pd.Timedelta(days=7)
PAIR = [Columns.User, Columns.Item]
METRICS = {
    "ndcg": NDCG(k=K), "recall": Recall(k=K), "precision": Precision(k=K), "hit_rate": HitRate(k=K), "map": MAP(k=K),
    "mrr": MRR(k=K),
}  # fmt: skip
MODELS = {
    "popularity": PopularModel,
    "item_knn": lambda: ImplicitItemKNNWrapperModel(TFIDFRecommender(K=100)),
    "als": lambda: ImplicitALSWrapperModel(AlternatingLeastSquares(factors=128, iterations=8)),
}


def main(data: Path, end: pd.Timestamp, out: Path) -> None:
    began = time.perf_counter()

    def said(what: str) -> None:
        print(f"{time.perf_counter() - began:7.1f} s  {what}", flush=True)

    rows = read(data, end)
    said(f"read: {len(rows):,} rows")
    late = rows[Columns.Datetime] >= end - HOLDOUT
    train, test, pairs = pairs_of(rows[~late]), pairs_of(rows[late]), pairs_of(rows)
    test = test.merge(train[PAIR], on=PAIR, how="left", indicator="seen")
    test = test[(test["seen"] == "left_only") & test[Columns.User].isin(train[Columns.User])].drop(columns="seen")
    users = test[Columns.User].unique()
    del rows
    said(f"split: {len(train):,} and {len(test):,} pairs")
    dataset = Dataset.construct(train)
    found = {}
    for name, make in MODELS.items():
        model = make().fit(dataset)
        said(f"{name} fitted")
        lists = model.recommend(users=users, dataset=dataset, k=K, filter_viewed=True)
        found[name] = calc_metrics(METRICS, reco=lists, interactions=test)
        said(f"{name} measured: NDCG@{K} {found[name]['ndcg']:.4f} of {len(users):,} users")
    winner = max(found, key=lambda name: found[name]["ndcg"])
    del dataset, train, test, lists, model
    dataset = Dataset.construct(pairs)
    model = MODELS[winner]().fit(dataset)
    said(f"{winner} fitted on everything")
    everyone = pairs[Columns.User].unique()
    out.mkdir(exist_ok=True)
    model.recommend(users=everyone, dataset=dataset, k=K, filter_viewed=True).to_parquet(out / "lists.parquet")
    said(f"lists of {len(everyone):,} users")
    if winner != "popularity":
        items = pairs[Columns.Item].unique()
        model.recommend_to_items(target_items=items, dataset=dataset, k=K).to_parquet(out / "similar.parquet")
        said(f"similar items of {len(items):,} items")
    (out / "metrics.json").write_text(json.dumps({"winner": winner, "metrics": found}))


def read(data: Path, end: pd.Timestamp) -> pd.DataFrame:
    """The rows before the end that name a user and an item of the catalogue."""
    rows = pd.read_parquet(sorted(data.glob("interactions*.parquet")), columns=["user_id", "item_id", "timestamp"])
    rows["timestamp"] = rows["timestamp"].dt.tz_localize(None)
    items = pd.read_parquet(data / "items.parquet", columns=["item_id"])
    rows = rows.dropna()
    rows = rows[(rows["timestamp"] < end) & rows["item_id"].isin(items["item_id"])]
    return rows.rename(columns={"user_id": Columns.User, "item_id": Columns.Item, "timestamp": Columns.Datetime})


def pairs_of(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of user and item, with the time of the last event."""
    return rows.groupby(PAIR, as_index=False, sort=False)[Columns.Datetime].max().assign(**{Columns.Weight: 1.0})


if __name__ == "__main__":
    main(Path(sys.argv[1]), pd.Timestamp(sys.argv[2]), Path(sys.argv[3]))
