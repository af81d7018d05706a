"""Ten nights of an invented site, by the gate alone: who is published in each, and that a poisoned one is not.

The same in whole nights: `python -m tests.benchmarks.ten_nights`.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from recmodels.data.backtests import rolling_folds
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.demo.site import write_site
from recmodels.metrics.ranking import per_user
from recmodels.registry import create
from tasks.compare.decision import Incumbent
from tasks.compare.gate import decide
from tasks.compare.recent import Recent
from tasks.compare.settings import GateSettings
from tasks.evaluate.summary import Figure, ModelSummary

NIGHTS, SLIGHT, CLEAR, POISONED = 10, 4, 6, 8
BASELINE = "popularity_7d"
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    BASELINE: ("popularity", {"days": 7}),
    "weak": ("item_knn", {"neighbors": 3}),
    "slight": ("item_knn", {"neighbors": 5}),
    "clear": ("als", {"factors": 32}),
}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder: Path = tmp_path_factory.mktemp("site")
    write_site(folder, users=1500, items=250, interactions=60_000, end=date(2026, 3, 30), dirty="none")
    table = pq.read_table(folder / "interactions.parquet", columns=["user_id", "item_id", "timestamp"])
    encoded = {name: pc.dictionary_encode(table[name]).combine_chunks().indices for name in ("user_id", "item_id")}
    return pa.table(encoded | {"timestamp": table["timestamp"].cast(pa.timestamp("us")).cast(pa.int64())})


def site_of(log: pa.Table, end: int, poisoned: bool) -> Dataset:
    """What is known at the end of a night, each pair at its first time."""
    table = log.filter(pc.less(log["timestamp"], end))
    item = table["item_id"].to_numpy()
    item = np.random.default_rng(0).permutation(item) if poisoned else item
    time, user = table["timestamp"].to_numpy(), table["user_id"].to_numpy()
    pair = user.astype(np.int64) * 250 + item
    _, first = np.unique(pair[np.argsort(time)], return_index=True)
    rows = np.argsort(time)[first]
    return Dataset.from_arrays(user[rows], item[rows], timestamp=time[rows], n_users=1500, n_items=250, end=end)


def measured(data: Dataset, names: list[str]) -> dict[str, np.ndarray]:
    ((_, part),) = rolling_folds(data, 1, 7, 0, cold_start=False)
    models = {name: create(*RECIPES[name]).fit(part.train) for name in names}
    lists = {name: model.recommend(part.train, part.users, 10).items for name, model in models.items()}
    return {name: per_user(items, part.truth)["ndcg"] for name, items in lists.items()}


@pytest.mark.slow
def test_ten_nights_are_decided_as_they_should(log: pa.Table) -> None:
    champion: str | None = None
    quality: list[float] = []
    lift: list[float] = []
    outcomes: list[str] = []
    last = int(date(2026, 3, 30).toordinal() - date(1970, 1, 1).toordinal()) * DAY
    for index in range(NIGHTS):
        data = site_of(log, last - (NIGHTS - 1 - index) * DAY, index == POISONED)
        more = {SLIGHT: ["slight"], CLEAR: ["clear"]}.get(index, [])
        values = measured(data, list(dict.fromkeys([BASELINE, "weak", *([champion] if champion else []), *more])))
        means = {name: float(value.mean()) for name, value in values.items()}
        summaries = {
            name: ModelSummary(k=10, users=len(values[name]), metrics={"ndcg": Figure(value=value)})
            for name, value in means.items()
        }
        about = {"name": champion, "published_as": champion, "export_id": "x", "recommender": "x", "params": {}}
        incumbent = Incumbent.model_validate(about) if champion else None
        recent = Recent(tuple(quality[:7]), tuple(lift[:7]))
        rules = GateSettings(min_gain=0.25 if index == SLIGHT else 0.01)
        one = decide(rules, summaries, values, incumbent, {}, recent, BASELINE)
        outcomes.append("refused" if one.refused else f"{one.verdict} {one.winner}")
        if one.refused:
            continue
        if one.winner != champion:
            champion, quality, lift = one.winner, [], []
        quality.insert(0, means[champion])
        lift.insert(0, means[champion] / means[BASELINE])
    assert outcomes == ["first weak", *["stays weak"] * 5, "promoted clear", "stays clear", "refused", "stays clear"]
