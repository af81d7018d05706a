"""The first sentences of a report: what changed, whether it is healthy and by how much, and what is unusual."""

from typing import Any

import pytest

from tasks.compare.decision import DecisionRecord
from tasks.report.answers import answers
from tasks.report.record import NightRecord

BASELINE = {"name": "popularity_7d", "value": 0.05, "beaten_by": ["ease"]}
CHAMPION = {
    "name": "als", "published_as": "als", "export_id": "2026-03-30", "recommender": "als", "params": {}, "value": 0.08,
    "recent": {"nights": 1, "value": 0.08},
}  # fmt: skip
RISE = {"item_id": "i1", "title": "Dune", "lists": 20, "share": 0.2, "before": 0.05}
LAST = [{"run_date": "2026-03-30", "champion": "als", "metrics": {"ndcg": {"als": 0.08}}}]


def said(
    gate: dict[str, Any], figures: dict[str, float], history: list[Any] = LAST, risers: list[Any] | None = None,
    record: dict[str, Any] | None = None, tail: float = 0.01,
) -> list[str]:  # fmt: skip
    """What is said of a night that ease has won with an NDCG of 0.1."""
    about = {"run_date": "2026-03-31", "status": "published", "winner": "ease", "k": 10, "users": 100, "cold_users": 5}
    decision = {"winner": "ease", "reason": "best", "verdict": "promoted", "baseline": BASELINE} | gate
    mine: dict[str, Any] = {name: {"value": value} for name, value in figures.items()}
    rows = [
        {
            "model": "ease",
            "metrics": {"ndcg": {"value": 0.1, "low": 0.09, "high": 0.11}, "hit_rate": {"value": 0.3}} | mine,
        },
        {"model": "popularity_7d", "metrics": {"ndcg": {"value": 0.05}, "hit_rate": {"value": 0.2}}},
    ]
    slices = [{"slice": "items:tail", "metric": "recall", "models": {"ease": {"value": tail}}}]
    shown = {"risers": [RISE] if risers is None else risers, "new_places": 0.4}
    return answers(NightRecord.of(about | (record or {})), DecisionRecord.of(decision), rows, slices, shown, history)


def test_three_sentences_say_what_changed_that_it_is_healthy_and_that_nothing_is_unusual() -> None:
    assert said({"champion": CHAMPION}, {}) == [
        "Since 2026-03-30 ease takes the place of als, 40% of the places of users' lists are new, and Dune rose most, "
        "from 5.0% to 20.0% of the lists.",
        "Healthy: NDCG@10 is 0.1000, +100% over the popularity of the last 7 days (0.0500; more than chance): of 100 "
        "users, 30 choose something of their list, with popular items 20; +25% against 2026-03-30 (0.0800, more than "
        "chance, other days being held out).",
        "Nothing about its lists looks unusual.",
    ]


def test_the_first_export_has_nothing_to_compare_with() -> None:
    first, health, _ = said({}, {}, history=[])
    assert first == "This is the first export, so there is nothing yet that it could be compared with."
    assert "against" not in health


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ({"tail": 0.0}, "the recall of tail items is 0: no list has one that its user went on to choose"),
        ({"figures": {"identical_lists": 0.62}}, "62% of the lists are, place by place, another user's too"),
        ({"record": {"cold_users": 60}}, "60% of the users have popular items only"),
        ({"gate": {"failed": {"als": "no memory"}}}, "1 candidate failed (als)"),
        ({"record": {"sinks": {"redis": {"failed": "It rained."}}}}, "1 sink not loaded"),
    ],
)
def test_what_is_unusual_is_said_and_the_night_is_not_called_healthy(more: dict[str, Any], warning: str) -> None:
    _, health, unusual = said(**({"gate": {}, "figures": {}} | more))
    assert unusual == f"To look at: {warning}."
    assert health.startswith("Look at it: NDCG@10 is 0.1000")


def test_a_gain_that_may_be_chance_is_said_to_be() -> None:
    _, health, _ = said({"baseline": BASELINE | {"beaten_by": []}}, {}, history=[])
    assert health.startswith("Look at it: ") and "(0.0500; which may be chance)" in health
    same = [{"run_date": "2026-03-30", "champion": "als", "metrics": {"ndcg": {"als": 0.105}}}]
    assert "-5% against 2026-03-30 (0.1050, within chance" in said({}, {}, history=same)[1]


def test_a_night_without_a_comparison_answers_nothing() -> None:
    assert answers(NightRecord.of({"status": "failed"}), None, [], [], {}, []) == []
