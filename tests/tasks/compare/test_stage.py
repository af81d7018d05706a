"""The best candidate is published, and the comparison is kept."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from recmodels.errors import NightrecError
from tasks.compare.stage import compare
from tasks.store.files import Json, read_json
from tasks.store.paths import Store
from tasks.train.settings import Candidate

RUN_DATE = date(2026, 3, 31)


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
