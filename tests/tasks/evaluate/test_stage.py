"""The figures of a candidate follow from its lists and the holdout alone."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.evaluate.stage import recipe, trained_of, write_metrics
from tasks.evaluate.summary import ModelSummary, Trained
from tasks.lists.reader import ranks_nothing
from tasks.lists.settings import ListSettings
from tasks.train.jobs import TrainingJob
from tasks.train.settings import Candidate, EvaluationSettings


def measured(
    tmp_path: Path,
    lists: list[tuple[int, int, int]],
    holdout: list[tuple[int, int]],
    k: int,
    among: Any = "available",
) -> ModelSummary:
    """The summary for lists of (user, rank, item) and a holdout of (user, item), four of five items available."""
    prepared, out = tmp_path / "prepared", tmp_path / "out"
    for folder in (prepared, out):
        folder.mkdir(parents=True)
    user, item = zip(*holdout, strict=True)
    pq.write_table(
        pa.table({"user_index": pa.array(user, pa.int32()), "item_index": pa.array(item, pa.int32())}),
        prepared / "holdout.parquet",
    )
    available = [True, True, True, True, False]
    pq.write_table(pa.table({"item_index": [0, 1, 2, 3, 4], "available": available}), prepared / "items.parquet")
    columns = zip(("user_index", "rank", "item_index"), zip(*lists, strict=True), strict=True)
    pq.write_table(
        pa.table({name: pa.array(column, pa.int32()) for name, column in columns}), tmp_path / "lists.parquet"
    )
    return write_metrics(tmp_path, prepared, EvaluationSettings(k=k, candidates=among), seed=0, out=out)


def test_figures_are_means_over_all_users_of_the_holdout(tmp_path: Path) -> None:
    # User 3: hits at ranks 1 and 3 of its two items. User 5: none of one. User 9 has no list.
    lists = [(3, 1, 0), (3, 2, 1), (3, 3, 2), (5, 1, 0), (5, 2, 1), (5, 3, 3)]
    summary = measured(tmp_path, lists, [(3, 0), (3, 2), (5, 2), (9, 1)], k=3)
    ideal = 1 + 1 / math.log2(3)
    expected = {
        "ndcg": (1 + 1 / 2) / ideal / 3,
        "recall": 1 / 3,
        "recall_capped": 1 / 3,
        "precision": 2 / 3 / 3,
        "hit_rate": 1 / 3,
        "map": (1 + 2 / 3) / 2 / 3,
        "mrr": 1 / 3,
        "coverage": 4 / 4,
    }
    assert summary.users == 3
    assert {name: figure.value for name, figure in summary.metrics.items()} == pytest.approx(expected)
    per_user = pq.read_table(tmp_path / "out" / "per_user.parquet")
    assert per_user["user_index"].to_pylist() == [3, 5, 9]
    assert per_user["hit_rate"].to_pylist() == [1, 0, 0]
    assert all(
        figure.low is not None and figure.high is not None and figure.low <= figure.value <= figure.high
        for name, figure in summary.metrics.items()
        if name != "coverage"
    )


def test_only_the_first_k_places_count(tmp_path: Path) -> None:
    assert measured(tmp_path, [(3, 1, 1), (3, 2, 0)], [(3, 0)], k=1).metrics["recall"].value == 0


@pytest.mark.parametrize(("candidates", "items"), [("available", 4), ("all", 5)])
def test_coverage_is_a_share_of_the_items_that_lists_are_made_of(tmp_path: Path, candidates: str, items: int) -> None:
    found = measured(tmp_path, [(3, 1, 1), (3, 2, 0)], [(3, 0)], k=2, among=candidates)
    assert found.metrics["coverage"].value == 2 / items


@pytest.mark.parametrize(
    ("scores", "constant"),
    [
        ([0.5, 0.5, 0.3, 0.3, 0.9, 0.1, 7.0], True),  # users 1 and 2; the fallback's items of user 3; a single item
        ([0.5, 0.5 + 1e-8, 0.3, 0.3, 0.9, 0.1, 7.0], True),
        ([0.5, 0.4, 0.3, 0.3, 0.9, 0.1, 7.0], False),
        ([-0.1, -0.2, 0.3, 0.3, 0.9, 0.1, 7.0], False),
    ],
)
def test_a_model_whose_scores_are_all_equal_ranks_nothing(tmp_path: Path, scores: list[float], constant: bool) -> None:
    users, cold = [1, 1, 2, 2, 3, 3, 4], [False] * 4 + [True] * 2 + [False]
    pq.write_table(pa.table({"user_index": users, "score": scores, "cold": cold}), tmp_path / "lists.parquet")
    assert ranks_nothing(tmp_path) is constant


def test_lists_that_are_the_same_by_other_features_are_measured_again(tmp_path: Path) -> None:
    about = {"store": tmp_path, "run_date": "2026-03-31", "name": "popularity", "candidate": Candidate()}
    job = TrainingJob.model_validate(about | {"rules": ListSettings(k=10), "evaluation": EvaluationSettings()})
    lists: Any = {"fingerprint": "a", "output": "lists", "summary": {}}
    made = [recipe(job, lists | {"fingerprint": one}, lists) for one in ("a", "a", "b")]
    assert made[0] == made[1] != made[2]


def test_a_night_that_goes_on_knows_how_long_the_training_took(tmp_path: Path) -> None:
    fit = {"host": "node", "device": "gpu 0", "fit_seconds": 900.0, "n_users": 7}
    assert trained_of(fit) == Trained(host="node", device="gpu 0", fit_seconds=900.0)
    read = {"host": "here", "device": "cpu", "fit_seconds": 0.1, "list_seconds": 5.0, "fit": fit}
    assert trained_of(read) == trained_of(fit)
