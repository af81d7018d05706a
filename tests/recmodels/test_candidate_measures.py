"""What a candidate's process measures itself: errors of predicted ratings, and backtests."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse

from recmodels import candidate_lists
from recmodels.candidate import run as run_here
from recmodels.candidate_spec import Spec
from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.data.times import MICROSECONDS_PER_DAY as DAY
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.factors.mf import MF
from recmodels.fallback import serve
from recmodels.linear.ease import EASE
from recmodels.metrics.ranking import per_user
from recmodels.popularity import Popularity
from recmodels.testing import N_ITEMS, N_USERS
from tests.recmodels.specifications import specification


def in_buckets(features: Path, asked: Path) -> dict[str, Any]:
    """The result where an engine is asked for, which has two users each; the rows are read some at a time."""
    spec = replace(Spec.read(asked), parts=features.parent / "parts")
    with using(LocalEngine()), pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidate_lists, "LIST_POSITIONS", 10)
        return run_here(spec)


def test_predicted_ratings_of_the_holdout_are_measured_by_rmse_and_mae(features: Path) -> None:
    path, rng = features / layout.PREPARED / layout.interactions_file("train"), np.random.default_rng(0)
    table = pq.read_table(path)
    rating = pa.array(rng.integers(1, 6, len(table)), pa.float32())
    pq.write_table(table.append_column("rating", rating), path)
    user, item, given = [3, 3, 5], [0, 7, 2], [5.0, np.nan, 1.0]
    held = {"user_index": pa.array(user, pa.int32()), "item_index": pa.array(item, pa.int32()), "rating": given}
    pq.write_table(pa.table(held), features / layout.PREPARED / layout.HOLDOUT)
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5}
    asked = specification(features, recommender="mf", params={"epochs": 2}, lists=lists)
    found = run_here(Spec.read(asked))
    in_parts = in_buckets(features, asked)
    assert (in_parts["rmse"], in_parts["mae"]) == (found["rmse"], found["mae"])
    data = Dataset.load(features, "train")
    errors = MF(epochs=2).fit(data).predict(data, np.array([3, 5]), np.array([0, 2])) - [5, 1]
    assert found["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert found["mae"] == pytest.approx(np.abs(errors).mean())
    by_neighbors = specification(features, recommender="item_knn", params={}, lists=lists)
    here, in_parts = run_here(Spec.read(by_neighbors)), in_buckets(features, by_neighbors)
    assert here["rmse"] != found["rmse"] and (in_parts["rmse"], in_parts["mae"]) == (here["rmse"], here["mae"])
    assert "rmse" not in run_here(Spec.read(specification(features, lists=lists)))  # ease predicts none


@pytest.mark.slow
def test_backtest_windows_are_measured_as_a_night_would_have_been(features: Path) -> None:
    path = features / layout.PREPARED / layout.interactions_file("train")
    data = Dataset.load(features, "train")
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5}
    days = data.end / 4 / DAY  # quarters of all the time there is
    asked = specification(features, lists=lists, windows=5, window_days=days)
    found = run_here(Spec.read(asked))["windows"]
    assert in_buckets(features, asked)["windows"] == found
    assert [one["window"] for one in found] == [1, 2, 3]  # before the fourth, there is nothing to learn from
    start = data.end - round(days * DAY)
    before, after = data.timestamp < start, data.timestamp >= start
    train = Dataset.from_arrays(
        data.user_index[before], data.item_index[before], timestamp=data.timestamp[before], n_users=N_USERS,
        n_items=N_ITEMS, end=start,
    )  # fmt: skip
    users, row = np.unique(data.user_index[after], return_inverse=True)
    truth = sparse.csr_array((np.ones(len(row)), (row, data.item_index[after])), shape=(len(users), N_ITEMS))
    allowed = np.arange(N_ITEMS) != 4
    shown = serve(
        EASE(regularization=20).fit(train), Popularity().fit(train), train, users.astype(np.int32), 5, allowed=allowed
    )
    assert found[0]["users"] == len(users)
    for name, values in per_user(shown.items, truth).items():
        assert found[0][name] == pytest.approx(values.mean())
    assert pq.read_table(path).num_rows == len(data)

    late = specification(features, lists=lists, windows=2, window_days=days, minutes=1e-9)
    assert run_here(Spec.read(late))["windows"][0]["failed"] == "no time was left for it"


def test_a_backtest_that_runs_out_of_memory_costs_tonight_nothing(features: Path) -> None:
    data = Dataset.load(features, "train")
    lists = {"out": str(features.parent / "lists"), "users": "holdout", "k": 5}
    asked = specification(features, lists=lists, windows=2, window_days=data.end / 4 / DAY)
    fitted: list[int] = []

    def fit(self: EASE, part: Dataset, options: object = None) -> EASE:
        if fitted:
            raise MemoryError
        fitted.append(len(part))
        return whole(self, part)

    whole = EASE.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EASE, "fit", fit)
        found = run_here(Spec.read(asked))
    assert found["n_users"] == 2
    assert found["windows"] == [{"window": 1, "users": found["windows"][0]["users"], "failed": "it ran out of memory"}]
