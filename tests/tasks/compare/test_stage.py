"""The figures of a candidate follow from its lists and the holdout alone, and the best one wins."""

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.errors import NightrecError
from tasks.compare.stage import compare
from tasks.evaluate.stage import EvaluationSettings, write_metrics
from tasks.lists.reader import read_lists
from tasks.store.files import Json, read_json
from tasks.store.paths import Store
from tasks.train.jobs import Candidate

RUN_DATE = date(2026, 3, 31)


def measured(
    tmp_path: Path,
    lists: list[tuple[int, int, int]],
    holdout: list[tuple[int, int]],
    k: int,
    among: Any = "available",
) -> Json:
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
    assert summary["users"] == 3
    assert {name: figure["value"] for name, figure in summary["metrics"].items()} == pytest.approx(expected)
    per_user = pq.read_table(tmp_path / "out" / "per_user.parquet")
    assert per_user["user_index"].to_pylist() == [3, 5, 9]
    assert per_user["hit_rate"].to_pylist() == [1, 0, 0]
    assert all(
        figure["low"] <= figure["value"] <= figure["high"]
        for name, figure in summary["metrics"].items()
        if name != "coverage"
    )


def test_only_the_first_k_places_count(tmp_path: Path) -> None:
    assert measured(tmp_path, [(3, 1, 1), (3, 2, 0)], [(3, 0)], k=1)["metrics"]["recall"]["value"] == 0


@pytest.mark.parametrize(("candidates", "items"), [("available", 4), ("all", 5)])
def test_coverage_is_a_share_of_the_items_that_lists_are_made_of(tmp_path: Path, candidates: str, items: int) -> None:
    found = measured(tmp_path, [(3, 1, 1), (3, 2, 0)], [(3, 0)], k=2, among=candidates)
    assert found["metrics"]["coverage"]["value"] == 2 / items


def test_lists_are_read_by_user_and_rank(tmp_path: Path) -> None:
    table = {
        "user_index": pa.array([2, 7, 7], pa.int32()),
        "rank": pa.array([1, 2, 1], pa.int16()),
        "item_index": pa.array([4, 6, 5], pa.int32()),
    }
    pq.write_table(pa.table(table), tmp_path / "lists.parquet")
    assert read_lists(tmp_path, np.array([2, 4, 7], np.int32), 2).tolist() == [[4, -1], [-1, -1], [5, 6]]


def manifest(ndcg: float) -> Json:
    figures = {"ndcg": {"value": ndcg, "low": ndcg - 0.1, "high": ndcg + 0.1}, "coverage": {"value": 0.5}}
    return {"output": f"metrics of {ndcg}", "summary": {"k": 10, "users": 4, "metrics": figures}}


def compared(tmp_path: Path, figures: dict[str, float], failed: dict[str, str] | None = None, **required: Any) -> Json:
    night = Store(tmp_path).night(RUN_DATE)
    names = [*figures, *(failed or {})]
    candidates = {name: Candidate(required=name in required) for name in names}
    return compare.fn(night, candidates, {name: manifest(value) for name, value in figures.items()}, failed or {})


def test_the_highest_ndcg_wins_and_the_first_of_equals(tmp_path: Path) -> None:
    assert compared(tmp_path, {"a": 0.1, "b": 0.3, "c": 0.3})["summary"]["winner"] == "b"


def test_the_comparison_is_kept_with_the_night_and_in_the_history(tmp_path: Path) -> None:
    compared(tmp_path, {"a": 0.1, "b": 0.3}, {"c": "out of memory"})
    night = Store(tmp_path).night(RUN_DATE)
    rows = pq.read_table(night.store.history(RUN_DATE)).to_pylist()
    assert {(row["model"], row["metric"], row["value"]) for row in rows} == {
        ("a", "ndcg", 0.1), ("a", "coverage", 0.5), ("b", "ndcg", 0.3), ("b", "coverage", 0.5),
    }  # fmt: skip
    assert {row["run_date"] for row in rows} == {RUN_DATE}
    assert (read_json(night.evaluation / "decision.json") or {})["failed"] == {"c": "out of memory"}


def test_without_a_required_model_there_is_no_winner(tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match=r"required model c failed: out of memory\. The last export stays"):
        compared(tmp_path, {"a": 0.1}, {"c": "out of memory."}, c=True)


def test_without_any_model_there_is_no_winner(tmp_path: Path) -> None:
    with pytest.raises(NightrecError, match="No model could be trained: out of memory"):
        compared(tmp_path, {}, {"c": "out of memory"})
