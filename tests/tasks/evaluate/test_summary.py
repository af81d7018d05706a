"""A candidate's summary says the same as JSON and as a type."""

import pytest

from tasks.evaluate.summary import Figure, ModelSummary, Reranking

STORED = {
    "k": 10,
    "users": 40,
    "metrics": {"ndcg": {"value": 0.25, "low": 0.2, "high": 0.3}, "coverage": {"value": 0.5}},
    "slices": [{"slice": "items:tail", "metric": "recall", "users": 7, "value": 0.1, "low": 0.0, "high": 0.2}],
    "reranking": {
        "without": {"ndcg": 0.25, "diversity": None, "coverage": 0.5},
        "with": {"ndcg": 0.24, "diversity": 0.8, "coverage": 0.6},
    },
    "trained": {
        "host": "here",
        "device": "cpu",
        "fit_seconds": 1.5,
        "warm": {"changed": {"rows": 0.01}, "night": "2026-10-31", "nights": 2, "since": "2026-10-30"},
    },
    "message": "NDCG@10 0.2500",
}


def test_a_summary_is_read_and_written_without_loss() -> None:
    summary = ModelSummary.of(STORED)
    assert summary.json_ready() == STORED | {"backtests": None, "ranks_nothing": False}
    assert ModelSummary.of(summary.json_ready()) == summary


@pytest.mark.parametrize(
    ("slice_name", "metric", "value"),
    [("all", "coverage", 0.5), ("items:tail", "recall", 0.1), ("all", "map", None), ("items:tail", "ndcg", None)],
)
def test_a_figure_is_found_by_slice_and_metric(slice_name: str, metric: str, value: float | None) -> None:
    assert ModelSummary.of(STORED).figure(slice_name, metric) == value


def test_a_figure_without_an_interval_has_no_ends() -> None:
    assert Figure(value=0.5).json_ready() == {"value": 0.5}


def test_the_price_of_the_rules_is_one_clause() -> None:
    found = Reranking.of(STORED["reranking"])  # type: ignore[arg-type]
    assert found.clause == "by the rules: NDCG 0.2500 to 0.2400, coverage 0.5000 to 0.6000"
